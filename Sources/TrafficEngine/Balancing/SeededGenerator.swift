/// A small generator (SplitMix64) whose sequence follows from its seed, so that every choice can be replayed in a test.
///
/// For balancing and jitter only: it can be predicted.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { self.state = seed }

    package mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is more than 0.
    package mutating func below(_ bound: Int) -> Int {
        Int(truncatingIfNeeded: self.below(UInt64(truncatingIfNeeded: bound)))
    }

    /// A number below `bound`, which is more than 0.
    package mutating func below(_ bound: UInt64) -> UInt64 {
        self.next().multipliedFullWidth(by: bound).high
    }

    package mutating func next32() -> UInt32 { UInt32(truncatingIfNeeded: self.next() >> 32) }
}
