/// The blocks that addresses of the mesh's own making come from; nothing outside answers there, and interception leads
/// all of it to the proxy.
package struct VirtualAddressRanges: Hashable, Sendable {
    /// Of hosts that a ServiceEntry names without an address; one each, the same for the whole mesh. Class E and the
    /// block for benchmarks, as in Istio (facts 1c).
    package var allocatedV4: CIDR
    package var allocatedV6: CIDR
    /// Of names under a wildcard, given by each proxy for itself when the name is looked up.
    package var mintedV4: CIDR
    package var mintedV6: CIDR
    /// Of services that other clusters alone have, where something here has their address.
    package var remoteV4: CIDR

    /// 240.240.0.0/16 and 2001:2::/48; 240.241.0.0/16 and 2001:2:1::/48; 240.242.0.0/16.
    package init() {
        self.allocatedV4 = Self.block(.v4(0xF0F0_0000), 16)
        self.allocatedV6 = Self.block(.v6(high: 0x2001_0002_0000_0000, low: 0), 48)
        self.mintedV4 = Self.block(.v4(0xF0F1_0000), 16)
        self.mintedV6 = Self.block(.v6(high: 0x2001_0002_0001_0000, low: 0), 48)
        self.remoteV4 = Self.block(.v4(0xF0F2_0000), 16)
    }

    package var all: [CIDR] {
        [self.allocatedV4, self.allocatedV6, self.mintedV4, self.mintedV6, self.remoteV4]
    }

    /// Whether a ServiceEntry's host may have this address.
    package func allocates(_ address: IPAddress) -> Bool {
        self.allocatedV4.contains(address) || self.allocatedV6.contains(address)
    }

    /// Every reason why these cannot be used; empty if they can.
    package var mistakes: [String] {
        var found: [String] = []
        let named = [
            ("allocated IPv4", self.allocatedV4), ("allocated IPv6", self.allocatedV6),
            ("minted IPv4", self.mintedV4), ("minted IPv6", self.mintedV6), ("remote IPv4", self.remoteV4),
        ]
        for (name, block) in named {
            // Two addresses at least, and a number of them that fits a machine word.
            let isSix = block.network.bitCount == 128
            if isSix != name.hasSuffix("6") { found.append("the \(name) range \(block) is of the other family") }
            let lengths = isSix ? 8...126 : 8...30
            if !lengths.contains(block.prefixLength) {
                found.append(
                    "the \(name) range \(block) needs a prefix length of \(lengths.lowerBound) to \(lengths.upperBound)"
                )
            }
        }
        for (index, (name, block)) in named.enumerated() {
            for (other, otherBlock) in named.dropFirst(index + 1) where block.overlaps(otherBlock) {
                found.append("the \(name) range \(block) and the \(other) range \(otherBlock) overlap")
            }
        }
        return found
    }

    private static func block(_ address: IPAddress, _ length: Int) -> CIDR {
        CIDR(address: address, prefixLength: length) ?? CIDR(address)
    }
}

extension CIDR {
    package func overlaps(_ other: CIDR) -> Bool {
        self.contains(other.network) || other.contains(self.network)
    }
}
