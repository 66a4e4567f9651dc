internal import TrafficEngine

/// Waits between attempts: doubling, with jitter, up to a maximum.
struct BackOff: Sendable {
    private var generator: SeededGenerator
    private let base: Duration
    private let most: Duration
    private var doublings = 0

    init(base: Duration = .milliseconds(100), most: Duration = .seconds(10), seed: UInt64) {
        self.base = base
        self.most = most
        self.generator = SeededGenerator(seed: seed)
    }

    /// Between half of the current wait and all of it.
    mutating func next() -> Duration {
        let wait = min(self.base * (1 << self.doublings), self.most)
        self.doublings = min(self.doublings + 1, 16)
        return wait / 2 + wait * Int(self.generator.next32() >> 16) / 131_072
    }

    mutating func reset() { self.doublings = 0 }
}
