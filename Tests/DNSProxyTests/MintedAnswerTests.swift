import DNSProxy
import DNSWire
import MeshModel
import NIOCore
import Testing

@Suite struct MintedAnswerTests {
    @Test("A name under a wildcard is asked for elsewhere once, and answered with an address of its own")
    func mints() throws {
        let talk = Talk()

        let first = try talk.ask("db1.RDS.test", .a)
        #expect(talk.forwarded.map(\.name.description) == ["db1.RDS.test"])
        try talk.answer(0, [.a(0x0A01_0101)])
        let second = try talk.ask("db1.rds.test", .a)
        _ = try talk.ask("db2.rds.test", .a)
        try talk.answer(1, [.a(0x0A01_0101)])

        #expect(talk.forwarded.count == 2)
        let given = try #require(try talk.reply(first).answers.first)
        #expect(given.name.description == "db1.RDS.test")
        let address = try #require(given.data.v4)
        #expect(address >> 16 == 0xF0F1)
        #expect(try talk.reply(second).answers.first?.data.v4 == address)
        let other = try #require(try talk.reply(2).answers.first?.data.v4)
        #expect(other >> 16 == 0xF0F1 && other != address)
        #expect(talk.minted.connectionOpened(.v4(address)) == "db1.rds.test")
        #expect(talk.minted.connectionOpened(.v4(other)) == "db2.rds.test")
    }

    @Test("That there is no such name, or no address, or no answer, is said as it is, and gives nothing")
    func negative() throws {
        let talk = Talk()

        let none = try talk.ask("no.rds.test", .a)
        try talk.answer(0, [], code: .nameError)
        let empty = try talk.ask("empty.rds.test", .aaaa)
        try talk.answer(1, [])
        let dead = try talk.ask("dead.rds.test", .a)
        talk.fail(2)

        #expect(try talk.reply(none).header.responseCode == .nameError)
        #expect(try talk.reply(empty).header.responseCode == .noError && talk.reply(empty).answers.isEmpty)
        #expect(try talk.reply(dead).header.responseCode == .serverFailure)
        #expect(talk.minted.lines.isEmpty)
    }

    @Test("Whose an address of the ranges is, is said here and asked of nobody; of others' addresses it is asked")
    func reverse() throws {
        let talk = Talk()
        _ = try talk.ask("DB.rds.test", .a)
        try talk.answer(0, [.a(0x0A01_0101)])
        let given = try #require(talk.minted.lines.first?.addresses)

        let replies = try given.map { try talk.reply(talk.ask(DNSTable.reverseName(of: $0), .ptr)) }
        let nobody = try talk.reply(talk.ask("255.255.241.240.in-addr.arpa", .ptr))
        let other = try talk.reply(talk.ask(DNSTable.reverseName(of: given[0]), .txt))

        #expect(given.count == 2)
        let owner = try #require(DNSName("db.rds.test"))
        #expect(replies.map { $0.answers.map(\.data) } == [[.ptr(owner)], [.ptr(owner)]])
        #expect(nobody.header.responseCode == .noError && nobody.answers.isEmpty && nobody.authorities.count == 1)
        #expect(other.header.responseCode == .noError && other.answers.isEmpty)
        #expect(talk.forwarded.count == 1)
        _ = try talk.ask("1.2.0.192.in-addr.arpa", .ptr)
        #expect(talk.forwarded.count == 2)
    }

    @Test("Answers may be kept as long as the workload's settings say")
    func ttl() throws {
        let talk = Talk(ttl: 7)

        let first = try talk.ask("db.rds.test", .a)
        try talk.answer(0, [.a(0x0A01_0101)])
        let known = try talk.ask("db.rds.test.default.svc.cluster.local", .aaaa)

        #expect(try talk.reply(first).answers.map(\.ttl) == [7])
        #expect(try talk.reply(known).answers.map(\.ttl) == [7, 7])
        #expect(MintTable.keepTime(ttl: 86_400) == .seconds(90_000))
    }

