import DNSProxy
import DNSWire
import Testing

/// What of another server's answer is believed.
@Suite struct CleanAnswerTests {
    static func name(_ text: String) throws -> DNSName { try #require(DNSName(text)) }

    static func address(_ name: String, _ bits: UInt32 = 1, ttl: UInt32 = 60) throws -> DNSRecord {
        DNSRecord(name: try Self.name(name), ttl: ttl, data: .a(bits))
    }

    static func alias(_ name: String, _ target: String, ttl: UInt32 = 60) throws -> DNSRecord {
        DNSRecord(name: try Self.name(name), ttl: ttl, data: .cname(try Self.name(target)))
    }

    static func authority(_ zone: String, ttl: UInt32 = 300, minimum: UInt32 = 60) throws -> DNSRecord {
        let zone = try Self.name(zone)
        return DNSRecord(
            name: zone,
            ttl: ttl,
            data: .soa(
                DNSStartOfAuthority(
                    primary: zone,
                    mailbox: zone,
                    serial: 1,
                    refresh: 2,
                    retry: 3,
                    expire: 4,
                    minimum: minimum
                )
            )
        )
    }

    static func message(
        _ answers: [DNSRecord],
        _ authorities: [DNSRecord] = [],
        code: DNSResponseCode = .noError
    ) -> DNSMessage {
        var header = DNSHeader(id: 1, flags: 0x8180)
        header.responseCode = code
        return DNSMessage(header: header, answers: answers, authorities: authorities)
    }

    static func question(_ name: String = "www.shop.test", _ type: DNSType = .a) throws -> DNSQuestion {
        DNSQuestion(name: try Self.name(name), type: type)
    }

    @Test("Records of names that nobody asked for are left out")
    func strangers() throws {
        let message = Self.message(
            [try Self.address("bank.test"), try Self.address("WWW.shop.test", 7), try Self.address("shop.test")],
            [DNSRecord(name: try Self.name("test"), ttl: 9, data: .opaque(.ns, try Self.name("evil.test").wire))]
        )

        let clean = try #require(CleanAnswer(message, to: try Self.question()))

        #expect(clean.message.answers == [try Self.address("www.shop.test", 7)])
        #expect(clean.message.authorities.isEmpty && clean.strangers == 2 && clean.ttl == 60 && !clean.isNegative)
    }

    @Test("Aliases come first and in their order, however they came, and the shortest time counts")
    func chain() throws {
        let message = Self.message([
            try Self.address("c.test", 9, ttl: 400), try Self.alias("b.test", "c.test", ttl: 20),
            try Self.alias("www.shop.test", "b.test", ttl: 300), try Self.address("c.test", 8, ttl: 500),
        ])

        let clean = try #require(CleanAnswer(message, to: try Self.question()))

        #expect(clean.message.answers.map(\.data.type) == [.cname, .cname, .a, .a])
        // Records of one name and type have one time.
        #expect(clean.message.answers.map(\.ttl) == [300, 20, 400, 400] && clean.ttl == 20)
    }

    @Test("Aliases in a circle end")
    func circle() throws {
        let message = Self.message([
            try Self.alias("www.shop.test", "b.test"), try Self.alias("b.test", "www.shop.test"),
        ])

        let clean = try #require(CleanAnswer(message, to: try Self.question()))

        #expect(clean.message.answers.count == 1 && clean.isNegative)
    }

    @Test("A negative answer holds for the shorter of SOA's two times", arguments: [(300, 60, 60), (30, 600, 30)])
    func negative(_ ttl: UInt32, _ minimum: UInt32, _ expected: UInt32) throws {
        let authority = try Self.authority("shop.test", ttl: ttl, minimum: minimum)
        for code in [DNSResponseCode.noError, .nameError] {
            let clean = try #require(CleanAnswer(Self.message([], [authority], code: code), to: try Self.question()))

            #expect(clean.ttl == expected && clean.isNegative && clean.message.responseCode == code)
            #expect(clean.message.authorities.map(\.ttl) == [expected])
        }
    }

    @Test("A negative answer without SOA, or with one of another zone, is not kept")
    func withoutAuthority() throws {
        for authorities in [[], [try Self.authority("other.test")], [try Self.authority("a.www.shop.test")]] {
            let message = Self.message([], authorities, code: .nameError)

            let clean = try #require(CleanAnswer(message, to: try Self.question()))

            #expect(clean.ttl == 0 && clean.message.authorities.isEmpty)
        }
    }

    @Test("Times are at most a day, also absurd ones, and a quarter of an hour for what is not there")
    func bounds() throws {
        let positive = Self.message([try Self.address("www.shop.test", ttl: 0x8000_0001)])
        let negative = Self.message([], [try Self.authority("test", ttl: .max, minimum: .max)])

        #expect(try CleanAnswer(positive, to: Self.question())?.ttl == CleanAnswer.ttlMax)
        #expect(try CleanAnswer(negative, to: Self.question())?.ttl == CleanAnswer.negativeTTLMax)
    }

    @Test("That a name does not exist, together with its address, is no answer")
    func contradiction() throws {
        let message = Self.message([try Self.address("www.shop.test")], code: .nameError)

        #expect(try CleanAnswer(message, to: Self.question()) == nil)
    }

    @Test("Signatures go to those who asked for them")
    func signatures() throws {
        let signature = DNSRecord(
            name: try Self.name("www.shop.test"),
            ttl: 60,
            data: .opaque(.rrsig, [0, 1] + Array(repeating: 7, count: 20))
        )
        let message = Self.message([try Self.address("www.shop.test"), signature])

        let plain = try #require(CleanAnswer(message, to: try Self.question()))
        let signed = try #require(CleanAnswer(message, to: try Self.question(), wantsSignatures: true))

        #expect(plain.message.answers.count == 1 && signed.message.answers.count == 2)
    }

    @Test("A question for aliases is not followed")
    func aliasOnly() throws {
        let message = Self.message([try Self.alias("www.shop.test", "b.test"), try Self.address("b.test")])

        let clean = try #require(CleanAnswer(message, to: try Self.question("www.shop.test", .cname)))

        #expect(clean.message.answers.map(\.data.type) == [.cname] && !clean.isNegative)
    }
}
