import MeshConfig
import MeshModel
import Testing

@Suite struct AddressLedgerTests {
    /// 14 IPv4 addresses, so that names meet; time is a number.
    private static let small = ranges("10.9.0.0/28")
    private static let drainTime: Int64 = 100

    private var ledger = AddressLedger(ranges: small, drainTime: drainTime)

    @Test("Every host that wants one gets an address of each family, and nobody else's")
    mutating func gives() throws {
        let claims = try (1...10).map { try claim("e\($0)", ["db\($0).example"]) }

        let settled = self.ledger.settle(claims, reserved: [], now: 0)

        let grants = settled.writes.values.flatMap { $0 }
        #expect(settled.writes.count == 10)
        #expect(Set(grants.map(\.address)).count == 20)
        #expect(grants.count { Self.small.allocatedV4.contains($0.address) } == 10)
        #expect(grants.count { Self.small.allocatedV6.contains($0.address) } == 10)
        #expect(settled.unserved.isEmpty)
    }

    @Test("What is written is not written again, by this control plane or by one that has just started")
    mutating func isStable() throws {
        var claims = try (1...10).map { try claim("e\($0)", ["db\($0).example"]) }
        claims.take(self.ledger.settle(claims, reserved: [], now: 0))

        var other = AddressLedger(ranges: Self.small, drainTime: Self.drainTime)

        #expect(self.ledger.settle(claims, reserved: [], now: 1).writes.isEmpty)
        #expect(other.settle(claims.reversed(), reserved: [], now: 1).writes.isEmpty)
    }

    @Test("Entries that come and go do not move the addresses of those that stay")
    mutating func staysWhenOthersChange() throws {
        var claims = try (1...5).map { try claim("e\($0)", ["db\($0).example"]) }
        claims.take(self.ledger.settle(claims, reserved: [], now: 0))
        let kept = claims[3].held

        claims.removeFirst(2)
        claims.insert(try claim("a0", ["first.example"], createdAt: -5), at: 0)
        claims.take(self.ledger.settle(claims, reserved: [], now: 1))

        #expect(claims.first { $0.entry.name == "e4" }?.held == kept)
    }

    @Test("Clusters that never heard of each other give the same, in whatever order entries came")
    func isEqualEverywhere() throws {
        var east = AddressLedger(ranges: VirtualAddressRanges(), drainTime: Self.drainTime)
        var west = AddressLedger(ranges: VirtualAddressRanges(), drainTime: Self.drainTime)
        let here = try (1...40).map { try claim("e\($0)", ["db\($0).example"], createdAt: Int64($0)) }
        let there = try (1...40).map { try claim("x\($0)", ["db\($0).example"], createdAt: Int64(-$0)) }

        let (first, second) = (east.settle(here, reserved: [], now: 0), west.settle(there, reserved: [], now: 9))

        #expect(Set(first.writes.values) == Set(second.writes.values))
    }

    @Test("Two control planes that start at once with one mesh write the same")
    func replicasAgree() throws {
        var one = AddressLedger(ranges: Self.small, drainTime: Self.drainTime)
        var two = AddressLedger(ranges: Self.small, drainTime: Self.drainTime)
        let claims = try (1...14).map { try claim("e\($0)", ["db\($0).example"]) }

        #expect(one.settle(claims, reserved: [], now: 0) == two.settle(claims.shuffled(), reserved: [], now: 3))
    }

    @Test(
        "Two control planes that saw different parts of the mesh and wrote the same address settle it: the older keeps it"
    )
    mutating func conflictIsSettled() throws {
        let shared = try address("10.9.0.5")
        var claims = [
            try claim("young", ["b.example"], createdAt: 9, held: [("b.example", "10.9.0.5")]),
            try claim("old", ["a.example"], createdAt: 1, held: [("a.example", "10.9.0.5")]),
        ]

        let settled = self.ledger.settle(claims, reserved: [], now: 0)
        claims.take(settled)

        #expect(claims[1].held.contains { $0.address == shared })
        #expect(!claims[0].held.contains { $0.address == shared })
        #expect(self.ledger.settle(claims, reserved: [], now: 1).writes.isEmpty)
    }

    @Test("A host in several entries has one address, that of the older where they differ")
    mutating func sharedHost() throws {
        var claims = [
            try claim("one", ["db.example"], createdAt: 1, held: [("db.example", "10.9.0.3")]),
            try claim("two", ["db.example", "other.example"], createdAt: 2, held: [("db.example", "10.9.0.4")]),
        ]

        claims.take(self.ledger.settle(claims, reserved: [], now: 0))

        let host = try host("db.example")
        #expect(claims[0].held.filter { $0.host == host } == claims[1].held.filter { $0.host == host })
        #expect(claims[0].held.contains { $0.address == .v4(0x0A09_0003) })
    }

    @Test("A person's address or block is never given, and taken away where it was")
    mutating func userWins() throws {
        var claims = [try claim("e", ["db.example"])]
        claims.take(self.ledger.settle(claims, reserved: [], now: 0))
        let mine = try #require(claims[0].held.first?.address)

        claims.take(self.ledger.settle(claims, reserved: [CIDR(mine), try block("10.9.0.0/29")], now: 1))

        let now = try #require(claims[0].held.first?.address)
        #expect(now != mine)
        #expect(!(try block("10.9.0.0/29")).contains(now))
    }

