package import KubernetesAPI

/// The session of a handler with its adapter: whether there is one, and when to ask for another.
///
/// A call that an adapter fails may have failed because the adapter was started anew and has forgotten its sessions, or
/// because of what is in the call. So another session is opened, while all others go on with the one that there is. If
/// the call fails in that, too, it is the call's fault, and for a while nobody gets another session: requests are made
/// by clients, and one of them must not be able to have a session opened for each.
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
        /// Calls that fail before the moment have themselves to blame; `nil`: there is none.
        case open(id: String, trustedUntil: Duration?)
        /// Another one is being opened.
        case renewing(id: String)
        case failed(PolicyStatus, until: Duration)
        case closed
    }

    private var state = State.none
    private var backOff: BackOff
    /// Calls under way, by session.
    private var callCounts: [String: Int] = [:]
    /// Sessions that are to be closed when their last call has ended.
    private var replaced: Set<String> = []

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
        case .open(let id, _), .renewing(let id): return .use(id)
        case .failed(let status, let until):
            if now < until { return .fail(status) }
        case .closed: return .fail(Self.gone)
        }
        self.state = .opening
        return .open
    }

    /// The adapter has failed a call in this session, with `status`, and the call may be made again in another.
    package mutating func wantedInstead(of id: String, _ status: PolicyStatus, at now: Duration) -> OnWanted {
        switch self.state {
        case .open(let current, let trustedUntil):
            guard current == id else { return .use(current) }
            if let trustedUntil, now < trustedUntil { return .fail(status) }
            self.state = .renewing(id: id)
            return .open
        case .renewing(let current): return current == id ? .wait : .use(current)
        case .opening: return .wait
        case .none, .failed, .closed: return .fail(status)
        }
    }

    /// - Returns: A session that is to be closed.
    package mutating func opened(_ id: String) -> String? {
        switch self.state {
        case .opening:
            self.backOff.reset()
            self.state = .open(id: id, trustedUntil: nil)
            return nil
        case .renewing(let old):
            self.state = .open(id: id, trustedUntil: nil)
            guard old != id else { return nil }
            if self.callCounts[old] == nil { return old }
            self.replaced.insert(old)
            return nil
        case .open(id, _): return nil
        // Nobody has asked for it, or nobody does any more.
        case .none, .open, .failed, .closed: return id
        }
    }

    package mutating func openingFailed(_ status: PolicyStatus, at now: Duration) {
        switch self.state {
        case .opening: self.state = .failed(status, until: now + self.backOff.next())
        case .renewing(let id): self.state = .open(id: id, trustedUntil: now + self.backOff.next())
        case .none, .open, .failed, .closed: ()
        }
    }

    // MARK: Calls

    package mutating func began(_ id: String) { self.callCounts[id, default: 0] += 1 }

    /// - Returns: A session that is to be closed.
    package mutating func ended(_ id: String) -> String? {
        let count = (self.callCounts[id] ?? 0) - 1
        self.callCounts[id] = count > 0 ? count : nil
        return count > 0 ? nil : self.replaced.remove(id)
    }

    /// A call that had failed in another session has not in this one: it was the session.
    package mutating func helped(_ id: String) {
        guard case .open(id, _) = self.state else { return }
        self.backOff.reset()
        self.state = .open(id: id, trustedUntil: nil)
    }

    /// A call that had failed in another session has failed in this one, too: it was the call.
    package mutating func trusted(_ id: String, at now: Duration) {
        guard case .open(id, let until) = self.state else { return }
        // Of many such calls at once one counts.
        if let until, now < until { return }
        self.state = .open(id: id, trustedUntil: now + self.backOff.next())
    }

    /// No more calls come. The sessions that are to be closed.
    package mutating func closed() -> [String] {
        defer {
            self.state = .closed
            self.replaced = []
        }
        switch self.state {
        case .open(let id, _), .renewing(let id): return [id] + self.replaced.sorted()
        case .none, .opening, .failed, .closed: return self.replaced.sorted()
        }
    }

    static let gone = PolicyStatus(.unavailable, "the handler is not in use any more")
}