    @Test("Once a name has addresses both families are answered from here")
    func families() throws {
        let talk = Talk()
        _ = try talk.ask("db.rds.test", .a)
        try talk.answer(0, [.a(0x0A01_0101)])

        let six = try talk.ask("db.rds.test", .aaaa)

        guard case .aaaa(let high, _)? = try talk.reply(six).answers.first?.data else {
            Issue.record("no AAAA record")
            return
        }
        #expect(high == 0x2001_0002_0001_0000)
    }

    @Test("A search domain behind the name is answered with an alias and the address at once")
    func searchDomain() throws {
        let talk = Talk()

        let expanded = try talk.ask("db.rds.test.default.svc.cluster.local", .a)
        #expect(talk.forwarded.map(\.name.description) == ["db.rds.test"])
        try talk.answer(0, [.a(0x0A01_0101)])

        let answers = try talk.reply(expanded).answers
        #expect(answers.count == 2)
        guard case .cname(let target)? = answers.first?.data else {
            Issue.record("no alias in front")
            return
        }
        #expect(target.description == "db.rds.test")
        #expect(answers.last?.name == target && answers.last?.data.v4.map { $0 >> 16 } == 0xF0F1)
    }

    @Test("Other search domains count from then on, and those from before no longer")
    func otherSearchDomains() throws {
        let talk = Talk()

        talk.minted.use(search: ["corp.test"])
        _ = try talk.ask("db.rds.test.corp.test", .a)
        _ = try talk.ask("db.rds.test.svc.cluster.local", .a)

        #expect(talk.forwarded.map(\.name.description) == ["db.rds.test", "db.rds.test.svc.cluster.local"])
    }

    @Test("Records that could lead past the proxy are empty; other types are others' business")
    func otherTypes() throws {
        let talk = Talk()

        let bindings = try talk.ask("db.rds.test", .https)
        _ = try talk.ask("db.rds.test", .txt)

        #expect(try talk.reply(bindings).header.responseCode == .noError && talk.reply(bindings).answers.isEmpty)
        #expect(try talk.reply(bindings).authorities.count == 1)
        #expect(talk.forwarded.map(\.type) == [.txt])
    }

    @Test("Who asks for records of any type gets no address that would lead past the proxy")
    func anyType() throws {
        let talk = Talk()

        let any = try talk.ask("db.rds.test", .any)

        #expect(try talk.reply(any).header.responseCode == .noError && talk.reply(any).answers.isEmpty)
        #expect(talk.forwarded.isEmpty)
    }

    @Test("An alias of ours that leads under a wildcard is answered with itself and an address of the name's own")
    func alias() throws {
        let talk = Talk()

        let first = try talk.ask("alias.test", .a)
        #expect(talk.forwarded.map(\.name.description) == ["db.rds.test"])
        try talk.answer(0, [.a(0x0A01_0101)])
        let second = try talk.ask("alias.test", .a)

        for number in [first, second] {
            let answers = try talk.reply(number).answers
            #expect(answers.map(\.name.description) == ["alias.test", "db.rds.test"])
            let address = try #require(answers.last?.data.v4)
            #expect(address >> 16 == 0xF0F1 && talk.minted.connectionOpened(.v4(address)) == "db.rds.test")
            let names = talk.names.given(.v4(address), grace: .zero, now: .now).map(\.name.description)
            #expect(Set(names) == ["db.rds.test", "alias.test"])
        }
        #expect(talk.forwarded.count == 1)
    }

    @Test("That an alias leads to nothing under a wildcard is said behind the alias")
    func aliasToNothing() throws {
        let talk = Talk()

        let none = try talk.ask("alias.test", .a)
        try talk.answer(0, [], code: .nameError)

        #expect(try talk.reply(none).header.responseCode == .nameError)
        #expect(try talk.reply(none).answers.map(\.name.description) == ["alias.test"])
        #expect(talk.minted.lines.isEmpty)
    }

