/// Which of the other servers answer, and how fast; those that do not are passed over until a probe finds them back.
///
/// A value: it is told the time and sends nothing.
package struct UpstreamHealth: Sendable {
    /// What is known of one server.
    package struct Server: Hashable, Sendable {
        package internal(set) var requests: UInt64 = 0
        package internal(set) var answers: UInt64 = 0
        /// Silence, refused connections and answers that are none.
        package internal(set) var failures: UInt64 = 0
        /// Times that it was given up.
        package internal(set) var deaths: UInt64 = 0
        /// The usual time from question to answer.
        package internal(set) var roundTrip: Duration?
        package internal(set) var isAlive = true
        /// It does not understand EDNS: until then it is asked without (RFC 6891 section 7).
        package internal(set) var lacksEDNSUntil: Duration?
        /// It changes the case of letters: over TCP it was found to do so, and no forger. Until then it is asked in
        /// small ones.
        package internal(set) var losesCaseUntil: Duration?

        var failuresInRow = 0
        var firstFailure = Duration.zero
        var lastAnswer: Duration?
        var nextProbe = Duration.zero
        var probePause = UpstreamHealth.probePauseMin

        package init() {}
    }

    /// Failures in a row until a server counts as dead; and they must have gone on for a while, since servers are slow
    /// about names whose own servers are.
    package static let failuresMax = 3
    package static let failingMin = Duration.seconds(2)
    /// How long a weakness is taken for granted: servers are mended, and what stands before them is replaced.
    package static let weaknessTime = Duration.seconds(3600)
    static let probePauseMin = Duration.seconds(1)
    static let probePauseMax = Duration.seconds(30)

    package private(set) var servers: [DNSUpstream: Server] = [:]

    package init(_ servers: [DNSUpstream]) {
        for server in servers { self.servers[server] = Server() }
    }

    /// Keeps what is known of servers that stay.
    package mutating func update(_ servers: [DNSUpstream]) {
        var next: [DNSUpstream: Server] = [:]
        for server in servers { next[server] = self.servers[server] ?? Server() }
        self.servers = next
    }

    package func isAlive(_ server: DNSUpstream) -> Bool { self.servers[server]?.isAlive ?? true }
    package func lacksEDNS(_ server: DNSUpstream, now: Duration) -> Bool {
        self.servers[server]?.lacksEDNSUntil.map { now < $0 } ?? false
    }

    package func losesCase(_ server: DNSUpstream, now: Duration) -> Bool {
        self.servers[server]?.losesCaseUntil.map { now < $0 } ?? false
    }

    /// How long to wait for a server before the next one is asked as well.
    package func patience(_ server: DNSUpstream, max limit: Duration) -> Duration {
        guard let roundTrip = self.servers[server]?.roundTrip else { return min(limit, .seconds(1)) }
        return min(max(roundTrip * 4, .milliseconds(250)), limit)
    }

    package mutating func asked(_ server: DNSUpstream) { self.servers[server]?.requests += 1 }

    /// It answered, whatever it said.
    ///
    /// - Parameters:
    ///   - server: who.
    ///   - sent: when it was asked; `nil`: the answer took more than asking, and tells nothing about its speed.
    ///   - now: monotonic time.
    /// - Returns: whether it was dead before.
    @discardableResult
    package mutating func answered(_ server: DNSUpstream, sent: Duration?, now: Duration) -> Bool {
        guard var known = self.servers[server] else { return false }
        known.answers += 1
        known.failuresInRow = 0
        known.lastAnswer = now
        if let sent {
            let time = now - sent
            known.roundTrip = known.roundTrip.map { ($0 * 7 + time) / 8 } ?? time
        }
        let wasDead = !known.isAlive
        known.isAlive = true
        known.probePause = Self.probePauseMin
        self.servers[server] = known
        return wasDead
    }

    /// It was silent, or nobody was there.
    package mutating func failed(_ server: DNSUpstream, sent: Duration, now: Duration) {
        guard var known = self.servers[server] else { return }
        known.failures += 1
        // It did answer somebody else meanwhile: the name is slow, not the server.
        if known.isAlive, let last = known.lastAnswer, last >= sent {
            self.servers[server] = known
            return
        }
        if known.failuresInRow == 0 { known.firstFailure = sent }
        known.failuresInRow += 1
        if known.isAlive, known.failuresInRow >= Self.failuresMax, now - known.firstFailure >= Self.failingMin {
            known.isAlive = false
            known.deaths += 1
            known.probePause = Self.probePauseMin
            known.nextProbe = now + known.probePause
        }
        self.servers[server] = known
    }

    /// It gave a proper answer once it was asked without EDNS.
    package mutating func foundToLackEDNS(_ server: DNSUpstream, now: Duration) {
        self.servers[server]?.lacksEDNSUntil = now + Self.weaknessTime
    }

    package mutating func foundToLoseCase(_ server: DNSUpstream, now: Duration) {
        self.servers[server]?.losesCaseUntil = now + Self.weaknessTime
    }

    package mutating func foundToKeepCase(_ server: DNSUpstream) { self.servers[server]?.losesCaseUntil = nil }

    /// When the next probe is due; `nil`: no server is dead.
    package var nextProbe: Duration? {
        self.servers.values.lazy.filter { !$0.isAlive }.map(\.nextProbe).min()
    }

    /// Dead servers that shall be asked something now; the next time is twice as far, half a minute at most.
    package mutating func probesDue(now: Duration) -> [DNSUpstream] {
        var due: [DNSUpstream] = []
        for (server, known) in self.servers where !known.isAlive && known.nextProbe <= now {
            due.append(server)
            self.servers[server]?.probePause = min(known.probePause * 2, Self.probePauseMax)
            self.servers[server]?.nextProbe = now + min(known.probePause * 2, Self.probePauseMax)
        }
        return due.sorted { $0.description < $1.description }
    }
}
