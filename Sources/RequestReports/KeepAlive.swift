/// When a WebSocket's client asks whether the other side is there, and when it takes it for gone.
package struct KeepAlive: Sendable {
    package enum OnTick: Sendable, Hashable { case ping, close }

    package let pongTimeout: Duration
    private var lastPong: Duration

    /// Begins with the connection, at `now`.
    package init(pongTimeout: Duration = .seconds(10), at now: Duration) {
        self.pongTimeout = pongTimeout
        self.lastPong = now
    }

    /// Three pings within the time in which one must be answered.
    package var interval: Duration { self.pongTimeout / 3 }

    package mutating func pongReceived(at now: Duration) { self.lastPong = now }

    /// The interval has passed once more.
    package func tick(at now: Duration) -> OnTick { now - self.lastPong > self.pongTimeout ? .close : .ping }
}
