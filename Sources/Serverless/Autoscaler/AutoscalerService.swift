internal import Foundation
package import KubernetesAPI
package import Logging
package import MeshModel
package import RequestReports
internal import Synchronization

/// Scales Deployments through the Kubernetes API, by the reports that come in.
package final class AutoscalerService: Sendable {
    private struct State {
        var autoscaler = Autoscaler()
        var objects: [ObjectID: PodAutoscaler] = [:]
        var deployments: [ObjectID: Autoscaler.Pods] = [:]
        /// Whose pods a Deployment's are.
        var revisions: [ObjectID: ObjectID] = [:]
        var defaults = AutoscalerDefaults()
        var queue = WorkQueue<ObjectID, Autoscaler.Outcome>()
        /// What was told to be wrong with a revision's annotations.
        var complaints: [ObjectID: [SettingProblem]] = [:]
        var unsynced: Set<String> = ["objects", "deployments", "defaults"]
        var counts = Counts()
    }

    /// What happened since the start.
    package struct Counts: Sendable, Hashable {
        package var messages: UInt64 = 0
        package var unknownRevisions: UInt64 = 0
        package var pokes: UInt64 = 0
        package var scalings: UInt64 = 0
        package var failures: UInt64 = 0
    }

    private static let workers = 8

    private let client: KubernetesClient
    private let namespace: String
    private let logger: Logger
    private let state = Mutex(State())
    private let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation
    private let clock = ContinuousClock()
    private let start = ContinuousClock.now
    /// Since 1970, so that moments can be compared with those in objects.
    private let startTime = Duration.nanoseconds(Int64(Date().timeIntervalSince1970 * 1e9))

    /// - Parameters:
    ///   - client: of the API server.
    ///   - namespace: where the ConfigMap `config-autoscaler` is.
    ///   - logger: hears of every scaling.
    package init(client: KubernetesClient, namespace: String, logger: Logger) {
        self.client = client
        self.namespace = namespace
        self.logger = logger
        (self.signals, self.signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    private var now: Duration { self.startTime + self.start.duration(to: self.clock.now) }

    package var counts: Counts { self.state.withLock { $0.counts } }

    /// The last decision about each revision.
    package var verdicts:
        [(revision: ObjectID, pods: Autoscaler.Pods, settings: ScalingSettings, verdict: RevisionScaler.Verdict)]
    {
        self.state.withLock { $0.autoscaler.verdicts }
    }

    /// Whether all objects have been read once.
    package var isReady: Bool { self.state.withLock { $0.unsynced.isEmpty } }

    // MARK: Reports

    /// Takes in reports; who waits in front of a revision at zero is served at once.
    package func record(_ messages: [StatMessage]) {
        let now = self.now
        let hasWork = self.state.withLock { state in
            let outcomes = state.autoscaler.record(messages, at: now)
            state.counts.messages += UInt64(messages.count)
            state.counts.pokes += UInt64(outcomes.count)
            state.counts.unknownRevisions += UInt64(messages.count { state.objects[$0.revision] == nil })
            return Self.enqueue(outcomes, &state)
        }
        if hasWork { self.signal.yield() }
    }

    private static func enqueue(_ outcomes: [Autoscaler.Outcome], _ state: inout State) -> Bool {
        for outcome in outcomes where outcome.scale != nil || outcome.isStatusNews {
            state.queue.add(outcome.revision, outcome) { older, newer in
                var merged = newer
                merged.isStatusNews = older.isStatusNews || newer.isStatusNews
                return merged
            }
        }
        return !outcomes.isEmpty
    }

    // MARK: Running

    /// Runs until cancelled.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await self.client.reflect(.podAutoscalers) {
                    self.synced("objects")
                } onChange: {
                    self.objectsChanged($0)
                }
            }
            group.addTask {
                await self.client.reflect(.deployments) {
                    self.synced("deployments")
                } onChange: {
                    self.deploymentsChanged($0)
                }
            }
            group.addTask {
                let name = "metadata.name=\(AutoscalerDefaults.configMapName)"
                await self.client.reflect(.configMaps, namespace: self.namespace, fieldSelector: name) {
                    self.synced("defaults")
                } onChange: {
                    self.defaultsChanged($0)
                }
            }
            group.addTask { await self.tickRegularly() }
            group.addTask { await self.work() }
        }
    }

    private func synced(_ name: String) {
        _ = self.state.withLock { $0.unsynced.remove(name) }
        self.tick()
    }

    private func tickRegularly() async {
        while !Task.isCancelled {
            self.tick()
            // Cancellation ends the loop.
            try? await Task.sleep(for: ScalingSettings.tick)
        }
    }

    private func tick() {
        let now = self.now
        let hasWork = self.state.withLock { state in
            // Without all Deployments, a revision would be thought to have no pods.
            guard state.unsynced.isEmpty else { return false }
            return Self.enqueue(state.autoscaler.tick(at: now), &state)
        }
        if hasWork { self.signal.yield() }
    }

    // MARK: Objects

    private func objectsChanged(_ change: ObjectChange) {
        let now = self.now
        self.state.withLock { state in
            switch change {
            case .replacedAll(let objects):
                let ids = Set(objects.compactMap { PodAutoscaler($0)?.id })
                for id in state.objects.keys where !ids.contains(id) { Self.forget(id, &state) }
                for object in objects { self.take(object, &state, now) }
            case .added(let object), .modified(let object): self.take(object, &state, now)
            case .deleted(let object): Self.forget(Self.id(object), &state)
            }
        }
        self.tick()
    }

    private static func forget(_ id: ObjectID, _ state: inout State) {
        if let deployment = state.objects[id]?.deployment { state.revisions[deployment] = nil }
        state.objects[id] = nil
        state.complaints[id] = nil
        state.autoscaler.remove(id)
    }

    private func take(_ object: KubernetesObject, _ state: inout State, _ now: Duration) {
        guard let object = PodAutoscaler(object) else { return Self.forget(Self.id(object), &state) }
        if let before = state.objects[object.id]?.deployment, before != object.deployment {
            state.revisions[before] = nil
        }
        state.objects[object.id] = object
        state.revisions[object.deployment] = object.id
        self.configure(object, &state, now)
    }

    private func configure(_ object: PodAutoscaler, _ state: inout State, _ now: Duration) {
        var (parsed, problems) = ScalingAnnotations.parse(
            object.annotations,
            containerConcurrency: object.containerConcurrency,
            defaults: state.defaults
        )
        if problems != state.complaints[object.id] ?? [] {
            state.complaints[object.id] = problems
            for problem in problems {
                self.logger.warning(
                    "annotation left out",
                    metadata: ["revision": "\(object.id)", "problem": "\(problem)"]
                )
            }
        }
        guard parsed.isOurs else { return state.autoscaler.remove(object.id) }
        parsed.settings.isReachable = object.isReachable
        state.autoscaler.configure(
            object.id,
            settings: parsed.settings,
            pods: state.deployments[object.deployment] ?? Autoscaler.Pods(),
            activation: object.activation(now: now),
            at: now
        )
    }

    private func deploymentsChanged(_ change: ObjectChange) {
        let now = self.now
        let hasWork = self.state.withLock { state in
            let changed: Set<ObjectID>
            switch change {
            case .replacedAll(let objects):
                changed = Set(state.deployments.keys).union(objects.map(Self.id))
                state.deployments = [:]
                for object in objects { Self.take(object, &state) }
            case .added(let object), .modified(let object):
                let before = state.deployments[Self.id(object)]
                Self.take(object, &state)
                guard state.deployments[Self.id(object)] != before else { return false }
                changed = [Self.id(object)]
            case .deleted(let object):
                changed = [Self.id(object)]
                state.deployments[Self.id(object)] = nil
            }
            // A pod that has become ready changes the path of requests: not a matter of the next tick.
            let outcomes = changed.compactMap { deployment -> Autoscaler.Outcome? in
                guard let revision = state.revisions[deployment] else { return nil }
                state.autoscaler.observed(revision, pods: state.deployments[deployment] ?? Autoscaler.Pods())
                return state.unsynced.isEmpty ? state.autoscaler.tick(revision, at: now) : nil
            }
            return Self.enqueue(outcomes, &state)
        }
        if hasWork { self.signal.yield() }
    }

    private static func id(_ object: KubernetesObject) -> ObjectID {
        ObjectID(namespace: object.namespace ?? "", name: object.name)
    }

    private static func take(_ object: KubernetesObject, _ state: inout State) {
        state.deployments[Self.id(object)] = Autoscaler.Pods(
            ready: object.json[path: "status", "readyReplicas"]?.int ?? 0,
            replicas: object.json[path: "spec", "replicas"]?.int ?? 1
        )
    }

    private func defaultsChanged(_ change: ObjectChange) {
        let data: [String: String] =
            switch change {
            case .replacedAll(let objects): objects.first?.json["data"]?.stringMap ?? [:]
            case .added(let object), .modified(let object): object.json["data"]?.stringMap ?? [:]
            case .deleted: [:]
            }
        let (defaults, problems) = AutoscalerDefaults.parse(data)
        for problem in problems {
            self.logger.warning("setting of config-autoscaler left out", metadata: ["problem": "\(problem)"])
        }
        let now = self.now
        self.state.withLock { state in
            state.defaults = defaults
            for object in state.objects.values { self.configure(object, &state, now) }
        }
    }

    // MARK: Work

    private func work() async {
        await withTaskGroup(of: Void.self) { group in
            var running = 0
            for await _ in self.signals {
                while let (revision, outcome) = self.state.withLock({ $0.queue.next() }) {
                    if running >= Self.workers {
                        await group.next()
                        running -= 1
                    }
                    running += 1
                    group.addTask { await self.carryOut(outcome, revision) }
                }
            }
        }
    }

    private func carryOut(_ outcome: Autoscaler.Outcome, _ revision: ObjectID) async {
        if let object = self.state.withLock({ $0.objects[revision] }) {
            if let count = outcome.scale { await self.scale(object, to: count, outcome) }
            if outcome.isStatusNews { await self.writeStatus(object, outcome) }
        }
        if self.state.withLock({ $0.queue.done(revision) }) { self.signal.yield() }
    }

    private func scale(_ object: PodAutoscaler, to count: Int, _ outcome: Autoscaler.Outcome) async {
        let reason = self.state.withLock { $0.autoscaler.settings(of: object.id) }.map(outcome.verdict.reason) ?? ""
        do {
            _ = try await self.client.patch(
                .deployments,
                namespace: object.deployment.namespace,
                name: object.deployment.name,
                subresource: "scale",
                .merge(["spec": ["replicas": JSONValue(count)]])
            )
            self.state.withLock { state in
                state.counts.scalings += 1
                // The watch tells it too, but the next tick may come first.
                state.deployments[object.deployment]?.replicas = count
                if let pods = state.deployments[object.deployment] {
                    state.autoscaler.observed(object.id, pods: pods)
                }
            }
            self.logger.info(
                "revision scaled",
                metadata: [
                    "revision": "\(object.id)", "from": "\(outcome.pods.replicas ?? 0)", "to": "\(count)",
                    "reason": "\(reason)",
                ]
            )
        } catch {
            self.failed("revision not scaled; tried again with the next decision", object, error)
        }
    }

    private func writeStatus(_ object: PodAutoscaler, _ outcome: Autoscaler.Outcome) async {
        let isInitialized = self.state.withLock { $0.autoscaler.isInitialized(object.id) }
        let status = object.status(after: outcome, isInitialized: isInitialized, now: self.now.components.seconds)
        do {
            _ = try await self.client.patch(
                .podAutoscalers,
                namespace: object.id.namespace,
                name: object.id.name,
                subresource: "status",
                .merge(["status": status])
            )
        } catch {
            self.state.withLock { $0.autoscaler.statusFailed(object.id) }
            self.failed("status not written; tried again with the next decision", object, error)
        }
    }

    private func failed(_ what: Logger.Message, _ object: PodAutoscaler, _ error: any Error) {
        self.state.withLock { $0.counts.failures += 1 }
        // An object that is being deleted is nobody's concern any more.
        if let error = error as? KubernetesError, error.isNotFound { return }
        self.logger.warning(what, metadata: ["revision": "\(object.id)", "error": "\(error)"])
    }
}
