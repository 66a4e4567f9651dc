internal import MeshModel
internal import NIOCore
internal import NIOPosix
internal import Synchronization
internal import TrafficEngine

/// The requests for one revision over all loops: they wait in the order in which they came, whichever loop they are on.
///
/// Only clusters that stand for a revision have one, so that the lock concerns no other traffic. One on the side of callers
/// has the revision's pods to choose from; one of a pod has that pod alone, whose proxy this is.
final class WaitingRoom: Sendable {
    /// A request that waits, and where to find it again.
    struct Waiter: Sendable {
        var loop: any EventLoop
        var exchange: NIOLoopBound<ServerExchange>

        init(_ exchange: ServerExchange) {
            self.loop = exchange.worker.loop
            self.exchange = NIOLoopBound(exchange, eventLoop: exchange.worker.loop)
        }
    }

    private struct State {
        var requests: HeldRequests<Waiter>
        var statistics = ActivationStatistics()
        /// The ways to the pods, as all loops know them.
        var ways = RevisionWays()
        var starting = StartingPods()
        /// Activators: what they send has been reported.
        var reporters: Set<IPAddress> = []
    }

    let revision: ObjectID
    let side: RevisionActivation.Side
    private let reporter: (any ActivationReporting)?
    /// Asks pods that are starting.
    private let loop: any EventLoop
    private let start = NIODeadline.now()
    private let state: Mutex<State>

    /// A connection to a pod that starts is made in this time, or not at all.
    private static let askTimeout = TimeAmount.milliseconds(300)
    /// A first request is often one of many: those that wait are told so long after it, and again after twice as long, until
    /// the next regular report.
    private static let (earlyMin, earlyMax) = (TimeAmount.milliseconds(50), TimeAmount.milliseconds(400))

    init(
        _ revision: ObjectID,
        _ side: RevisionActivation.Side,
        waitingMax: Int,
        reporter: (any ActivationReporting)?,
        loop: any EventLoop
    ) {
        self.revision = revision
        self.side = side
        self.reporter = reporter
        self.loop = loop
        // Where there is a pod nobody has to be woken.
        self.state = Mutex(
            State(requests: HeldRequests(waitingMax: waitingMax, tellsFirst: side == .callers, at: .zero))
        )
    }

    /// The autoscaler hears of the requests from here.
    var reports: Bool { self.reporter != nil }

    private var now: Duration { .nanoseconds((NIODeadline.now() - self.start).nanoseconds) }

    /// A request has come by this cluster; called on its loop. The preferred pod gets it if it has room.
    func enter(
        _ exchange: ServerExchange,
        by cluster: ClusterID,
        preferring preferred: RevisionPod?,
        isProxied: Bool
    ) -> HeldRequests<Waiter>.OnArrival {
        let now = self.now
        let waiter = Waiter(exchange)
        let (action, isFirst) = self.state.withLock { state in
            let outcome = state.requests.arrived(
                by: cluster,
                preferring: preferred,
                isProxied: isProxied,
                at: now
            ) { _ in waiter }
            switch outcome.action {
            case .go: ()
            case .wait: state.statistics.held += 1
            case .refuse: state.statistics.refused += 1
            }
            return outcome
        }
        if isFirst, let reporter {
            let first = ActivationReport(concurrency: 1, requests: 1, isEarly: true)
            reporter.report(self.revision, first, by: self.side)
            self.reportEarly(after: Self.earlyMin)
        }
        if case .wait = action { self.askPods() }
        return action
    }

    /// A place in another pod instead of this one; `nil`: none has room.
    func move(from place: PodPlaces.Place, by cluster: ClusterID) -> PodPlaces.Place? {
        guard let moved = self.state.withLock({ $0.requests.moved(from: place, by: cluster) }) else { return nil }
        self.call(moved.released)
        return moved.place
    }

    /// A request cannot use its place, and waits again; `nil`: it may not, and keeps the place.
    func enterAgain(
        _ exchange: ServerExchange,
        from place: PodPlaces.Place,
        by cluster: ClusterID,
        isProxied: Bool
    ) -> HeldRequests<Waiter>.ID? {
        let waiter = Waiter(exchange)
        let returned = self.state.withLock {
            $0.requests.returned(place, by: cluster, isProxied: isProxied) { _ in waiter }
        }
        guard let returned else { return nil }
        self.call(returned.released)
        self.askPods()
        return returned.id
    }

    /// A pod took no connection for a request of this cluster.
    func refused(_ place: PodPlaces.Place, by cluster: ClusterID) {
        self.state.withLock { state in
            let ways = state.ways
            state.requests.refused(place)
            state.starting.refused(place.pod, at: ways.address(of: place.pod, by: cluster))
        }
    }

