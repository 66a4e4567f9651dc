/// The usable addresses of a block, numbered, and the order in which a host tries them.
///
/// Where a host begins and how it goes on depends on its name alone, so that control planes that never heard of each
/// other give the same address unless two names meet in one place.
package struct AddressSlots: Sendable {
    package let block: CIDR
    /// How many addresses may be given: one at least.
    package let count: UInt64
    /// Of IPv4 blocks of 256 addresses or more, `.0` and `.255` are left out: some stacks take them for networks and
    /// broadcasts (facts #31).
    private let skipsEnds: Bool

    package init(_ block: CIDR) {
        self.block = block
        let bits = block.network.bitCount - block.prefixLength
        self.skipsEnds = block.network.bitCount == 32 && bits >= 8
        if bits >= 64 {
            self.count = UInt64.max
        } else if self.skipsEnds {
            self.count = (1 << UInt64(bits - 8)) * 254
        } else {
            // Without the network's own address, and without the broadcast of IPv4. A block that has no others is used
            // all the same: whoever configured it wants it so.
            let size: UInt64 = 1 << UInt64(bits)
            let unusable: UInt64 = block.network.bitCount == 32 ? 2 : 1
            self.count = size > unusable ? size - unusable : 1
        }
    }

    /// The address of a slot below ``count``.
    package func address(_ slot: UInt64) -> IPAddress {
        if self.block.prefixLength == self.block.network.bitCount { return self.block.network }
        switch self.block.network {
        case .v4(let network):
            let offset = self.skipsEnds ? slot / 254 * 256 + slot % 254 + 1 : slot + 1
            return .v4(network | UInt32(truncatingIfNeeded: offset))
        case .v6(let high, let low): return .v6(high: high, low: low | (slot + 1))
        }
    }

    /// Every slot once, in the order in which the host of this name tries them.
    package func slots(for name: String) -> some Sequence<UInt64> {
        let start = Self.hash(name, seed: 0xCBF2_9CE4_8422_2325) % self.count
        // A step without a common divisor visits all slots before the first again.
        var step = self.count == 1 ? 1 : 1 + Self.hash(name, seed: 0x9E37_79B9_7F4A_7C15) % (self.count - 1)
        while Self.greatestCommonDivisor(step, self.count) != 1 { step = step % (self.count - 1) + 1 }
        var tried: UInt64 = 0
        var slot = start
        return AnySequence {
            AnyIterator<UInt64> { [count = self.count] in
                if tried == count { return nil }
                defer {
                    tried += 1
                    // Without an overflow where the block has more addresses than half a machine word counts.
                    slot = slot >= count - step ? slot - (count - step) : slot + step
                }
                return slot
            }
        }
    }

    /// FNV-1a, with a last mix because its low bits alone spread names that differ in the last letter badly.
    private static func hash(_ text: String, seed: UInt64) -> UInt64 {
        var hash = seed
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        hash = (hash ^ (hash >> 33)) &* 0xFF51_AFD7_ED55_8CCD
        return hash ^ (hash >> 33)
    }

    private static func greatestCommonDivisor(_ first: UInt64, _ second: UInt64) -> UInt64 {
        var (first, second) = (first, second)
        while second != 0 { (first, second) = (second, first % second) }
        return first
    }
}
