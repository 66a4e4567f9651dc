internal import Foundation
package import KubernetesAPI
package import Logging
package import MeshModel
package import RequestReports
internal import Synchronization

/// Scales Deployments through the Kubernetes API, by the reports that come in.
package final class AutoscalerService: Sendable {
    private struct State {
        var revisions = ScaledRevisions()
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

    /// Scales, and statuses, that are written at the same time.
    private static let workers = 8

    private let client: KubernetesClient
    private let namespace: String
    private let logger: Logger
    private let state = Mutex(State())
    /// Revisions whose Deployment is to be set, and those whose status is to be written: requests wait for the first, so
    /// that these do not stand in line with the second.
    private let scales = WorkLane<ObjectID>(workers: AutoscalerService.workers)
    private let statuses = WorkLane<ObjectID>(workers: AutoscalerService.workers)
    private let hurrySignals: AsyncStream<Void>
    private let hurrySignal: AsyncStream<Void>.Continuation
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
        (self.hurrySignals, self.hurrySignal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    private var now: Duration { self.startTime + self.start.duration(to: self.clock.now) }

    package var counts: Counts { self.state.withLock { $0.counts } }

    /// The last decision about each revision.
    package var verdicts:
        [(revision: ObjectID, pods: Autoscaler.Pods, settings: ScalingSettings, verdict: RevisionScaler.Verdict)]
    {
        self.state.withLock { $0.revisions.autoscaler.verdicts }
    }

    /// Whether all objects have been read once.
    package var isReady: Bool { self.state.withLock { $0.revisions.isListed } }

    // MARK: Reports

    /// Takes in reports; who waits in front of a revision at zero is served at once.
    package func record(_ messages: [StatMessage]) {
        let now = self.now
        let (outcomes, isHurried) = self.state.withLock { state in
            let outcomes = state.revisions.record(messages, at: now)
            state.counts.messages += UInt64(messages.count)
            state.counts.pokes += UInt64(outcomes.count { $0.isPoke })
            state.counts.unknownRevisions += UInt64(
                messages.count { state.revisions.object($0.revision) == nil }
            )
            return (outcomes, state.revisions.autoscaler.nextHurry != nil)
        }
        self.enqueue(outcomes)
        if isHurried { self.hurrySignal.yield() }
    }

    private func enqueue(_ outcomes: [Autoscaler.Outcome]) {
        self.scales.add(outcomes.filter { $0.scale != nil }.map(\.revision))
        self.statuses.add(outcomes.filter(\.isStatusNews).map(\.revision))
    }

    // MARK: Running

    /// Runs until cancelled.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await self.client.reflect(.podAutoscalers) {
                    self.listed(.podAutoscalers)
                } onChange: {
                    self.changed($0) { $0.podAutoscalersChanged($1, at: $2) }
                }
            }
            group.addTask {
                await self.client.reflect(.deployments) {
                    self.listed(.deployments)
                } onChange: {
                    self.changed($0) { $0.deploymentsChanged($1, at: $2) }
                }
            }
            group.addTask {
                let name = "metadata.name=\(AutoscalerDefaults.configMapName)"
                await self.client.reflect(.configMaps, namespace: self.namespace, fieldSelector: name) {
                    self.listed(.defaults)
                } onChange: {
                    self.defaultsChanged($0)
                }
            }
            group.addTask { await self.tickRegularly() }
            group.addTask { await self.tickHurried() }
            group.addTask {
                await self.scales.run { await self.carryOut($0) { await self.scale($0, $1) } }
            }
            group.addTask {
                await self.statuses.run { await self.carryOut($0) { await self.writeStatus($0, $1) } }
            }
        }
    }

    private func tickRegularly() async {
        while !Task.isCancelled {
            let now = self.now
            self.enqueue(self.state.withLock { $0.revisions.tick(at: now) })
            // Cancellation ends the loop.
            try? await Task.sleep(for: ScalingSettings.tick)
        }
    }

    /// Decisions that reports ask for shortly after another one.
    private func tickHurried() async {
        for await _ in self.hurrySignals {
            while let due = self.state.withLock({ $0.revisions.autoscaler.nextHurry }) {
                do { try await Task.sleep(for: max(.zero, due - self.now)) } catch { return }
                let now = self.now
                self.enqueue(self.state.withLock { $0.revisions.tickHurried(at: now) })
            }
        }
    }

    // MARK: Objects

    private func listed(_ source: ScaledRevisions.Source) {
        let now = self.now
        self.take { $0.listed(source, at: now) }
    }

    private func changed(
        _ change: ObjectChange,
        _ apply: (inout ScaledRevisions, ObjectChange, Duration) -> ScaledRevisions.OnChange
    ) {
        let now = self.now
        self.take { apply(&$0, change, now) }
    }

    private func take(_ change: (inout ScaledRevisions) -> ScaledRevisions.OnChange) {
        let on = self.state.withLock { change(&$0.revisions) }
        self.enqueue(on.outcomes)
        for (revision, problem) in on.complaints {
            self.logger.warning(
                "annotation left out",
                metadata: ["revision": "\(revision)", "problem": "\(problem)"]
            )
        }
    }

    private func defaultsChanged(_ change: ObjectChange) {
        let (defaults, problems) = AutoscalerDefaults.parse(change)
        for problem in problems {
            self.logger.warning("setting of config-autoscaler left out", metadata: ["problem": "\(problem)"])
        }
        let now = self.now
        self.take { $0.defaultsChanged(defaults, at: now) }
    }

    // MARK: Work

    private func carryOut(
        _ revision: ObjectID,
        _ write: (PodAutoscaler, Autoscaler.Outcome) async -> Void
    ) async {
        let (object, outcome) = self.state.withLock {
            ($0.revisions.object(revision), $0.revisions.autoscaler.outcome(of: revision))
        }
        if let object, let outcome { await write(object, outcome) }
    }

    private func scale(_ object: PodAutoscaler, _ outcome: Autoscaler.Outcome) async {
        // It may have been set, or be wanted no more, since it was put in line.
        guard let count = outcome.scale else { return }
        let settings = self.state.withLock { $0.revisions.autoscaler.settings(of: object.id) }
        let reason = settings.map(outcome.verdict.reason) ?? ""
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
                state.revisions.scaled(object.id, to: count)
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
        let isInitialized = self.state.withLock { $0.revisions.autoscaler.isInitialized(object.id) }
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
            self.state.withLock { $0.revisions.statusFailed(object.id) }
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
