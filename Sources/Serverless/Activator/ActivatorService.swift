package import KubernetesAPI
package import Logging
package import MeshModel
internal import Synchronization

/// Holds requests for revisions without room until there is some, wakes the autoscaler, and passes requests on.
package final class ActivatorService: Sendable {
    /// How a request ends that was not answered by a pod.
    package enum Refusal: Error, Sendable, Hashable {
        /// As many wait as may.
        case full
        /// No pod had room before the client gave up.
        case expired
        /// Nobody has told of this revision.
        case unknownRevision
        /// The revision was deleted while the request waited.
        case gone
    }

    /// A place in a pod; it is given back when the last reference to it goes.
    package final class Lease: Sendable {
        package let address: String
        private let giveBack: @Sendable () -> Void

        fileprivate init(address: String, giveBack: @escaping @Sendable () -> Void) {
            self.address = address
            self.giveBack = giveBack
        }

        deinit { self.giveBack() }
    }

    private typealias Waiter = CheckedContinuation<Result<String, Refusal>, Never>

    private struct State {
        var table: ActivatorTable
        var waiters: [UInt64: Waiter] = [:]
        var pods: [ObjectID: PodWatch.Pod] = [:]
        /// Addresses that have been seen to answer.
        var answering: Set<String> = []
        var probed: Set<String> = []
        var unsynced: Set<String> = ["objects", "pods"]
    }

    /// How long a request waits if its client does not say it.
    package static let waitMax: Duration = .seconds(300)

    private let client: KubernetesClient
    private let sender: StatSender
    private let logger: Logger
    private let state: Mutex<State>
    private let probes: AsyncStream<PodWatch.Pod>
    private let probe: AsyncStream<PodWatch.Pod>.Continuation
    private let clock = ContinuousClock()
    private let start = ContinuousClock.now

    /// - Parameters:
    ///   - client: of the API server.
    ///   - sender: to the autoscaler.
    ///   - name: under which this activator reports.
    ///   - queueLength: how many requests of one revision may wait.
    ///   - logger: hears of what goes wrong.
    package init(client: KubernetesClient, sender: StatSender, name: String, queueLength: Int, logger: Logger) {
        self.client = client
        self.sender = sender
        self.logger = logger
        self.state = Mutex(State(table: ActivatorTable(name: name, lengthMax: queueLength)))
        (self.probes, self.probe) = AsyncStream.makeStream(bufferingPolicy: .unbounded)
    }

    private var now: Duration { self.start.duration(to: self.clock.now) }

    /// Whether all objects have been read once.
    package var isReady: Bool { self.state.withLock { $0.unsynced.isEmpty } }

    package var counts: (waiting: Int, inFlight: Int) {
        self.state.withLock { ($0.table.waitingCount, $0.table.inFlightCount) }
    }

    // MARK: Requests

    /// Waits for room in a pod of the revision.
    package func lease(for revision: ObjectID, wait: Duration = ActivatorService.waitMax) async throws(Refusal) -> Lease
    {
        let id = self.state.withLock { $0.table.newID() }
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { (waiter: Waiter) in self.arrive(id, revision, wait, waiter) }
        } onCancel: {
            self.give(.failure(.expired), to: [id])
        }
        switch result {
        case .success(let address):
            return Lease(address: address) { [weak self] in self?.finished(revision, at: address) }
        case .failure(let refusal):
            let now = self.now
            if refusal != .unknownRevision { _ = self.state.withLock { $0.table.left(id, revision, now: now) } }
            throw refusal
        }
    }

    private func arrive(_ id: UInt64, _ revision: ObjectID, _ wait: Duration, _ waiter: Waiter) {
        let now = self.now
        let (result, report) = self.state.withLock { state -> (Result<String, Refusal>?, StatMessage?) in
            guard let arrival = state.table.arrived(id, for: revision, deadline: now + wait, at: now) else {
                return (.failure(.unknownRevision), nil)
            }
            switch arrival.action {
            case .forward(let address): return (.success(address), arrival.report)
            case .refuse: return (.failure(.full), arrival.report)
            case .wait:
                // Who is cancelled before is not woken any more.
                if Task.isCancelled { return (.failure(.expired), arrival.report) }
                state.waiters[id] = waiter
                return (nil, arrival.report)
            }
        }
        if let report { self.sender.send(report) }
        if let result { waiter.resume(returning: result) }
    }

    private func finished(_ revision: ObjectID, at address: String) {
        let now = self.now
        self.give(self.state.withLock { $0.table.finished(revision, at: address, now: now) })
    }

    private func give(_ releases: [ActivatorTable.Release]) {
        for release in releases { self.give(.success(release.address), to: [release.id]) }
    }

    private func give(_ result: Result<String, Refusal>, to ids: [UInt64]) {
        let waiters = self.state.withLock { state in ids.compactMap { state.waiters.removeValue(forKey: $0) } }
        for waiter in waiters { waiter.resume(returning: result) }
    }

    /// A pod did not take a connection: it gets no more requests until it is seen to answer again.
    package func refused(by address: String) {
        let pods = self.state.withLock { state -> [PodWatch.Pod] in
            state.answering.remove(address)
            return state.pods.values.filter { $0.address == address }
        }
        for pod in pods { self.publish(pod.revision) }
        for pod in pods { self.probeLater(pod) }
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
                await self.client.reflect(.pods, labelSelector: ServingLabels.revision) {
                    self.synced("pods")
                } onChange: {
                    self.podsChanged($0)
                }
            }
            group.addTask { await self.sender.run() }
            group.addTask { await self.reportRegularly() }
            group.addTask { await self.probeAll() }
        }
    }

    private func synced(_ name: String) { _ = self.state.withLock { $0.unsynced.remove(name) } }

    private func reportRegularly() async {
        while !Task.isCancelled {
            // Cancellation ends the loop.
            try? await Task.sleep(for: .seconds(1))
            let now = self.now
            let (reports, late) = self.state.withLock { ($0.table.reports(at: now), $0.table.expired(at: now)) }
            for report in reports { self.sender.send(report) }
            self.give(.failure(.expired), to: late)
        }
    }

    // MARK: Objects

    private static func id(_ object: KubernetesObject) -> ObjectID {
        ObjectID(namespace: object.namespace ?? "", name: object.name)
    }

    private func objectsChanged(_ change: ObjectChange) {
        let now = self.now
        var changed: [PodAutoscaler] = []
        var removed: [ObjectID] = []
        switch change {
        case .replacedAll(let objects): changed = objects.compactMap(PodAutoscaler.init)
        case .added(let object), .modified(let object): changed = [PodAutoscaler(object)].compactMap(\.self)
        case .deleted(let object): removed = [Self.id(object)]
        }
        let (releases, gone) = self.state.withLock { state in
            (
                changed.flatMap {
                    state.table.configured($0.id, containerConcurrency: $0.containerConcurrency, at: now)
                }, removed.flatMap { state.table.removed($0) }
            )
        }
        self.give(releases)
        self.give(.failure(.gone), to: gone)
        for object in changed { self.publish(object.id) }
    }

    private func podsChanged(_ change: ObjectChange) {
        var touched: Set<ObjectID> = []
        var unknown: [PodWatch.Pod] = []
        self.state.withLock { state in
            func take(_ object: KubernetesObject) {
                let id = Self.id(object)
                if let old = state.pods[id] { touched.insert(old.revision) }
                guard let pod = PodWatch.Pod(object) else {
                    if let old = state.pods.removeValue(forKey: id) { state.answering.remove(old.address) }
                    return
                }
                state.pods[id] = pod
                touched.insert(pod.revision)
                if pod.isReady { state.answering.insert(pod.address) }
                if !pod.isReady, !pod.hasSidecar, !state.answering.contains(pod.address) { unknown.append(pod) }
            }
            switch change {
            case .replacedAll(let objects):
                touched.formUnion(state.pods.values.map(\.revision))
                state.pods = [:]
                for object in objects { take(object) }
            case .added(let object), .modified(let object): take(object)
            case .deleted(let object):
                if let old = state.pods.removeValue(forKey: Self.id(object)) {
                    touched.insert(old.revision)
                    state.answering.remove(old.address)
                }
            }
        }
        for revision in touched { self.publish(revision) }
        for pod in unknown { self.probeLater(pod) }
    }

    /// Tells the revision's queue which pods answer.
    private func publish(_ revision: ObjectID) {
        let releases = self.state.withLock { state in
            let addresses = state.pods.values.filter { $0.revision == revision }.map(\.address)
            return state.table.podsChanged(revision, addresses.filter(state.answering.contains))
        }
        self.give(releases)
    }

    // MARK: Probes

    private func probeLater(_ pod: PodWatch.Pod) {
        let isNews = self.state.withLock { $0.probed.insert(pod.address).inserted }
        if isNews { self.probe.yield(pod) }
    }

    private func probeAll() async {
        await withDiscardingTaskGroup { group in
            for await pod in self.probes {
                group.addTask { await self.probe(pod) }
            }
        }
    }

    private func probe(_ pod: PodWatch.Pod) async {
        let isAnswering = await PodWatch.waitUntilAccepting(pod.address) {
            self.state.withLock { state in state.pods.values.contains { $0.address == pod.address } }
        }
        self.state.withLock { state in
            state.probed.remove(pod.address)
            if isAnswering { state.answering.insert(pod.address) }
        }
        if isAnswering { self.publish(pod.revision) }
    }
}