    @Test("Names of the table come first, and names outside pass by")
    func others() throws {
        let talk = Talk()

        let exact = try talk.ask("exact.rds.test", .a)
        let far = try talk.ask("far.test", .a)
        try talk.answer(0, [.a(0x0808_0808)])

        #expect(try talk.reply(exact).answers.first?.data.v4 == 0x0A00_0007)
        #expect(try talk.reply(far).answers.first?.data.v4 == 0x0808_0808)
        #expect(talk.minted.lines.isEmpty)
    }

    @Test("What was known of a name before its wildcard came is not said any more")
    func renumbers() {
        let table = CurrentTable(DNSTable())
        let before = table.held.number

        table.renumber()

        #expect(table.held.number != before)
        let talk = Talk()
        #expect(!talk.minted.use(wildcards: ["*.RDS.test"], v4: CIDR("240.241.0.0/16"), v6: CIDR("2001:2:1::/48")))
        #expect(talk.minted.use(wildcards: ["*.rds.test", "*.b.test"], v4: CIDR("240.241.0.0/16"), v6: nil))
    }

    @Test("When there is no room the client is told to try again, and it is counted")
    func full() throws {
        let talk = Talk(entriesMax: 1)
        _ = try talk.ask("one.rds.test", .a)
        try talk.answer(0, [.a(0x0A01_0101)])

        let second = try talk.ask("two.rds.test", .a)
        try talk.answer(1, [.a(0x0A01_0102)])

        #expect(try talk.reply(second).header.responseCode == .serverFailure)
        #expect(talk.minted.counts.refused == 1 && talk.minted.counts.names == 1)
    }
}

/// A client, and the servers elsewhere, around a core with a wildcard.
private final class Talk {
    let minted: MintedNames
    private(set) var forwarded: [DNSQuestion] = []
    private var pending: [(DNSQuery, (ForwardResult) -> Void)] = []
    private var replies: [Int: ByteBuffer] = [:]
    private var count = 0
    let names = RecentNames()
    private lazy var core = AnsweringCore(
        table: DNSTable(hosts: [
            DNSHost(name: "exact.rds.test", addresses: [.v4(0x0A00_0007)]),
            DNSHost(name: "alias.test", addresses: [], alias: "db.rds.test"),
        ]),
        recentNames: self.names,
        minted: self.minted,
        forward: { [unowned self] query, done in
            self.forwarded.append(query.question)
            self.pending.append((query, done))
        }
    )

    init(entriesMax: Int = 100, ttl: UInt32 = DNSTable.ttl) {
        self.minted = MintedNames(
            search: ["default.svc.cluster.local", "svc.cluster.local"],
            ttl: ttl,
            table: MintTable(entriesMax: entriesMax)
        )
        self.minted.use(wildcards: ["*.rds.test"], v4: CIDR("240.241.0.0/16"), v6: CIDR("2001:2:1::/48"))
    }

    /// - Returns: the number of the question, for `reply`.
    func ask(_ name: String, _ type: DNSType) throws -> Int {
        var buffer = ByteBuffer()
        DNSMessage(
            header: DNSHeader(id: 1, flags: 0x0100),
            questions: [DNSQuestion(name: try #require(DNSName(name)), type: type)]
        ).encode(into: &buffer, limit: 512)
        let number = self.count
        self.count += 1
        self.core.handle(buffer, .udp(from: nil)) { self.replies[number] = $0 }
        return number
    }

    func answer(_ index: Int, _ data: [DNSData], code: DNSResponseCode = .noError) throws {
        let (query, done) = self.pending[index]
        var header = DNSHeader(id: 7777, flags: 0x8180)
        header.responseCode = code
        let message = DNSMessage(
            header: header,
            questions: [query.question],
            answers: data.map { DNSRecord(name: query.question.name, ttl: 9, data: $0) }
        )
        let clean = try #require(CleanAnswer(message, to: query.question))
        done(.answer(ForwardedAnswer(try #require(KeptAnswer(clean)))))
    }

    func fail(_ index: Int) { self.pending[index].1(.failed) }

    func reply(_ number: Int) throws -> DNSMessage { try DNSMessage(decoding: try #require(self.replies[number])) }
}

extension DNSData {
    fileprivate var v4: UInt32? { if case .a(let bits) = self { bits } else { nil } }
}
