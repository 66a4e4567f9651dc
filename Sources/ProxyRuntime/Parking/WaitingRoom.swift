internal import MeshModel
internal import NIOCore
internal import Synchronization
internal import TrafficEngine

/// The requests for one revision over all loops: they wait in the order in which they came, whichever loop they are on.
///
/// Only clusters that stand for a revision have one, so that the lock concerns no other traffic.
final class WaitingRoom: Sendable {
    /// A request that waits, and where to find it again.
    struct Waiter: Sendable {
        var loop: any EventLoop
        var exchange: NIOLoopBound<ServerExchange>
    }

    private struct State {
        var requests: HeldRequests<Waiter>
        var statistics = ActivationStatistics()
    }

    let revision: ObjectID
    private let reporter: (any ActivationReporting)?
    private let start = NIODeadline.now()
    private let state: Mutex<State>

    init(_ revision: ObjectID, reporter: (any ActivationReporting)?) {
        self.revision = revision
        self.reporter = reporter
        self.state = Mutex(State(requests: HeldRequests(at: .zero)))
    }

    private var now: Duration { .nanoseconds((NIODeadline.now() - self.start).nanoseconds) }

    /// A request has come; called on its loop.
    func enter(_ exchange: ServerExchange) -> HeldRequests<Waiter>.OnArrival {
        let now = self.now
        let loop = exchange.worker.loop
        let bound = NIOLoopBound(exchange, eventLoop: loop)
        let (action, isFirst) = self.state.withLock { state in
            let outcome = state.requests.arrived(at: now) { _ in Waiter(loop: loop, exchange: bound) }
            switch outcome.action {
            case .go: ()
            case .wait: state.statistics.held += 1
            case .refuse: state.statistics.refused += 1
            }
            return outcome
        }
        if isFirst { self.reporter?.report(self.revision, concurrency: 1, requests: 1) }
        return action
    }

    /// A request that was let go has found no endpoint on its loop, and waits again; `nil`: the revision has gone.
    func enterAgain(_ exchange: ServerExchange) -> HeldRequests<Waiter>.ID? {
        let loop = exchange.worker.loop
        let bound = NIOLoopBound(exchange, eventLoop: loop)
        return self.state.withLock { $0.requests.returned { _ in Waiter(loop: loop, exchange: bound) } }
    }

    /// Who waited has gone. One that has been let go meanwhile gives its place back when it hears of it.
    func left(_ id: HeldRequests<Waiter>.ID) {
        let now = self.now
        _ = self.state.withLock { $0.requests.left(id, at: now) }
    }

    /// Who waited goes on, so long after it came.
    func served(afterNanoseconds waited: UInt64) {
        self.state.withLock { $0.statistics.durations.record(nanoseconds: Int(clamping: waited)) }
    }

    /// A place is free again.
    func finished() {
        let now = self.now
        self.call(self.state.withLock { $0.requests.finished(at: now) })
    }

    /// What is known of the revision's endpoints, on all loops.
    func use(_ activation: RevisionActivation, endpointCount: Int) {
        self.call(
            self.state.withLock {
                $0.requests.changed(endpointCount: endpointCount, concurrencyMax: activation.concurrencyMax)
            }
        )
    }

    /// The revision has gone: who waits goes on, and finds that there is nothing.
    func close() { self.call(self.state.withLock { $0.requests.closed() }) }

    /// The loops are about to end, with all that waits: nobody is let go any more, on whichever loop.
    func stop() { _ = self.state.withLock { $0.requests.closed() } }

    /// Tells the autoscaler what has happened since the last report.
    func report() {
        let now = self.now
        let (released, report) = self.state.withLock { ($0.requests.retried(), $0.requests.report(at: now)) }
        self.call(released)
        guard let (concurrency, requests) = report else { return }
        self.reporter?.report(self.revision, concurrency: concurrency, requests: requests)
    }

    var statistics: ActivationStatistics {
        self.state.withLock { state in
            var statistics = state.statistics
            statistics.waiting = state.requests.waitingCount
            statistics.inFlight = state.requests.inFlightCount
            return statistics
        }
    }

    private func call(_ released: [(id: HeldRequests<Waiter>.ID, waiter: Waiter)]) {
        for (id, waiter) in released {
            waiter.loop.execute { waiter.exchange.value.placeGiven(by: self, id) }
        }
    }
}

/// The waiting rooms of all revisions that clusters stand for.
final class WaitingRooms: Sendable {
    private let reporter: (any ActivationReporting)?
    private let rooms = Mutex<[ObjectID: WaitingRoom]>([:])

    init(reporter: (any ActivationReporting)?) { self.reporter = reporter }

    func room(for activation: RevisionActivation) -> WaitingRoom {
        self.rooms.withLock { rooms in
            if let room = rooms[activation.revision] { return room }
            let room = WaitingRoom(activation.revision, reporter: self.reporter)
            rooms[activation.revision] = room
            return room
        }
    }

    /// All loops have this state now: who waits finds the endpoints that are counted here, whichever loop it is on.
    func use(_ state: ProxyState) {
        var counts: [RevisionActivation: Int] = [:]
        for case .some(let cluster) in state.clusters {
            guard let activation = cluster.activation, case .endpoints(let endpoints) = cluster.discovery else {
                continue
            }
            // Clusters of several ports of one service have the same pods.
            counts[activation] = max(counts[activation] ?? 0, endpoints.count(where: \.isHealthy))
        }
        let known = Set(counts.keys.map(\.revision))
        let gone = self.rooms.withLock { rooms in
            let gone = rooms.filter { !known.contains($0.key) }
            for revision in gone.keys { rooms[revision] = nil }
            return gone
        }
        for room in gone.values { room.close() }
        for (activation, count) in counts { self.room(for: activation).use(activation, endpointCount: count) }
    }

    /// No loop takes anything after this.
    func stop() { for room in self.all { room.stop() } }

    private var all: [WaitingRoom] { self.rooms.withLock { $0.values.map(\.self) } }

    func report() { for room in self.all { room.report() } }

    /// What happened, by `namespace/name` of the revision.
    var statistics: [String: ActivationStatistics] {
        self.all.reduce(into: [:]) { $0[$1.revision.description] = $1.statistics }
    }
}
