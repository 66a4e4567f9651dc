package import DNSWire
package import MeshModel

/// Addresses that were made up for names under wildcards: one of each family for exactly one name.
///
/// A value without clock or lock. The address follows from the name, so that a proxy that starts again gives a name what
/// it had, unless another name took it. An address stays with its name while anybody may use it: while connections to it
/// are open, and for `keepTime` after the last answer or the end of the last connection. Then it is forgotten.
package struct MintTable: Sendable {
    /// Which names get addresses, and out of which blocks.
    package struct Rules: Hashable, Sendable {
        /// Names behind the star, in lower case.
        package var suffixes: Set<DNSName>
        package var v4: CIDR?
        package var v6: CIDR?

        package init(suffixes: Set<DNSName> = [], v4: CIDR? = nil, v6: CIDR? = nil) {
            self.suffixes = suffixes
            self.v4 = v4
            self.v6 = v6
        }
    }

    /// What a name was given.
    package struct Addresses: Hashable, Sendable {
        package var v4: UInt32?
        package var v6: SixBits?

        package struct SixBits: Hashable, Sendable {
            package var high: UInt64
            package var low: UInt64
        }

        var all: [IPAddress] {
            [self.v4.map(IPAddress.v4), self.v6.map { .v6(high: $0.high, low: $0.low) }].compactMap { $0 }
        }
    }

    /// For people.
    package struct Line: Hashable, Sendable {
        package var name: String
        package var addresses: [IPAddress]
        package var connections: Int
        /// Since the last answer or connection.
        package var unused: Duration
    }

    private struct Entry {
        var name: DNSName
        /// The name as connections are led to it: lower case, without a final dot.
        var text: String
        var addresses: Addresses
        var connections = 0
        var lastUse: Duration

        func isFree(_ now: Duration, _ keepTime: Duration) -> Bool {
            self.connections == 0 && now - self.lastUse >= keepTime
        }
    }

    /// The default takes about a megabyte.
    package static let entriesMaxDefault = 4096
    /// Longer than clients keep answers (`ttl` seconds) and programs keep idle connections and addresses.
    package static func keepTime(ttl: UInt32) -> Duration { .seconds(Int64(ttl) + 3600) }

    package private(set) var rules = Rules()
    private let entriesMax: Int
    private let keepTime: Duration
    private var slots: (v4: AddressSlots?, v6: AddressSlots?) = (nil, nil)
    private var entries: [DNSName: Entry] = [:]
    private var owners: [IPAddress: DNSName] = [:]

    package init(entriesMax: Int = Self.entriesMaxDefault, keepTime: Duration = Self.keepTime(ttl: DNSTable.ttl)) {
        self.entriesMax = max(1, entriesMax)
        self.keepTime = keepTime
    }

    package var count: Int { self.entries.count }
    package var connections: Int { self.entries.values.reduce(0) { $0 + $1.connections } }

    package mutating func use(_ rules: Rules) {
        self.rules = rules
        self.slots = (rules.v4.map { AddressSlots($0) }, rules.v6.map { AddressSlots($0) })
    }

    /// Whether the name is under one of the wildcards. A wildcard does not stand for the name behind its star (facts #9).
    package func covers(_ name: DNSName) -> Bool {
        if self.rules.suffixes.isEmpty { return false }
        var rest = name.parent
        while let suffix = rest {
            if self.rules.suffixes.contains(suffix) { return true }
            rest = suffix.parent
        }
        return false
    }

    /// What a name has, for an answer; `nil` if it has nothing that could be answered now.
    package mutating func known(_ name: DNSName, now: Duration) -> Addresses? {
        guard let entry = self.entries[name], self.isOfRanges(entry.addresses) else { return nil }
        self.entries[name]?.lastUse = now
        return entry.addresses
    }

    /// Gives a name addresses, or those that it has; `nil` if there is no room.
    package mutating func mint(_ name: DNSName, now: Duration) -> Addresses? {
        if let known = self.known(name, now: now) { return known }
        // Its addresses may be of ranges that are no longer ours; connections to them end by and by.
        if let old = self.entries[name] { self.forget(old) }
        // Looked at by all new names, so that it need not be looked at by a clock.
        self.forgetUnused(now)
        guard self.entries.count < self.entriesMax else { return nil }
        let lower = name.lowercased
        var text = lower.description
        if text.hasSuffix(".") { text.removeLast() }
        var addresses = Addresses()
        if case .v4(let bits)? = self.free(self.slots.v4, for: text) { addresses.v4 = bits }
        if case .v6(let high, let low)? = self.free(self.slots.v6, for: text) {
            addresses.v6 = Addresses.SixBits(high: high, low: low)
        }
        guard !addresses.all.isEmpty else { return nil }
        for address in addresses.all { self.owners[address] = lower }
        self.entries[lower] = Entry(name: lower, text: text, addresses: addresses, lastUse: now)
        return addresses
    }

    /// A connection to an address has come; says which name was meant.
    package mutating func opened(_ address: IPAddress, now: Duration) -> String? {
        guard let name = self.owners[address] else { return nil }
        self.entries[name]?.connections += 1
        self.entries[name]?.lastUse = now
        return self.entries[name]?.text
    }

    /// One of the connections that ``opened(_:now:)`` named has ended.
    package mutating func closed(_ address: IPAddress, now: Duration) {
        guard let name = self.owners[address], let entry = self.entries[name], entry.connections > 0 else { return }
        self.entries[name]?.connections -= 1
        self.entries[name]?.lastUse = now
    }

    /// What is in use, by name.
    package func lines(now: Duration) -> [Line] {
        self.entries.values.filter { !$0.isFree(now, self.keepTime) }.map {
            Line(
                name: $0.text,
                addresses: $0.addresses.all,
                connections: $0.connections,
                unused: now - $0.lastUse
            )
        }.sorted { $0.name < $1.name }
    }

    private func isOfRanges(_ addresses: Addresses) -> Bool { addresses.all.allSatisfy(self.isOfRanges) }

    /// Whether an address can be one of these.
    package func isOfRanges(_ address: IPAddress) -> Bool {
        self.rules.v4?.contains(address) == true || self.rules.v6?.contains(address) == true
    }

    /// Whose an address is, in lower case.
    package func name(of address: IPAddress) -> DNSName? { self.owners[address] }

    private func free(_ slots: AddressSlots?, for text: String) -> IPAddress? {
        guard let slots else { return nil }
        for slot in slots.slots(for: text) {
            let address = slots.address(slot)
            if self.owners[address] == nil { return address }
        }
        return nil
    }

    private mutating func forgetUnused(_ now: Duration) {
        for entry in self.entries.values.filter({ $0.isFree(now, self.keepTime) }) { self.forget(entry) }
    }

    private mutating func forget(_ entry: Entry) {
        self.entries[entry.name] = nil
        for address in entry.addresses.all where self.owners[address] == entry.name { self.owners[address] = nil }
    }
}
