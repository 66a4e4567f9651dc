/// A block of addresses, `10.0.0.0/8` or `2001:db8::/32`; a single address is a block of full length.
package struct CIDR: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The first address of the block; bits past the prefix are zero.
    package let network: IPAddress
    /// Leading bits that are fixed: 0...32 or 0...128.
    package let prefixLength: Int

    /// The block of `prefixLength` bits around `address`; `nil` if the length does not fit the family.
    package init?(address: IPAddress, prefixLength: Int) {
        guard (0...address.bitCount).contains(prefixLength) else { return nil }
        self.network = address.masked(prefixLength)
        self.prefixLength = prefixLength
    }

    /// The block that holds just this address.
    package init(_ address: IPAddress) {
        self.network = address
        self.prefixLength = address.bitCount
    }

    /// Parses `address` or `address/length`; bits past the prefix are cleared, as routers do.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first, let address = IPAddress(String(first)) else { return nil }
        switch parts.count {
        case 1: self.init(address)
        case 2:
            guard parts[1].utf8.allSatisfy({ (48...57).contains($0) }), let length = Int(parts[1]) else { return nil }
            self.init(address: address, prefixLength: length)
        default: return nil
        }
    }

    package var isSingleAddress: Bool { self.prefixLength == self.network.bitCount }

    package func contains(_ address: IPAddress) -> Bool {
        address.bitCount == self.network.bitCount && address.masked(self.prefixLength) == self.network
    }

    package var description: String { "\(self.network)/\(self.prefixLength)" }

    package static func < (left: CIDR, right: CIDR) -> Bool {
        (left.network, left.prefixLength) < (right.network, right.prefixLength)
    }
}

extension IPAddress {
    /// The address with all but the first `length` bits cleared; `length` fits the family.
    fileprivate func masked(_ length: Int) -> IPAddress {
        switch self {
        case .v4(let bits): .v4(length == 0 ? 0 : bits & (~0 << (32 - length)))
        case .v6(let high, let low):
            .v6(
                high: length >= 64 ? high : (length == 0 ? 0 : high & (~0 << (64 - length))),
                low: length <= 64 ? 0 : low & (~0 << (128 - length))
            )
        }
    }
}
