package import KubernetesAPI
package import Logging
package import MeshModel
package import RequestReports
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
        /// The client has left while the request waited.
        case clientLeft
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
        var table: ActivatorTable<Waiter>
        var pods = PodBook()
        var unsynced: Set<String> = ["objects", "pods"]
    }

    /// How long a request may take, its wait included, if neither its revision nor its client says it.
    package static let timeLimitDefault: Duration = .seconds(Revision.defaultTimeout)

    private let client: KubernetesClient
    private let sender: StatSender
    private let logger: Logger
    private let state: Mutex<State>
    /// Bounded by the pods there are: none is asked twice at the same time.
    private let probes: AsyncStream<String>
    private let probe: AsyncStream<String>.Continuation
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

    /// Requests now, and what happened since the start.
    package struct Counts: Sendable, Hashable {
        package var waiting = 0
        package var inFlight = 0
        package var clientsLeft = 0
    }

    package var counts: Counts {
        self.state.withLock { state in
            Counts(
                waiting: state.table.waitingCount,
                inFlight: state.table.inFlightCount,
                clientsLeft: state.table.leftCount
            )
        }
    }

    // MARK: Requests

    /// How long a request for the revision may take, its wait included.
    package func timeLimit(of revision: ObjectID) -> Duration {
        self.state.withLock { $0.table.timeLimit(of: revision) } ?? Self.timeLimitDefault
    }

    /// Waits for room in a pod of the revision, for as long as the client is there. Who gets a lease watches the client
    /// itself for as long as it has it (``ClientPresence/whileThere(limit:_:)``).
    package func lease(
        for revision: ObjectID,
        client: ClientPresence,
        wait: Duration
    ) async throws(Refusal) -> Lease {
        let id = self.state.withLock { $0.table.newID() }
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { (waiter: Waiter) in self.arrive(id, revision, client, wait, waiter) }
        } onCancel: {
            self.leave(id, revision, .expired)
        }
        client.unwatch()
        let address = try result.get()
        return Lease(address: address) { [weak self] in self?.finished(revision, at: address) }
    }

    private func arrive(
        _ id: UInt64,
        _ revision: ObjectID,
        _ client: ClientPresence,
        _ wait: Duration,
        _ waiter: Waiter
    ) {
        let now = self.now
        let (result, report) = self.state.withLock { state -> (Result<String, Refusal>?, StatMessage?) in
            // Who is cancelled before is not woken any more.
            if Task.isCancelled { return (.failure(.expired), nil) }
            let arrival = state.table.arrived(id, waiter, for: revision, deadline: now + wait, at: now)
            guard let arrival else { return (.failure(.unknownRevision), nil) }
            switch arrival.action {
            case .forward(let address): return (.success(address), arrival.report)
            case .refuse: return (.failure(.full), arrival.report)
            case .wait: return (nil, arrival.report)
            }
        }
        if let report { self.sender.send(report, isEarly: true) }
        if let result { return waiter.resume(returning: result) }
        client.watch { [weak self] in self?.leave(id, revision, .clientLeft) }
    }

    /// A request waits no more; nothing if it does not wait.
    private func leave(_ id: UInt64, _ revision: ObjectID, _ refusal: Refusal) {
        let now = self.now
        let waiter = self.state.withLock { $0.table.left(id, revision, now: now) }
        waiter?.resume(returning: .failure(refusal))
    }

    private func finished(_ revision: ObjectID, at address: String) {
        let now = self.now
        self.give(self.state.withLock { $0.table.finished(revision, at: address, now: now) })
    }

    private func give(_ releases: [ActivatorTable<Waiter>.Release]) {
        for release in releases { release.waiter.resume(returning: .success(release.address)) }
    }

    private func refuse(_ waiters: [Waiter], _ refusal: Refusal) {
        for waiter in waiters { waiter.resume(returning: .failure(refusal)) }
    }

    /// A pod did not take a connection: it gets no more requests until it is seen to answer again.
    package func refused(by address: String) { self.obey { $0.refused(address) } }

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
            self.refuse(late, .expired)
        }
    }

    // MARK: Objects

    private func objectsChanged(_ change: ObjectChange) {
        let now = self.now
        let (releases, gone) = self.state.withLock { state -> ([ActivatorTable<Waiter>.Release], [Waiter]) in
            var changed: [PodAutoscaler] = []
            var removed: Set<ObjectID> = []
            switch change {
            case .replacedAll(let objects):
                changed = objects.compactMap(PodAutoscaler.init)
                removed = state.table.revisions.subtracting(changed.map(\.id))
            case .added(let object), .modified(let object): changed = [PodAutoscaler(object)].compactMap(\.self)
            case .deleted(let object):
                removed = [ObjectID(namespace: object.namespace ?? "", name: object.name)]
            }
            var releases: [ActivatorTable<Waiter>.Release] = []
            for object in changed {
                releases += state.table.configured(
                    object.id,
                    containerConcurrency: object.containerConcurrency,
                    timeLimit: object.timeLimit,
                    at: now
                )
                releases += state.table.podsChanged(object.id, state.pods.answering(of: object.id))
            }
            return (releases, removed.flatMap { state.table.removed($0) })
        }
        self.give(releases)
        self.refuse(gone, .gone)
    }

    private func podsChanged(_ change: ObjectChange) { self.obey { $0.changed(change) } }

    /// Tells the queues which pods answer, and begins the probes that are wanted.
    private func obey(_ change: (inout PodBook) -> PodBook.OnChange) {
        let (outcome, releases) = self.state.withLock { state -> (PodBook.OnChange, [ActivatorTable<Waiter>.Release]) in
            let outcome = change(&state.pods)
            let releases = outcome.revisions.flatMap {
                state.table.podsChanged($0, state.pods.answering(of: $0))
            }
            return (outcome, releases)
        }
        self.give(releases)
        for address in outcome.probes { self.probe.yield(address) }
    }

    // MARK: Probes

    private func probeAll() async {
        await withDiscardingTaskGroup { group in
            for await address in self.probes {
                group.addTask {
                    let isAnswering = await PodWatch.waitUntilAccepting(address) {
                        self.state.withLock { $0.pods.isProbeWanted(address) }
                    }
                    guard !Task.isCancelled else { return }
                    self.obey { $0.probeEnded(address, isAnswering: isAnswering) }
                }
            }
        }
    }
}
