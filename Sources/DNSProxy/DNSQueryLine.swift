package import DNSWire

/// One question and what its asker got, for a log that somebody has asked for.
package struct DNSQueryLine: Hashable, Sendable {
    /// Where the answer came from.
    package enum Outcome: String, Hashable, Sendable {
        /// The table of names.
        case local
        /// Another server, just now.
        case forwarded
        /// Another server, before.
        case cached
        /// Another server, too long ago, since none answers now.
        case stale
        /// Nobody answered, or the table is not there yet.
        case failed
        /// It was our own question.
        case loop
    }

    package var question: DNSQuestion
    package var outcome: Outcome
    package var code: DNSResponseCode
    /// Records in the answer.
    package var answers: Int
    package var isTruncated: Bool
    package var overTCP: Bool
    package var duration: Duration

    /// Where lines go; called on the server's event loop, which it must not keep.
    package typealias Log = @Sendable (DNSQueryLine) -> Void
}
