package import MeshModel

/// Gives every host without an address of its own one per family, and keeps whose it is.
///
/// The ledger itself is in the objects: `status.addresses` of the ServiceEntries. This value compares it with what is
/// wanted and says what to write. It does no input or output and reads no clock. Rules, in this order:
///
/// 1. An address that a person wrote anywhere in the mesh is never given, and is taken away if it was.
/// 2. What the ledger says stays. Of two entries that contradict each other, the older one is right.
/// 3. A host that comes back before its address was forgotten gets it back.
/// 4. A new host takes the first free address in an order that follows from its name.
/// 5. An address whose host has gone is nobody else's before the drain time has passed: clients remember answers, and
///    connections live on.
package struct AddressLedger: Sendable {
    /// An address that nobody wants now, and until when (seconds since 1970) it is kept for the host that had it.
    package struct Release: Hashable, Sendable {
        package var host: HostName
        package var until: Int64

        package init(host: HostName, until: Int64) {
            self.host = host
            self.until = until
        }
    }

    /// What has to be done.
    package struct Settlement: Hashable, Sendable {
        /// The whole new `status.addresses` of entries in which it is another one.
        package var writes: [ObjectID: [AddressGrant]] = [:]
        /// Hosts for which no address was left, in order.
        package var unserved: [HostName] = []
        /// Addresses that hosts have.
        package var givenCount = 0
    }

    private let ranges: VirtualAddressRanges
    private let v4: AddressSlots
    private let v6: AddressSlots
    /// Seconds.
    private let drainTime: Int64
    /// Whose each address was when this was last settled.
    private var owners: [IPAddress: HostName] = [:]
    package private(set) var releases: [IPAddress: Release] = [:]

    package init(ranges: VirtualAddressRanges, drainTime: Int64) {
        self.ranges = ranges
        self.v4 = AddressSlots(ranges.allocatedV4)
        self.v6 = AddressSlots(ranges.allocatedV6)
        self.drainTime = drainTime
    }

    /// Takes over what was written down about released addresses, by this process or by others; the later end counts.
    package mutating func remember(_ releases: [IPAddress: Release]) {
        for (address, release) in releases where self.owners[address] == nil {
            if let known = self.releases[address], known.until >= release.until { continue }
            self.releases[address] = release
        }
    }

    /// Forgets what was kept long enough.
    package mutating func forget(before now: Int64) {
        self.releases = self.releases.filter { $0.value.until > now }
    }

    /// Compares the ledger with what is wanted.
    ///
    /// - Parameters:
    ///   - claims: of all entries, in any order.
    ///   - reserved: what people wrote: addresses and blocks of all Services and ServiceEntries.
    ///   - now: seconds since 1970.
    /// - Returns: what is to be written, and who got nothing.
    package mutating func settle(_ claims: [AddressClaim], reserved: [CIDR], now: Int64) -> Settlement {
        let claims = claims.sorted { ($0.createdAt, $0.entry) < ($1.createdAt, $1.entry) }
        let reserved = ReservedAddresses(reserved, in: self.ranges)
        var table = AddressTable()
        for claim in claims {
            let hosts = Set(claim.hosts)
            for grant in claim.held
            where hosts.contains(grant.host) && self.ranges.allocates(grant.address)
                && !reserved.contains(grant.address)
            { table.take(grant) }
        }
        let wanted = claims.reduce(into: Set<HostName>()) { $0.formUnion($1.wanting) }
        self.release(&table, wanted: wanted, now: now)
        var settlement = Settlement()
        let former = Dictionary(grouping: self.releases.keys) { self.releases[$0]?.host }
        for slots in [self.v4, self.v6] {
            let bits = slots.block.network.bitCount
            var isFull = false
            for host in wanted.sorted() where table.address(of: host, bits: bits) == nil {
                let known = (former[host] ?? []).sorted().first {
                    slots.block.contains($0) && table.owners[$0] == nil && !reserved.contains($0)
                }
                guard let address = known ?? (isFull ? nil : self.free(for: host, slots, table, reserved)) else {
                    // Where one host finds nothing, no other does.
                    isFull = true
                    settlement.unserved.append(host)
                    continue
                }
                self.releases[address] = nil
                table.take(AddressGrant(host: host, address: address))
            }
        }
        for claim in claims {
            let due = self.due(claim, table)
            if due != claim.held { settlement.writes[claim.entry] = due }
        }
        self.owners = table.owners
        settlement.givenCount = table.owners.count
        return settlement
    }

    /// When something is to be settled though nothing has changed: the next address may be forgotten.
    package var nextDeadline: Int64? { self.releases.values.map(\.until).min() }

    /// Begins and ends the time in which an address is kept for its host.
    private mutating func release(_ table: inout AddressTable, wanted: Set<HostName>, now: Int64) {
        for (address, host) in self.owners where table.owners[address] == nil && self.releases[address] == nil {
            self.releases[address] = Release(host: host, until: now + self.drainTime)
        }
        for (address, host) in table.owners {
            if wanted.contains(host) {
                self.releases[address] = nil
            } else if self.releases[address]?.host != host {
                // The entry is still there and no longer wants it: it serves on for clients that remember it.
                self.releases[address] = Release(host: host, until: now + self.drainTime)
            }
        }
        for (address, release) in self.releases where release.until <= now {
            self.releases[address] = nil
            if table.owners[address] == release.host { table.drop(address) }
        }
    }

    /// The first address that is nobody's, in the order of the host.
    private func free(
        for host: HostName,
        _ slots: AddressSlots,
        _ table: AddressTable,
        _ reserved: ReservedAddresses
    ) -> IPAddress? {
        for slot in slots.slots(for: host.text) {
            let address = slots.address(slot)
            if table.owners[address] == nil, self.releases[address] == nil, !reserved.contains(address) {
                return address
            }
        }
        return nil
    }

    /// What an entry's status should be.
    private func due(_ claim: AddressClaim, _ table: AddressTable) -> [AddressGrant] {
        claim.hosts.flatMap { host -> [AddressGrant] in
            let own = [32, 128].compactMap { table.address(of: host, bits: $0) }
            if claim.wanting.contains(host) { return own.map { AddressGrant(host: host, address: $0) } }
            return own.filter { address in
                self.releases[address] != nil && claim.held.contains { $0.host == host && $0.address == address }
            }.map { AddressGrant(host: host, address: $0) }
        }
    }
}

/// Whose addresses are whose: one of a family per host, one host per address.
private struct AddressTable {
    private(set) var owners: [IPAddress: HostName] = [:]
    private var v4: [HostName: IPAddress] = [:]
    private var v6: [HostName: IPAddress] = [:]

    func address(of host: HostName, bits: Int) -> IPAddress? { bits == 32 ? self.v4[host] : self.v6[host] }

    /// Does nothing if the address or the host is taken already.
    mutating func take(_ grant: AddressGrant) {
        guard self.owners[grant.address] == nil, self.address(of: grant.host, bits: grant.address.bitCount) == nil
        else {
            return
        }
        self.owners[grant.address] = grant.host
        if grant.address.bitCount == 32 {
            self.v4[grant.host] = grant.address
        } else {
            self.v6[grant.host] = grant.address
        }
    }

    mutating func drop(_ address: IPAddress) {
        guard let host = self.owners.removeValue(forKey: address) else { return }
        if address.bitCount == 32 { self.v4[host] = nil } else { self.v6[host] = nil }
    }
}
