import DNSProxy
import DNSWire
import MeshModel
import Testing

@Suite struct MintTableTests {
    private var table = MintTable(entriesMax: 3, keepTime: .seconds(100))

    init() throws {
        self.table.use(try Self.rules("240.241.0.0/16"))
    }

    @Test("Names under a wildcard are covered, however deep; the name behind the star and others are not")
    func covers() throws {
        for (text, isCovered) in [
            ("db.rds.test", true), ("a.b.RDS.test", true), ("rds.test", false), ("xrds.test", false), ("test", false),
            ("db.rds.test.other", false),
        ] {
            #expect(self.table.covers(try name(text)) == isCovered, "\(text)")
        }
    }

    @Test("Each name has its own address of each family, the same again and again, whatever its case")
    mutating func mints() throws {
        let first = try #require(self.table.mint(try name("one.rds.test"), now: .zero))
        let second = try #require(self.table.mint(try name("two.rds.test"), now: .zero))

        #expect(first.v4 != nil && first.v6 != nil && first != second)
        #expect(self.table.mint(try name("ONE.rds.test"), now: .seconds(1)) == first)
        #expect(self.table.known(try name("One.rds.test"), now: .seconds(1)) == first)
        #expect(self.table.known(try name("three.rds.test"), now: .seconds(1)) == nil)
    }

    @Test("A proxy that starts again gives a name what it had")
    func isDeterministic() throws {
        var other = MintTable()
        other.use(try Self.rules("240.241.0.0/16"))
        var table = self.table

        #expect(
            other.mint(try name("one.rds.test"), now: .zero) == table.mint(try name("one.rds.test"), now: .seconds(9))
        )
    }

    @Test("A connection is led to the name of its address; one to an address that nobody has is not")
    mutating func connections() throws {
        let given = try #require(self.table.mint(try name("One.RDS.test"), now: .zero))
        let four = IPAddress.v4(try #require(given.v4))

        #expect(self.table.opened(four, now: .zero) == "one.rds.test")
        #expect(self.table.opened(.v4(0xF0F1_FFFE), now: .zero) == nil)
        #expect(self.table.connections == 1)
        self.table.closed(four, now: .zero)
        self.table.closed(four, now: .zero)
        #expect(self.table.connections == 0)
    }

    @Test("When it is full nothing in use is forgotten: not in the keep time, and not with a connection")
    mutating func isBounded() throws {
        let kept = try #require(self.table.mint(try name("kept.rds.test"), now: .zero))
        _ = self.table.opened(.v4(try #require(kept.v4)), now: .zero)
        _ = self.table.mint(try name("old.rds.test"), now: .seconds(1))
        _ = self.table.mint(try name("newer.rds.test"), now: .seconds(2))

        #expect(self.table.mint(try name("more.rds.test"), now: .seconds(100)) == nil)
        #expect(self.table.mint(try name("more.rds.test"), now: .seconds(101)) != nil)

        let names = self.table.lines(now: .seconds(101)).map(\.name)
        #expect(names == ["kept.rds.test", "more.rds.test", "newer.rds.test"])
        #expect(self.table.mint(try name("last.rds.test"), now: .seconds(1000)) != nil)
        #expect(self.table.known(try name("kept.rds.test"), now: .seconds(1000)) == kept)
    }

    @Test("What nobody used for the keep time is not shown, and is forgotten when another name comes, with room or not")
    mutating func expires() throws {
        _ = self.table.mint(try name("old.rds.test"), now: .zero)
        let old = try #require(self.table.known(try name("old.rds.test"), now: .zero)?.v4)

        #expect(self.table.lines(now: .seconds(99)).map(\.name) == ["old.rds.test"])
        #expect(self.table.lines(now: .seconds(100)).isEmpty)
        _ = self.table.mint(try name("new.rds.test"), now: .seconds(100))

        #expect(self.table.count == 1)
        let opened = self.table.opened(.v4(old), now: .seconds(100))
        #expect(opened == nil)
    }

    @Test("The keep time begins anew with each answer and with the end of the last connection")
    mutating func keepTime() throws {
        var table = MintTable(entriesMax: 1, keepTime: .seconds(100))
        table.use(try Self.rules("240.241.0.0/16"))
        let given = try #require(table.mint(try name("a.rds.test"), now: .zero))
        let four = IPAddress.v4(try #require(given.v4))

        _ = table.known(try name("a.rds.test"), now: .seconds(90))
        #expect(table.mint(try name("b.rds.test"), now: .seconds(189)) == nil)
        _ = table.opened(four, now: .seconds(189))
        table.closed(four, now: .seconds(500))
        #expect(table.mint(try name("b.rds.test"), now: .seconds(599)) == nil)
        #expect(table.mint(try name("b.rds.test"), now: .seconds(600)) != nil)
        #expect(table.opened(four, now: .seconds(600)) == nil || table.lines(now: .zero).map(\.name) == ["b.rds.test"])
    }

    @Test("Two names that begin at one place do not share an address, and a range that is full gives none")
    func smallRange() throws {
        var table = MintTable(keepTime: .seconds(100))
        table.use(try Self.rules("10.0.0.0/29", nil))
        let given = try (1...6).map { try #require(table.mint(try name("n\($0).rds.test"), now: .zero)?.v4) }

        #expect(Set(given).count == 6)
        #expect(table.mint(try name("n7.rds.test"), now: .zero) == nil)
    }

    @Test("After a change of the range names get addresses of the new one, and old connections stay with their names")
    mutating func rangeChanges() throws {
        let old = try #require(self.table.mint(try name("a.rds.test"), now: .zero)?.v4)
        #expect(self.table.opened(.v4(old), now: .zero) == "a.rds.test")

        self.table.use(try Self.rules("10.9.0.0/16"))

        #expect(self.table.known(try name("a.rds.test"), now: .zero) == nil)
        let new = try #require(self.table.mint(try name("a.rds.test"), now: .zero)?.v4)
        #expect(new >> 16 == 0x0A09)
    }

    @Test("Without a wildcard nothing is covered")
    mutating func noWildcards() throws {
        self.table.use(MintTable.Rules())

        #expect(!self.table.covers(try name("db.rds.test")))
        #expect(self.table.mint(try name("db.rds.test"), now: .zero) == nil)
    }

    private static func rules(_ v4: String, _ v6: String? = "2001:2:1::/48") throws -> MintTable.Rules {
        MintTable.Rules(suffixes: [try name("rds.test")], v4: CIDR(v4), v6: v6.flatMap { CIDR($0) })
    }
}

private func name(_ text: String) throws -> DNSName { try #require(DNSName(text)) }
