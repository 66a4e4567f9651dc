package import DNSWire
internal import MeshModel

/// All names that are answered without asking anybody; immutable, a new one replaces it as a whole.
///
/// Names are found by their bytes in lower case. What a question leads to, in this order: a name of the table, a name
/// of the table with a search domain behind it, a wildcard, and then — only for zones that the table owns — the
/// statement that there is no such name.
package struct DNSTable: Sendable {
    /// How long answers may be kept, unless the viewpoint says otherwise. Listeners of addresses that went away stay
    /// as long.
    package static let ttl: UInt32 = 30
    /// How long it may be remembered that something is not there: short, because it may be made any moment.
    package static let negativeTTL: UInt32 = 5

    /// What the table says about a question.
    package enum Answer: Hashable, Sendable {
        /// `host` is the name that was meant, without a search domain.
        case records([DNSRecord], host: DNSName)
        /// The name is there and has no record of this type: `aliases` lead to it, `authority` is the SOA.
        case noData(aliases: [DNSRecord], authority: DNSRecord)
        /// The name is in a zone of ours, and not there.
        case noName(authority: DNSRecord)
        /// The table has not come yet, and the name may be in it (facts #2).
        case notReady
        /// Somebody else's business.
        case unknown
    }

    /// Hosts by their whole name.
    var hosts = HostBuckets()
    /// Wildcards by the name behind the star.
    var wildcards: [DNSName: HostEntry] = [:]
    var addresses = AddressBuckets()
    /// How many names of the table are below a name in a zone of ours: it is there, without a record.
    var ancestors: [DNSName: Int] = [:]
    /// Zones of ours, longest first.
    var zones: [DNSName] = []
    var answersReverse = true
    /// Set while nothing is known yet: below this name nothing is answered.
    var unreadyBelow: DNSName?
    /// Whether any host has instances or ports, so that it is worth looking for names below hosts.
    var hasNamesBelowHosts = false
    var sight = Sight(DNSViewpoint())

    /// A viewpoint as names in wire form.
    struct Sight: Sendable {
        var cluster: DNSName?
        /// What short names leave out, by the number of their labels: `reviews`, `reviews.default`,
        /// `reviews.default.svc`. Empty: there are no short names.
        var shortEndings: [DNSName] = []
        /// The search domains in the client's order: it appends them in this order and stops at the first answer, so
        /// the first that leaves a name of the table is the one that was appended.
        var search: [DNSName]
        var ttl: UInt32

        init(_ viewpoint: DNSViewpoint) {
            self.cluster = DNSName(viewpoint.clusterDomain)?.lowercased
            self.search = viewpoint.search.compactMap { DNSName($0)?.lowercased }
            self.ttl = viewpoint.ttl
            guard let cluster = self.cluster, let namespace = viewpoint.namespace,
                let services = DNSName("svc")?.appending(cluster),
                let own = DNSName(namespace)?.lowercased.appending(services)
            else { return }
            self.shortEndings = [own, services, cluster]
        }
    }

    /// A table that knows nothing yet: names below `clusterDomain` get SERVFAIL, so that clients ask again.
    package static func notReady(clusterDomain: String = "cluster.local") -> DNSTable {
        var table = DNSTable()
        table.unreadyBelow = DNSName(clusterDomain)
        return table
    }

    /// The same statement about fewer names, while this table still waits; `nil` if it does not.
    package func waiting(below clusterDomain: String) -> DNSTable? {
        self.unreadyBelow == nil ? nil : .notReady(clusterDomain: clusterDomain)
    }

    /// A table without any name: everything is somebody else's business.
    package init() {}

    /// How many hosts there are, wildcards included.
    package var count: Int { self.hosts.count + self.wildcards.count }

    /// Looks up a question of class IN.
    ///
    /// - Parameters:
    ///   - question: in any case.
    ///   - rotation: any number; the addresses stand in another order for each, so that clients which take the first
    ///     are spread.
    /// - Returns: what this table alone can say.
    package func answer(_ question: DNSQuestion, rotation: UInt32 = 0) -> Answer {
        let name = question.name
        if let found = self.find(name) {
            // With a search domain behind it: an alias to what was meant, and its records in the same message.
            guard found.isExpanded, let meant = self.meant(by: found, name) else {
                return self.answer(question.type, from: found, owner: name, aliases: [], rotation)
            }
            let alias = DNSRecord(name: name, ttl: self.sight.ttl, data: .cname(meant))
            if question.type == .cname { return .records([alias], host: meant) }
            return self.answer(question.type, from: found, owner: meant, aliases: [alias], rotation)
        }
        if let pointer = self.pointer(name) {
            guard question.type == .ptr || question.type == .any else {
                return .noData(aliases: [], authority: Self.authority(self.zone(of: name.lowercased)))
            }
            return .records([DNSRecord(name: name, ttl: self.sight.ttl, data: .ptr(pointer))], host: name)
        }
        if let unreadyBelow = self.unreadyBelow, name.isWithin(unreadyBelow) { return .notReady }
        guard let zone = self.zones.first(where: { name.isWithin($0) }) else { return .unknown }
        if self.ancestors[name] != nil || name == zone {
            return .noData(aliases: [], authority: Self.authority(zone))
        }
        return .noName(authority: Self.authority(zone))
    }

    /// The host by which the control plane knows what a name leads to, `*.wild.test` for a name below a star; `nil` if
    /// the name is not in the table.
    package func host(of name: DNSName) -> DNSName? {
        guard let entry = self.find(name)?.entry else { return nil }
        return entry.isWildcard ? DNSName("*")?.appending(entry.name) : entry.name
    }

    private func answer(
        _ type: DNSType,
        from found: Found,
        owner: DNSName,
        aliases: [DNSRecord],
        _ rotation: UInt32
    ) -> Answer {
        switch found.part {
        case .host:
            if let alias = found.entry.alias { return self.followed(type, alias, owner, aliases, rotation) }
            return self.answer(type, from: found.entry, owner: owner, aliases: aliases, rotation)
        case .instance(let index):
            let address = found.entry.instances[index].address
            let zone = self.zone(of: found.entry.name)
            return self.finished(self.records(type, [address], owner), owner, aliases, zone)
        case .port(let owned):
            guard type == .srv || type == .any else {
                return self.finished([], owner, aliases, self.zone(of: found.entry.name))
            }
            let services = self.services(of: found.entry, owned, owner)
            return self.finished(services, owner, aliases, self.zone(of: found.entry.name))
        }
    }

    private func answer(
        _ type: DNSType,
        from entry: HostEntry,
        owner: DNSName,
        aliases: [DNSRecord],
        _ rotation: UInt32
    ) -> Answer {
        var records: [DNSRecord] = []
        if type == .a || type == .any {
            for index in AddressOrder(count: entry.v4.count, rotation) {
                records.append(DNSRecord(name: owner, ttl: self.sight.ttl, data: .a(entry.v4[index])))
            }
        }
        if type == .aaaa || type == .any {
            for index in AddressOrder(count: entry.v6.count, rotation) {
                let bits = entry.v6[index]
                records.append(
                    DNSRecord(name: owner, ttl: self.sight.ttl, data: .aaaa(high: bits.high, low: bits.low))
                )
            }
        }
        return self.finished(records, owner, aliases, self.zone(of: entry.name))
    }

    private func finished(_ records: [DNSRecord], _ owner: DNSName, _ aliases: [DNSRecord], _ zone: DNSName) -> Answer {
        // Never NXDOMAIN: clients that ask for both families at once would take the name for missing (facts #1, #11).
        records.isEmpty
            ? .noData(aliases: aliases, authority: Self.authority(zone)) : .records(aliases + records, host: owner)
    }

    private func records(_ type: DNSType, _ addresses: [IPAddress], _ owner: DNSName) -> [DNSRecord] {
        addresses.compactMap { address in
            switch (address, type) {
            case (.v4(let bits), .a), (.v4(let bits), .any):
                DNSRecord(name: owner, ttl: self.sight.ttl, data: .a(bits))
            case (.v6(let high, let low), .aaaa), (.v6(let high, let low), .any):
                DNSRecord(name: owner, ttl: self.sight.ttl, data: .aaaa(high: high, low: low))
            default: nil
            }
        }
    }

    /// Behind a headless service each instance is a target of its own.
    private func services(of entry: HostEntry, _ labels: DNSName, _ owner: DNSName) -> [DNSRecord] {
        let instances = entry.instances.compactMap { entry.name(below: $0.label) }
        return entry.ports.filter { $0.owner == labels }.flatMap { port in
            (instances.isEmpty ? [entry.name] : instances).map { target in
                DNSRecord(
                    name: owner,
                    ttl: self.sight.ttl,
                    data: .srv(priority: 0, weight: 100, port: port.port, target: target)
                )
            }
        }
    }

    /// An alias that somebody configured, and what this table knows about its target.
    private func followed(
        _ type: DNSType,
        _ alias: DNSName,
        _ owner: DNSName,
        _ aliases: [DNSRecord],
        _ rotation: UInt32
    ) -> Answer {
        let records = aliases + [DNSRecord(name: owner, ttl: self.sight.ttl, data: .cname(alias))]
        guard type != .cname, let target = self.resolved(alias), target.entry.alias == nil else {
            return .records(records, host: owner)
        }
        return self.answer(type, from: target, owner: alias, aliases: records, rotation)
    }

    /// The owner of a name's negative answers: the zone if it is ours, else the name itself.
    func zone(of name: DNSName) -> DNSName {
        if let zone = self.zones.first(where: { name.isWithin($0) }) { return zone }
        if let cluster = self.sight.cluster, name.isWithin(cluster) { return cluster }
        return name
    }

    /// The record that says how long a negative answer may be kept (RFC 2308 section 3).
    static func authority(_ zone: DNSName) -> DNSRecord {
        let mailbox = DNSName("hostmaster").flatMap { $0.appending(zone) } ?? zone
        let primary = DNSName("ns.dns").flatMap { $0.appending(zone) } ?? zone
        let start = DNSStartOfAuthority(
            primary: primary,
            mailbox: mailbox,
            serial: 1,
            refresh: 7200,
            retry: 1800,
            expire: 86_400,
            minimum: Self.negativeTTL
        )
        return DNSRecord(name: zone, ttl: Self.negativeTTL, data: .soa(start))
    }
}