    /// Who waited has gone, since its time has run out, or since its client has. One that has been let go meanwhile gives
    /// its place back when it hears of it.
    func left(_ id: HeldRequests<Waiter>.ID, isLate: Bool) {
        let now = self.now
        self.state.withLock { state in
            if state.requests.left(id, at: now), !isLate { state.statistics.left += 1 }
        }
    }

    /// Who waited goes on, so long after it came.
    func served(afterNanoseconds waited: UInt64) {
        self.state.withLock { $0.statistics.durations.record(nanoseconds: Int(clamping: waited)) }
    }

    /// A place is free again.
    func finished(_ place: PodPlaces.Place?, isProxied: Bool) {
        let now = self.now
        self.call(self.state.withLock { $0.requests.finished(place, isProxied: isProxied, at: now) })
    }

    /// Whether an activator is known to be at the address.
    func isReporter(_ address: IPAddress) -> Bool { self.state.withLock { $0.reporters.contains(address) } }

    /// What is known of the revision's pods, and of activators, on all loops.
    func use(_ ways: RevisionWays, reporters: Set<IPAddress>) {
        self.call(
            self.state.withLock { state in
                state.ways = ways
                state.reporters = reporters
                let pods = ways.pods
                state.starting.changed(ready: pods.ready, others: pods.others)
                return Self.release(&state)
            }
        )
        self.askPods()
    }

    private static func release(_ state: inout State) -> [HeldRequests<Waiter>.Release] {
        let ways = state.ways
        return state.requests.changed(
            ways.shares(answering: state.starting.answering),
            concurrencyMax: ways.concurrencyMax
        )
    }

    // MARK: Pods that take no connection yet

    /// Asks those that are not asked yet, if somebody waits.
    private func askPods() {
        let now = self.now
        let questions = self.state.withLock { state in
            state.requests.waitingCount > 0 ? state.starting.questions(at: now) : []
        }
        for question in questions { self.ask(question) }
    }

    private func ask(_ question: StartingPods.Question) {
        ClientBootstrap(group: self.loop).connectTimeout(Self.askTimeout).connect(to: SocketAddress(question.address))
            .whenComplete { result in
                switch result {
                case .success(let channel):
                    channel.close(promise: nil)
                    self.answered(question, takes: true)
                case .failure: self.answered(question, takes: false)
                }
            }
    }

    private func answered(_ question: StartingPods.Question, takes: Bool) {
        let now = self.now
        let (outcome, released) = self.state.withLock { state in
            let outcome = state.starting.answered(
                question,
                takes: takes,
                isWanted: state.requests.waitingCount > 0,
                at: now
            )
            return (outcome, outcome == .answering ? Self.release(&state) : [])
        }
        switch outcome {
        case .answering: self.call(released)
        case .askAgain(let pause): self.loop.scheduleTask(in: TimeAmount(pause)) { self.ask(question) }
        case .nothing: ()
        }
    }

    // MARK: End

    /// The revision has gone: who waits goes on, and finds that there is nothing.
    func close() { self.call(self.state.withLock { Self.close(&$0) }) }

    /// The loops are about to end, with all that waits: nobody is let go any more, on whichever loop.
    func stop() { _ = self.state.withLock { Self.close(&$0) } }

    private static func close(_ state: inout State) -> [HeldRequests<Waiter>.Release] {
        state.ways = RevisionWays()
        state.starting = StartingPods()
        return state.requests.closed()
    }

    /// Tells the autoscaler what has happened since the last report.
    func report() {
        let now = self.now
        let (released, report) = self.state.withLock { state in
            state.starting.forgiven()
            return (state.requests.retried(except: state.starting.asked), state.requests.report(at: now))
        }
        self.call(released)
        if let report { self.reporter?.report(self.revision, report, by: self.side) }
    }

    /// Tells of those who came with the first request and wait like it.
    private func reportEarly(after pause: TimeAmount) {
        self.loop.scheduleTask(in: pause) {
            let now = self.now
            let (report, isHeld) = self.state.withLock {
                ($0.requests.reportEarly(at: now), $0.requests.waitingCount > 0)
            }
            if let report { self.reporter?.report(self.revision, report, by: self.side) }
            if isHeld, pause < Self.earlyMax { self.reportEarly(after: pause * 2) }
        }
    }

    var statistics: ActivationStatistics {
        self.state.withLock { state in
            var statistics = state.statistics
            statistics.waiting = state.requests.waitingCount
            statistics.inFlight = state.requests.inFlightCount
            return statistics
        }
    }

    private func call(_ released: [HeldRequests<Waiter>.Release]) {
        for release in released {
            release.waiter.loop.execute {
                release.waiter.exchange.value.placeGiven(
                    by: self,
                    release.id,
                    release.place,
                    isProxied: release.isProxied
                )
            }
        }
    }
}
