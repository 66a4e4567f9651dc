/// What all senders together may take of a server of stat messages, and what was refused of them. A value without clock or
/// sockets.
package struct StatIntake: Sendable {
    /// Why something was refused.
    package enum Refusal: String, Sendable, Hashable, CaseIterable {
        /// As many are connected as may be.
        case connection
        /// A frame that is no stat message, or says too much.
        case frame
        /// Messages that have begun and do not end hold as much as they may.
        case unfinished
    }

    package struct Limits: Sendable, Hashable {
        package var connectionsMax = 10_000
        /// Bytes of messages that have not ended, over all connections.
        package var unfinishedMax = 64 << 20
        /// A connection may have so many of them whatever others do: the messages of most senders.
        package var unfinishedShare = 16 << 10

        package init() {}
    }

    private static let logInterval: Duration = .seconds(10)

    private let limits: Limits
    private var connections = 0
    private var unfinished = 0
    private var logged: [Refusal: Duration] = [:]
    /// What was refused since the start.
    package private(set) var refusals: [Refusal: UInt64] = [:]

    package init(limits: Limits = Limits()) { self.limits = limits }

    /// Somebody connects. `false`: there is no room for it, and it does not count.
    package mutating func opened() -> Bool {
        guard self.connections < self.limits.connectionsMax else { return false }
        self.connections += 1
        return true
    }

    /// A connection has ended, that had so many bytes of a message that has not.
    package mutating func closed(unfinished: Int) {
        self.connections -= 1
        self.ended(unfinished)
    }

    /// So many bytes have come by a connection that has `unfinished` with them. `false`: it may not have them.
    package mutating func received(_ count: Int, unfinished: Int) -> Bool {
        self.unfinished += count
        return unfinished <= self.limits.unfinishedShare || self.unfinished <= self.limits.unfinishedMax
    }

    /// So many bytes are no part of an unfinished message any more.
    package mutating func ended(_ count: Int) { self.unfinished -= count }

    /// Something was refused. Says whether that is worth a line in the log now.
    package mutating func refused(_ refusal: Refusal, at now: Duration) -> Bool {
        self.refusals[refusal, default: 0] += 1
        if let last = self.logged[refusal], now - last < Self.logInterval { return false }
        self.logged[refusal] = now
        return true
    }
}