    @Test("A block wider than the range claims nothing in it; one of its size claims all")
    mutating func wideBlocks() throws {
        let claims = [try claim("e", ["db.example"])]

        #expect(self.ledger.settle(claims, reserved: [try block("0.0.0.0/0")], now: 0).unserved.isEmpty)
        var other = AddressLedger(ranges: Self.small, drainTime: 0)
        let settled = other.settle(claims, reserved: [try block("10.9.0.0/28")], now: 0)
        #expect(settled.unserved == [try host("db.example")])
        #expect(settled.writes[claims[0].entry]?.count == 1)
    }

    @Test("When all are given the next host gets none and is told; the others keep theirs")
    mutating func exhaustion() throws {
        var claims = try (1...14).map { try claim("e\($0)", ["db\($0).example"]) }
        claims.take(self.ledger.settle(claims, reserved: [], now: 0))
        let before = claims
        claims.append(try claim("late", ["late.example"]))

        let settled = self.ledger.settle(claims, reserved: [], now: 1)

        #expect(settled.unserved == [try host("late.example")])
        #expect(Array(settled.writes.keys.map(\.name)) == ["late"])
        claims.take(settled)
        #expect(Array(claims.prefix(14)) == before)
    }

    @Test("The address of a host that has gone is nobody else's until the drain time is over")
    mutating func drains() throws {
        var claims = try (1...14).map { try claim("e\($0)", ["db\($0).example"]) }
        claims.take(self.ledger.settle(claims, reserved: [], now: 0))
        let gone = claims.removeLast()
        _ = self.ledger.settle(claims, reserved: [], now: 10)
        claims.append(try claim("new", ["new.example"]))

        let early = self.ledger.settle(claims, reserved: [], now: 109)
        let late = self.ledger.settle(claims, reserved: [], now: 110)

        #expect(early.unserved == [try host("new.example")])
        #expect(self.ledger.nextDeadline == nil)
        #expect(late.unserved.isEmpty)
        #expect(late.writes[claims[13].entry]?.map(\.address).contains(gone.held[0].address) == true)
    }

    @Test(
        "A host that comes back in the drain time gets its address back, also from a control plane that has just started"
    )
    mutating func comesBack() throws {
        var claims = [try claim("e", ["db.example"], held: [("db.example", "10.9.0.14")])]
        claims.take(self.ledger.settle(claims, reserved: [], now: 0))
        let held = claims[0].held
        _ = self.ledger.settle([], reserved: [], now: 10)
        var restarted = AddressLedger(ranges: Self.small, drainTime: Self.drainTime)
        restarted.remember(self.ledger.releases)

        let again = [try claim("again", ["db.example"])]

        #expect(self.ledger.settle(again, reserved: [], now: 50).writes.values.first == held)
        #expect(restarted.settle(again, reserved: [], now: 50).writes.values.first == held)
    }

    @Test("An entry that no longer wants its address keeps it for the drain time, for clients that remember it")
    mutating func fades() throws {
        var claims = [try claim("e", ["db.example"])]
        claims.take(self.ledger.settle(claims, reserved: [], now: 0))
        claims[0].wanting = []

        let soon = self.ledger.settle(claims, reserved: [], now: 10)
        let late = self.ledger.settle(claims, reserved: [], now: 110)

        #expect(soon.writes.isEmpty)
        #expect(late.writes[claims[0].entry] == [])
    }

    @Test("An address outside the range, or of a host that the entry does not have, is not believed")
    mutating func strangers() throws {
        var claims = [try claim("e", ["db.example"], held: [("db.example", "10.0.0.1"), ("evil.example", "10.9.0.2")])]

        claims.take(self.ledger.settle(claims, reserved: [], now: 0))

        #expect(claims[0].held.allSatisfy { $0.host.text == "db.example" && Self.small.allocates($0.address) })
        #expect(claims[0].held.count == 2)
    }

    @Test("Thousands of hosts all get theirs, none ending in .0 or .255")
    func many() throws {
        var ledger = AddressLedger(ranges: VirtualAddressRanges(), drainTime: Self.drainTime)
        let claims = try (1...20).map { entry in
            try claim("e\(entry)", (1...250).map { "db\($0).e\(entry).example" })
        }

        let settled = ledger.settle(claims, reserved: [], now: 0)

        let addresses = settled.writes.values.flatMap { $0 }.map(\.address)
        #expect(Set(addresses).count == 10_000)
        #expect(
            addresses.allSatisfy {
                if case .v4(let bits) = $0 {
                    bits >> 16 == 0xF0F0 && bits & 255 != 0 && bits & 255 != 255
                } else {
                    true
                }
            }
        )
        #expect(settled.unserved.isEmpty)
    }
}

// MARK: Builders

private func host(_ text: String) throws -> HostName { try #require(HostName(text)) }
private func block(_ text: String) throws -> CIDR { try #require(CIDR(text)) }
private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

private func ranges(_ v4: String) -> VirtualAddressRanges {
    var ranges = VirtualAddressRanges()
    ranges.allocatedV4 = CIDR(v4) ?? ranges.allocatedV4
    return ranges
}

private func claim(
    _ name: String,
    _ hosts: [String],
    createdAt: Int64 = 0,
    held: [(String, String)] = []
) throws -> AddressClaim {
    let hosts = try hosts.map(host)
    return AddressClaim(
        entry: ObjectID(namespace: "default", name: name),
        createdAt: createdAt,
        hosts: hosts,
        wanting: Set(hosts),
        held: try held.map { AddressGrant(host: try host($0.0), address: try address($0.1)) }
    )
}

extension [AddressClaim] {
    /// What the API server would hold after the writes.
    fileprivate mutating func take(_ settlement: AddressLedger.Settlement) {
        for index in self.indices {
            if let grants = settlement.writes[self[index].entry] { self[index].held = grants }
        }
    }
}
