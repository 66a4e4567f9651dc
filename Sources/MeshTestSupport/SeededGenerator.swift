/// Random numbers that a seed determines: a failing test prints its seed, and the seed replays it.
///
/// The algorithm is SplitMix64 (Steele, Lea, Flood, 2014), which is small and good enough to vary inputs.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) {
        self.state = seed
    }

    package mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// A number out of `range`.
    package mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

    /// True `times` out of `outOf`.
    package mutating func chance(_ times: Int, outOf: Int) -> Bool { self.number(1...outOf) <= times }

    package mutating func bytes(count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) }
    }

    /// Lower-case letters and digits.
    package mutating func word(length: ClosedRange<Int>) -> String {
        let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789".utf8)
        let word = (0..<self.number(length)).map { _ in letters[self.number(0...letters.count - 1)] }
        return String(decoding: word, as: UTF8.self)
    }
}
