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
    /// Questions refused because too many were under way.
    package var overloaded: UInt64 = 0
    /// From the question to the other server's answer (`dns_upstream_request_duration_seconds`).
    package var upstreamDuration = DNSDurationHistogram()

    package init() {}
}

/// Durations in buckets, as Prometheus wants them.
package struct DNSDurationHistogram: Hashable, Sendable {
    /// Upper bounds in seconds; the last bucket has none.
    package static let bounds: [Double] = [0.001, 0.005, 0.01, 0.1, 1, 5]

    /// How many fell into each bucket, not cumulative.
    package private(set) var counts = [UInt64](repeating: 0, count: Self.bounds.count + 1)
    /// The sum of all, in seconds.
    package private(set) var sum: Double = 0
    package var count: UInt64 { self.counts.reduce(0, +) }

    package init() {}

    package mutating func record(nanoseconds: Int64) {
        let seconds = Double(nanoseconds) / 1e9
        self.counts[Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count] += 1
        self.sum += seconds
    }
}
