/// What a DNS server and its forwarder have done, as plain counters.
package struct DNSStatistics: Hashable, Sendable {
    /// Messages that came in and were answered, or are being worked on (`dns_requests_total`).
    package var requests: UInt64 = 0
    /// Answered out of the table.
    package var answeredLocally: UInt64 = 0
    /// Refused for their form.
    package var malformed: UInt64 = 0
    /// Answered over UDP with TC, so that the client comes back over TCP.
    package var truncated: UInt64 = 0
    /// TCP connections closed at once because there were too many.
    package var connectionsRefused: UInt64 = 0
    /// Questions that came back to us from ourselves.
    package var loops: UInt64 = 0
    /// Questions sent to another server, tries counted each (`dns_upstream_requests_total`).
    package var upstreamRequests: UInt64 = 0
    /// Questions that no server answered (`dns_upstream_failures_total`).
    package var upstreamFailures: UInt64 = 0
    /// Questions that waited for the answer to an equal one.
    package var joined: UInt64 = 0
    /// Tries given up early because too many were open.
    package var triesDropped: UInt64 = 0
    /// Questions refused because too many were under way.
    package var overloaded: UInt64 = 0
    /// Answered out of the cache of other servers' answers.
    package var cacheHits: UInt64 = 0
    /// The same, with the answer that there is no such name or record.
    package var cacheNegativeHits: UInt64 = 0
    /// Questions about which nothing was known that still holds.
    package var cacheMisses: UInt64 = 0
    /// Answers out of date, given because nobody had a better one in time.
    package var staleAnswers: UInt64 = 0
    /// Clients answered with what another server has just said.
    package var forwardedAnswers: UInt64 = 0
    /// Clients told that nobody answers; those among them that were told so without asking anybody again.
    package var serverFailures: UInt64 = 0
    package var failuresCached: UInt64 = 0
    /// Questions asked before a client needed the answer.
    package var prefetches: UInt64 = 0
    /// Messages of other servers, or of forgers, that were no answer to what was asked.
    package var forged: [UpstreamQuestion.Forgery: UInt64] = [:]
    /// Records left out of answers because nobody had asked for them.
    package var strangers: UInt64 = 0
    package var cacheEntries = 0
    package var cacheBytes = 0
    /// Answers that left the cache because there was no room.
    package var cacheEvictions: UInt64 = 0
    /// What each of the other servers did.
    package var upstreams: [DNSUpstream: UpstreamHealth.Server] = [:]
    /// From the question to the other server's answer (`dns_upstream_request_duration_seconds`).
    package var upstreamDuration = DNSDurationHistogram()

    package init() {}

    /// Adds what a server without upstreams counts.
    mutating func add(_ other: DNSStatistics) {
        self.requests += other.requests
        self.answeredLocally += other.answeredLocally
        self.truncated += other.truncated
        self.overloaded += other.overloaded
    }
}

/// Durations in buckets, as Prometheus wants them.
package struct DNSDurationHistogram: Hashable, Sendable {
    /// Upper bounds in seconds; the last bucket has none.
    package static let bounds: [Double] = [0.001, 0.005, 0.01, 0.1, 1, 5]

    /// How many fell into each bucket, not cumulative.
    package private(set) var counts = [UInt64](repeating: 0, count: Self.bounds.count + 1)
    /// The sum of all, in nanoseconds.
    private var sum: Int64 = 0
    package var sumMicroseconds: Int { Int(self.sum / 1000) }
    package var count: UInt64 { self.counts.reduce(0, +) }

    package init() {}

    package mutating func record(nanoseconds: Int64) {
        let seconds = Double(nanoseconds) / 1e9
        self.counts[Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count] += 1
        self.sum &+= nanoseconds
    }
}
