package import DNSWire
package import MeshModel

/// Follows the aliases of an answer from the name asked for to its addresses.
package struct AliasChain: Hashable, Sendable {
    package private(set) var addresses: [IPAddress] = []
    /// The last name of the chain.
    package private(set) var end: DNSName
    /// The shortest time of all records on the way; `UInt32.max` if there is none.
    package private(set) var ttl = UInt32.max
    /// For how long it may be kept that there is no address (RFC 2308 section 5).
    package private(set) var negativeTTL: UInt32

    /// Aliases in one answer; more than that is a loop.
    private static let stepsMax = 16

    package init(_ message: DNSMessage, from name: DNSName, _ type: DNSType) {
        self.end = name
        self.negativeTTL = DNSTable.negativeTTL
        for record in message.authorities {
            guard case .soa(let start) = record.data else { continue }
            self.negativeTTL = min(record.ttl, start.minimum)
        }
        for _ in 0..<Self.stepsMax {
            let current = self.end
            let alias = message.answers.first { $0.name == current && $0.data.type == .cname }
            guard let alias, case .cname(let target) = alias.data else { break }
            self.end = target
            self.ttl = min(self.ttl, alias.ttl)
        }
        for record in message.answers where record.name == self.end {
            switch (record.data, type) {
            case (.a(let bits), .a): self.addresses.append(.v4(bits))
            case (.aaaa(let high, let low), .aaaa): self.addresses.append(.v6(high: high, low: low))
            default: continue
            }
            self.ttl = min(self.ttl, record.ttl)
        }
    }
}
