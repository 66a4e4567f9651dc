internal import DNSWire
package import MeshModel

extension DNSTable {
    /// Works out all names of `hosts`.
    ///
    /// Hosts whose name cannot be a domain name, and external hosts without address or alias, are left out: the
    /// latter are known by name only and are resolved elsewhere. A Service wins over an external host of its name;
    /// external hosts of one name are merged.
    ///
    /// - Parameters:
    ///   - hosts: in any order.
    ///   - viewpoint: who asks; for a cluster's own server the default.
    ///   - zones: names below which everything that there is, is in `hosts`.
    ///   - answersReverse: whether addresses lead back to names; needs the reverse zones in `zones` to be complete.
    package init(
        hosts: [DNSHost],
        viewpoint: DNSViewpoint = DNSViewpoint(),
        zones: [String] = [],
        answersReverse: Bool = true
    ) {
        self.init()
        self.zones = zones.compactMap { DNSName($0)?.lowercased }.sorted { $0.wire.count > $1.wire.count }
        self.search = viewpoint.search.compactMap { DNSName($0)?.lowercased }
            .sorted { $0.wire.count > $1.wire.count }
        // Services last, so that they win; then by name, so that equal input gives equal tables.
        let ordered = hosts.sorted { left, right in
            left.isKubernetes == right.isKubernetes ? left.name < right.name : !left.isKubernetes
        }
        for host in ordered { self.add(host, viewpoint) }
        if answersReverse {
            for host in ordered.reversed() { self.addPointers(host) }
        }
        self.addAncestors()
    }

    private mutating func add(_ host: DNSHost, _ viewpoint: DNSViewpoint) {
        guard let name = DNSName(host.name)?.lowercased else { return }
        let alias = host.alias.flatMap { DNSName($0)?.lowercased }
        guard host.isKubernetes || alias != nil || !host.addresses.isEmpty else { return }
        let cluster = DNSName(viewpoint.clusterDomain)
        var entry = Entry(host: name, zone: self.zone(of: name, cluster), alias: alias)
        for address in host.addresses { entry.add(address) }
        if name.isWildcard {
            guard let suffix = name.parent, !suffix.isRoot else { return }
            entry.host = suffix
            entry.zone = self.zone(of: suffix, cluster)
            self.wildcards.merge([suffix: entry]) { old, new in host.isKubernetes ? new : old.merged(new) }
            return
        }
        self.entries.merge([name: entry]) { old, new in host.isKubernetes ? new : old.merged(new) }
        self.addInstances(host, name, entry.zone)
        self.addServices(host, name, entry.zone)
        guard case .kubernetes(let short, let namespace) = host.registry, let cluster, name.isWithin(cluster) else {
            return
        }
        // Only for Services inside the own domain: short names of others could be public names (facts #10).
        var shortNames = ["\(short).\(namespace).svc", "\(short).\(namespace)"]
        if namespace == viewpoint.namespace { shortNames.append(short) }
        guard viewpoint.namespace != nil else { return }
        for text in shortNames {
            guard let shortName = DNSName(text)?.lowercased else { continue }
            // A host that really has this name wins.
            if self.entries[shortName].map({ $0.host == shortName }) != true { self.entries[shortName] = entry }
        }
    }

    private mutating func addInstances(_ host: DNSHost, _ name: DNSName, _ zone: DNSName) {
        for (label, address) in host.instances {
            guard let instance = DNSName(label)?.lowercased.appending(name) else { continue }
            var entry = Entry(host: instance, zone: zone)
            entry.add(address)
            self.entries[instance] = entry
        }
    }

    private mutating func addServices(_ host: DNSHost, _ name: DNSName, _ zone: DNSName) {
        // Behind a headless service each instance is a target of its own.
        let targets = host.instances.keys.sorted().compactMap { DNSName($0)?.lowercased.appending(name) }
        for port in host.ports {
            guard let owner = DNSName("_\(port.name)._\(port.transport)")?.lowercased.appending(name) else { continue }
            var entry = Entry(host: owner, zone: zone)
            entry.services = (targets.isEmpty ? [name] : targets).map { Service(port: port.port, target: $0) }
            self.entries[owner] = entry
        }
    }

    /// The way back from addresses; one name each, as clients expect.
    private mutating func addPointers(_ host: DNSHost) {
        guard let name = DNSName(host.name)?.lowercased, !name.isWildcard else { return }
        for (label, address) in host.instances {
            guard let instance = DNSName(label)?.lowercased.appending(name) else { continue }
            self.addPointer(from: address, to: instance)
        }
        for address in host.addresses { self.addPointer(from: address, to: name) }
    }

    private mutating func addPointer(from address: IPAddress, to name: DNSName) {
        guard let owner = DNSName(Self.reverseName(of: address)), self.entries[owner] == nil else { return }
        self.entries[owner] = Entry(host: owner, zone: self.zone(of: owner, nil), pointers: [name])
    }

    /// `4.3.2.1.in-addr.arpa` (RFC 1035 section 3.5), `….ip6.arpa` (RFC 3596 section 2.5).
    package static func reverseName(of address: IPAddress) -> String {
        switch address {
        case .v4:
            return address.bytes.reversed().map { String($0) }.joined(separator: ".") + ".in-addr.arpa"
        case .v6:
            let digits = address.bytes.reversed().flatMap { [$0 & 0xf, $0 >> 4] }
            return digits.map { String($0, radix: 16) }.joined(separator: ".") + ".ip6.arpa"
        }
    }

    private mutating func addAncestors() {
        for name in self.entries.keys {
            guard let zone = self.zones.first(where: { name.isWithin($0) }) else { continue }
            var rest = name.parent
            while let ancestor = rest, ancestor.isWithin(zone), self.ancestors.insert(ancestor).inserted {
                rest = ancestor.parent
            }
        }
    }

    /// The owner of a name's negative answers: the zone if it is ours, else the name itself.
    private func zone(of name: DNSName, _ cluster: DNSName?) -> DNSName {
        if let zone = self.zones.first(where: { name.isWithin($0) }) { return zone }
        if let cluster, name.isWithin(cluster) { return cluster }
        return name
    }
}

extension DNSHost {
    fileprivate var isKubernetes: Bool {
        switch self.registry {
        case .kubernetes: true
        case .external: false
        }
    }
}

extension DNSTable.Entry {
    fileprivate mutating func add(_ address: IPAddress) {
        switch address {
        case .v4(let bits): if !self.v4.contains(bits) { self.v4.append(bits) }
        case .v6(let high, let low):
            let bits = DNSTable.SixBits(high: high, low: low)
            if !self.v6.contains(bits) { self.v6.append(bits) }
        }
    }

    fileprivate func merged(_ other: DNSTable.Entry) -> DNSTable.Entry {
        var merged = self
        merged.v4 += other.v4.filter { !self.v4.contains($0) }
        merged.v6 += other.v6.filter { !self.v6.contains($0) }
        merged.alias = merged.alias ?? other.alias
        return merged
    }
}
