internal import DNSWire
internal import MeshModel

/// What a table knows of one host. Immutable, so that old and new tables share it.
///
/// Names that only follow from the host — of its instances, of its ports, short ones — are worked out when they are
/// asked for: a table takes memory for each host and not for each name.
final class HostEntry: Sendable {
    struct SixBits: Hashable, Sendable {
        var high: UInt64
        var low: UInt64
    }

    /// A named port, for SRV records.
    struct Port: Hashable, Sendable {
        /// The labels before the host's name, `_mysql._tcp`, as a name.
        var owner: DNSName
        var port: UInt16
    }

    /// A name below the host's own with one address.
    struct Instance: Hashable, Sendable {
        /// The labels before the host's name, as a name.
        var label: DNSName
        var address: IPAddress
    }

    /// In lower case; of a wildcard the part behind the star.
    let name: DNSName
    let isWildcard: Bool
    let isKubernetes: Bool
    /// Whether the name begins with the Service's name, its namespace and `svc`, so that short names lead to it.
    let hasShortNames: Bool
    let v4: [UInt32]
    let v6: [SixBits]
    let alias: DNSName?
    let ports: [Port]
    /// Sorted by label.
    let instances: [Instance]

    /// - Returns: `nil` for a host that no name leads to: its name is no domain name, or it is known by name only and
    ///   is resolved elsewhere.
    init?(_ host: DNSHost) {
        guard let name = DNSName(host.name)?.lowercased, !name.isRoot else { return nil }
        let alias = host.alias.flatMap { DNSName($0)?.lowercased }
        self.isWildcard = name.isWildcard
        if name.isWildcard {
            guard let suffix = name.parent, !suffix.isRoot else { return nil }
            self.name = suffix
        } else {
            self.name = name
        }
        switch host.registry {
        case .external:
            guard alias != nil || !host.addresses.isEmpty else { return nil }
            self.isKubernetes = false
            self.hasShortNames = false
        case .kubernetes(let short, let namespace):
            self.isKubernetes = true
            let start = DNSName("\(short).\(namespace).svc")?.lowercased.wire.dropLast()
            self.hasShortNames = !name.isWildcard && start.map { name.wire.starts(with: $0) } ?? false
        }
        self.alias = alias
        var v4: [UInt32] = []
        var v6: [SixBits] = []
        for address in host.addresses { Self.add(address, &v4, &v6) }
        self.v4 = v4
        self.v6 = v6
        self.ports = host.ports.compactMap { port in
            DNSName("_\(port.name)._\(port.transport)").map { Port(owner: $0.lowercased, port: port.port) }
        }
        self.instances = host.instances.sorted { $0.key < $1.key }.compactMap { label, address in
            DNSName(label).map { Instance(label: $0.lowercased, address: address) }
        }
    }

    /// Two external hosts of one name.
    init(_ first: HostEntry, and second: HostEntry) {
        self.name = first.name
        self.isWildcard = first.isWildcard
        self.isKubernetes = false
        self.hasShortNames = false
        self.alias = first.alias ?? second.alias
        self.v4 = first.v4 + second.v4.filter { !first.v4.contains($0) }
        self.v6 = first.v6 + second.v6.filter { !first.v6.contains($0) }
        self.ports = first.ports + second.ports.filter { !first.ports.contains($0) }
        self.instances = first.instances + second.instances.filter { !first.instances.contains($0) }
    }

    private static func add(_ address: IPAddress, _ v4: inout [UInt32], _ v6: inout [SixBits]) {
        switch address {
        case .v4(let bits): if !v4.contains(bits) { v4.append(bits) }
        case .v6(let high, let low):
            let bits = SixBits(high: high, low: low)
            if !v6.contains(bits) { v6.append(bits) }
        }
    }

    /// The whole name of an instance or of a port; `nil` if it is too long.
    func name(below label: DNSName) -> DNSName? { label.appending(self.name) }

    /// The host's addresses and those of its instances, for the way back from address to name.
    var pointers: [(address: IPAddress, instance: Int?)] {
        if self.isWildcard { return [] }
        return self.instances.enumerated().map { ($1.address, $0) } + self.v4.map { (.v4($0), nil) }
            + self.v6.map { (.v6(high: $0.high, low: $0.low), nil) }
    }
}
