package import KubernetesAPI

/// The session of a handler with its adapter: whether there is one, and when to ask for another.
///
/// A session that no call has succeeded with and that is lost again counts as a failure, so that an adapter which
/// forgets every session at once is not asked for a new one with each request.
package struct SessionMachine: Sendable {
    package enum OnWanted: Sendable, Equatable {
        case use(String)
        /// It is to be opened, and waited for.
        case open
        /// Somebody opens it.
        case wait
        case fail(PolicyStatus)
    }

    private enum State: Sendable {
        case none
        case opening
        case open(id: String, isProven: Bool)
        case failed(PolicyStatus, until: Duration)
        case closed
    }

    private var state = State.none
    private var backOff: BackOff

    package init(backOff: BackOff) { self.backOff = backOff }

    /// Waits of 100 ms to 10 s.
    package init(seed: UInt64) {
        self.init(backOff: BackOff(base: .milliseconds(100), max: .seconds(10), seed: seed))
    }

    /// A call needs a session.
    package mutating func wanted(at now: Duration) -> OnWanted {
        switch self.state {
        case .none: ()
        case .opening: return .wait
        case .open(let id, _): return .use(id)
        case .failed(let status, let until):
            if now < until { return .fail(status) }
        case .closed: return .fail(Self.gone)
        }
        self.state = .opening
        return .open
    }

    package mutating func opened(_ id: String) {
        guard case .opening = self.state else { return }
        self.state = .open(id: id, isProven: false)
    }

    package mutating func openingFailed(_ status: PolicyStatus, at now: Duration) {
        guard case .opening = self.state else { return }
        self.state = .failed(status, until: now + self.backOff.next())
    }

    /// The adapter has answered a call in this session.
    package mutating func proven(_ id: String) {
        guard case .open(id, false) = self.state else { return }
        self.backOff.reset()
        self.state = .open(id: id, isProven: true)
    }

    /// The adapter may not know this session any more.
    package mutating func lost(_ id: String, _ status: PolicyStatus, at now: Duration) {
        guard case .open(id, let isProven) = self.state else { return }
        self.state = isProven ? .none : .failed(status, until: now + self.backOff.next())
    }

    /// No more calls come. The session that is to be closed, if there is one.
    package mutating func closed() -> String? {
        defer { self.state = .closed }
        if case .open(let id, _) = self.state { return id }
        return nil
    }

    static let gone = PolicyStatus(.unavailable, "the handler is not in use any more")
}
