package import DNSWire
internal import MeshModel

/// All names that are answered without asking anybody; immutable, a new one replaces it as a whole.
///
/// Names are found by their bytes in lower case. What a question leads to, in this order: a name of the table, a name
/// of the table with a search domain behind it, a wildcard, and then — only for zones that the table owns — the
/// statement that there is no such name.
package struct DNSTable: Sendable {
    /// How long answers may be kept. Listeners of addresses that went away stay as long.
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

    /// What one name leads to.
    struct Entry: Hashable, Sendable {
        var host: DNSName
        /// The name that its negative answers come from.
        var zone: DNSName
        var v4: [UInt32] = []
        var v6: [SixBits] = []
        var services: [Service] = []
        var pointers: [DNSName] = []
        var alias: DNSName?
    }

    struct SixBits: Hashable, Sendable {
        var high: UInt64
        var low: UInt64
    }

    struct Service: Hashable, Sendable {
        var port: UInt16
        var target: DNSName
    }

    /// Names and what they lead to; a short name is an entry of its own with the same `host`.
    var entries: [DNSName: Entry] = [:]
    /// Wildcards by the name behind the star.
    var wildcards: [DNSName: Entry] = [:]
    /// Names that have names of the table below them, in zones of ours: there, without a record.
    var ancestors: Set<DNSName> = []
    /// Zones of ours.
    var zones: [DNSName] = []
    /// The search domains, longest first.
    var search: [DNSName] = []
    /// Set while nothing is known yet: below this name nothing is answered.
    var unreadyBelow: DNSName?

    /// A table that knows nothing yet: names below `clusterDomain` get SERVFAIL, so that clients ask again.
    package static func notReady(clusterDomain: String = "cluster.local") -> DNSTable {
        var table = DNSTable()
        table.unreadyBelow = DNSName(clusterDomain)
        return table
    }

    /// A table without any name: everything is somebody else's business.
    package init() {}

    /// How many names lead somewhere.
    package var count: Int { self.entries.count + self.wildcards.count }

    /// Looks up a question of class IN.
    ///
    /// - Parameters:
    ///   - question: in any case.
    ///   - rotation: any number; the addresses start at another one for each, so that clients which take the first
    ///     are spread.
    /// - Returns: what this table alone can say.
    package func answer(_ question: DNSQuestion, rotation: UInt32 = 0) -> Answer {
        let name = question.name
        if let entry = self.entries[name] {
            return self.answer(question.type, from: entry, owner: name, aliases: [], rotation)
        }
        for suffix in self.search {
            guard let base = name.dropping(suffix: suffix), let entry = self.entries[base] else { continue }
            return self.aliased(question, to: entry.host, entry, rotation)
        }
        if !self.wildcards.isEmpty {
            if let entry = self.wildcard(name) {
                return self.answer(question.type, from: entry, owner: name, aliases: [], rotation)
            }
            for suffix in self.search {
                guard let base = name.dropping(suffix: suffix), let entry = self.wildcard(base) else { continue }
                // The name below the star, never the star itself (facts #9).
                return self.aliased(question, to: base, entry, rotation)
            }
        }
        if let unreadyBelow = self.unreadyBelow, name.isWithin(unreadyBelow) { return .notReady }
        guard let zone = self.zones.first(where: { name.isWithin($0) }) else { return .unknown }
        if self.ancestors.contains(name) || name == zone {
            return .noData(aliases: [], authority: Self.authority(zone))
        }
        return .noName(authority: Self.authority(zone))
    }

    /// An answer to a name with a search domain: an alias to what was meant, and its records in the same message.
    private func aliased(_ question: DNSQuestion, to host: DNSName, _ entry: Entry, _ rotation: UInt32) -> Answer {
        let alias = DNSRecord(name: question.name, ttl: Self.ttl, data: .cname(host))
        if question.type == .cname { return .records([alias], host: host) }
        return self.answer(question.type, from: entry, owner: host, aliases: [alias], rotation)
    }

    private func answer(
        _ type: DNSType,
        from entry: Entry,
        owner: DNSName,
        aliases: [DNSRecord],
        _ rotation: UInt32
    ) -> Answer {
        if let alias = entry.alias {
            return self.followed(type, alias, owner, aliases, rotation)
        }
        var records = aliases
        if type == .a || type == .any {
            for bits in Self.rotated(entry.v4, rotation) {
                records.append(DNSRecord(name: owner, ttl: Self.ttl, data: .a(bits)))
            }
        }
        if type == .aaaa || type == .any {
            for bits in Self.rotated(entry.v6, rotation) {
                records.append(DNSRecord(name: owner, ttl: Self.ttl, data: .aaaa(high: bits.high, low: bits.low)))
            }
        }
        if type == .srv || type == .any {
            for service in entry.services {
                let data = DNSData.srv(priority: 0, weight: 100, port: service.port, target: service.target)
                records.append(DNSRecord(name: owner, ttl: Self.ttl, data: data))
            }
        }
        if type == .ptr || type == .any {
            for pointer in entry.pointers {
                records.append(DNSRecord(name: owner, ttl: Self.ttl, data: .ptr(pointer)))
            }
        }
        // Never NXDOMAIN: clients that ask for both families at once would take the name for missing (facts #1, #11).
        guard records.count > aliases.count else {
            return .noData(aliases: aliases, authority: Self.authority(entry.zone))
        }
        return .records(records, host: owner)
    }

    /// An alias that somebody configured, and what this table knows about its target.
    private func followed(
        _ type: DNSType,
        _ alias: DNSName,
        _ owner: DNSName,
        _ aliases: [DNSRecord],
        _ rotation: UInt32
    ) -> Answer {
        let records = aliases + [DNSRecord(name: owner, ttl: Self.ttl, data: .cname(alias))]
        guard type != .cname, let target = self.entries[alias], target.alias == nil else {
            return .records(records, host: owner)
        }
        return self.answer(type, from: target, owner: alias, aliases: records, rotation)
    }

    /// The entry of the longest `*.suffix` that the name is below.
    private func wildcard(_ name: DNSName) -> Entry? {
        var rest = name.parent
        while let suffix = rest {
            if let entry = self.wildcards[suffix] { return entry }
            rest = suffix.parent
        }
        return nil
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

    private static func rotated<Element>(_ elements: [Element], _ rotation: UInt32) -> [Element] {
        guard elements.count > 1 else { return elements }
        let first = Int(rotation % UInt32(truncatingIfNeeded: elements.count))
        return first == 0 ? elements : Array(elements[first...] + elements[..<first])
    }
}
