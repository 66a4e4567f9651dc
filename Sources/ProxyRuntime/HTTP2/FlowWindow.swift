/// How much may be sent, or is left to receive, on a stream or connection (RFC 9113 section 6.9).
package struct FlowWindow: Hashable, Sendable {
    package static let initialSize = 65_535
    package static let sizeMax = 0x7FFF_FFFF

    /// Negative after a peer has made its initial window smaller.
    package private(set) var size: Int

    package init(size: Int = Self.initialSize) { self.size = size }

    /// Takes what is sent or received; `false`: it was not there, and nothing is taken.
    package mutating func take(_ count: Int) -> Bool {
        guard count <= self.size else { return false }
        self.size -= count
        return true
    }

    /// Adds what a WINDOW_UPDATE says; `false`: over the limit.
    package mutating func add(_ count: Int) -> Bool {
        guard self.size + count <= Self.sizeMax else { return false }
        self.size += count
        return true
    }
}

/// The receiving side: knows what was passed on, and when it is worth telling the peer.
package struct ReceiveWindow: Hashable, Sendable {
    private var window: FlowWindow
    private let size: Int
    /// Passed on, and the peer was not told.
    private var credit = 0
    /// Received and not passed on.
    package private(set) var held = 0

    package init(size: Int) {
        self.size = size
        self.window = FlowWindow(size: size)
    }

    /// Flow-controlled bytes came; `false`: more than were allowed.
    package mutating func received(_ count: Int) -> Bool {
        guard self.window.take(count) else { return false }
        self.held += count
        return true
    }

    /// Bytes were passed on; returns by how much to update the peer's window, 0 for not yet.
    package mutating func passedOn(_ count: Int) -> Int {
        let count = min(count, self.held)
        self.held -= count
        self.credit += count
        // Half a window at a time: no update for short messages, and no stall for long ones.
        guard self.credit > 0, self.credit * 2 >= self.size else { return 0 }
        defer { self.credit = 0 }
        return self.window.add(self.credit) ? self.credit : 0
    }
}
