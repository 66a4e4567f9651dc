internal import DNSWire
internal import MeshModel

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
        self.answersReverse = answersReverse
        self.sight = Sight(viewpoint)
        self.hosts.reserve(hosts.count)
        if answersReverse { self.addresses.reserve(hosts.count) }
        self.apply(changed: hosts, removed: [])
    }

    /// The table after a change of some hosts; this one stays as it is and shares all that did not change with it.
    ///
    /// For each host of a name that is new or says something else now, `changed` has the whole host as it is now;
    /// `removed` has the names of hosts that are gone. Costs what the change is large, and a copy of one reference for
    /// each four hosts or so: one host of 50,000 takes well under a millisecond. An update of a table that was not
    /// ready makes it ready; where search domains and namespace matter, begin with `DNSTable(hosts:viewpoint:)`.
    package func updating(changed: [DNSHost] = [], removed: [String] = []) -> DNSTable {
        var table = self
        table.apply(changed: changed, removed: removed)
        table.unreadyBelow = nil
        return table
    }

    /// The same hosts as somebody else sees them; costs nothing.
    package func seen(from viewpoint: DNSViewpoint) -> DNSTable {
        var table = self
        table.sight = Sight(viewpoint)
        return table
    }

    private mutating func apply(changed: [DNSHost], removed: [String]) {
        for name in removed { self.remove(name) }
        // Two hosts of one name in one change are merged; else the new one replaces the old one.
        var fresh: [String: HostEntry] = [:]
        let merges = changed.count > 1
        if merges { fresh.reserveCapacity(changed.count) }
        for host in changed {
            guard var entry = HostEntry(host) else {
                if !merges || fresh[host.name.lowercased()] == nil { self.remove(host.name) }
                continue
            }
            if merges {
                let key = host.name.lowercased()
                if let other = fresh[key] {
                    if other.isKubernetes, !entry.isKubernetes { continue }
                    if other.isKubernetes == entry.isKubernetes, !entry.isKubernetes {
                        entry = HostEntry(other, and: entry)
                    }
                }
                fresh[key] = entry
            }
            self.insert(entry)
        }
    }

    private mutating func insert(_ entry: HostEntry) {
        if entry.isWildcard {
            self.wildcards[entry.name] = entry
            return
        }
        if let old = self.hosts.insert(entry) { self.forget(old) }
        if self.answersReverse { self.addresses.insert(entry) }
        if !entry.instances.isEmpty || !entry.ports.isEmpty { self.hasNamesBelowHosts = true }
        self.countAncestors(entry, 1)
    }

    private mutating func remove(_ name: String) {
        guard let name = DNSName(name)?.lowercased else { return }
        if name.isWildcard {
            if let suffix = name.parent { self.wildcards[suffix] = nil }
        } else if let old = self.hosts.remove(name) {
            self.forget(old)
        }
    }

    private mutating func forget(_ old: HostEntry) {
        if self.answersReverse { self.addresses.remove(old) }
        self.countAncestors(old, -1)
    }

    /// Counts what is below each name in a zone of ours: only such names can be there without being anything.
    private mutating func countAncestors(_ entry: HostEntry, _ change: Int) {
        guard !self.zones.isEmpty else { return }
        var names = [entry.name] + entry.instances.compactMap { entry.name(below: $0.label) }
        names += entry.ports.compactMap { entry.name(below: $0.owner) }
        if self.answersReverse { names += entry.pointers.compactMap { DNSName(Self.reverseName(of: $0.address)) } }
        for name in names {
            guard let zone = self.zones.first(where: { name.isWithin($0) }) else { continue }
            var rest = name.parent
            while let ancestor = rest, ancestor.isWithin(zone) {
                let count = self.ancestors[ancestor, default: 0] + change
                self.ancestors[ancestor] = count == 0 ? nil : count
                rest = ancestor.parent
            }
        }
    }
}
