import DNSProxy
import DNSWire
import MeshModel
import MeshTestSupport
import NIOCore
import Testing

/// Answers as bytes, touched up for each client.
@Suite struct KeptAnswerTests {
    private static func kept(_ answers: [DNSRecord]) throws -> KeptAnswer {
        let clean = try #require(CleanAnswer(CleanAnswerTests.message(answers), to: try CleanAnswerTests.question()))
        return try #require(KeptAnswer(clean))
    }

    private static func query(
        _ name: String = "www.shop.test",
        flags: UInt16 = 0x0100,
        edns: DNSExtension? = nil
    ) throws -> DNSQuery {
        DNSQuery(header: DNSHeader(id: 0x1234, flags: flags), question: try CleanAnswerTests.question(name), edns: edns)
    }

    @Test("Number, flags and letters are the client's, also those of the records' owner")
    func clients() throws {
        let kept = try Self.kept([try CleanAnswerTests.address("www.shop.test", 7)])

        let bytes = kept.reply(to: try Self.query("wWw.SHOP.test", flags: 0x0110), age: 0, limit: 512)

        let answer = try DNSMessage(decoding: bytes)
        #expect(answer.header.id == 0x1234 && answer.header.flags == 0x8190 && answer.edns == nil)
        #expect(answer.questions.first?.name.description == "wWw.SHOP.test")
        #expect(answer.answers.first?.name.description == "wWw.SHOP.test" && answer.answers.first?.data == .a(7))
    }

    @Test(
        "Times count down, to nothing at the end",
        arguments: [(0, 300, 60), (1, 299, 59), (60, 240, 0), (900, 0, 0)]
    )
    func ages(_ age: UInt32, _ alias: UInt32, _ address: UInt32) throws {
        let kept = try Self.kept([
            try CleanAnswerTests.alias("www.shop.test", "b.test", ttl: 300), try CleanAnswerTests.address("b.test"),
        ])

        let answer = try DNSMessage(decoding: kept.reply(to: try Self.query(), age: age, limit: 512))

        #expect(answer.answers.map(\.ttl) == [alias, address] && kept.ttl == 60)
        #expect(kept.message(age: age, timeOverride: nil)?.answers.map(\.ttl) == [alias, address])
    }

    @Test("An answer that is out of date says so, and holds for a short time")
    func stale() throws {
        let kept = try Self.kept([try CleanAnswerTests.address("www.shop.test", ttl: 900)])
        let query = try Self.query(edns: DNSExtension(payloadMax: 1232))

        let bytes = Array(kept.reply(to: query, age: 0, timeOverride: 30, limit: 512).readableBytesView)

        let answer = try DNSMessage(decoding: bytes)
        #expect(answer.answers.map(\.ttl) == [30] && answer.edns?.payloadMax == DNSRequest.payloadMax)
        // Extended error 3, stale answer.
        #expect(bytes.suffix(6) == [0, 15, 0, 2, 0, 3])
    }

    @Test("OPT goes to those who sent one, DO comes back, and AD goes to those who know it")
    func extensions() throws {
        var message = CleanAnswerTests.message([try CleanAnswerTests.address("www.shop.test")])
        message.header.flags |= 0x0020
        let clean = try #require(CleanAnswer(message, to: try CleanAnswerTests.question()))
        let kept = try #require(KeptAnswer(clean))
        func flags(_ query: DNSQuery) throws -> (ad: Bool, edns: DNSExtension?) {
            let answer = try DNSMessage(decoding: kept.reply(to: query, age: 0, limit: 512))
            return (answer.header.flags & 0x0020 != 0, answer.edns)
        }

        let plain = try flags(Self.query())
        let knows = try flags(Self.query(flags: 0x0120))
        let signed = try flags(Self.query(edns: DNSExtension(payloadMax: 512, wantsSignatures: true)))

        #expect(!plain.ad && plain.edns == nil)
        #expect(knows.ad && knows.edns == nil)
        #expect(signed.ad && signed.edns?.wantsSignatures == true)
    }

    @Test("Addresses take turns; aliases before them stay")
    func turns() throws {
        let kept = try Self.kept([
            try CleanAnswerTests.alias("www.shop.test", "b.test"), try CleanAnswerTests.address("b.test", 1),
            try CleanAnswerTests.address("b.test", 2), try CleanAnswerTests.address("b.test", 3),
        ])

        let orders = try (0..<4).map { (rotation: UInt32) -> [DNSRecord] in
            let bytes = kept.reply(to: try Self.query(), age: 5, rotation: rotation, limit: 512)
            return try DNSMessage(decoding: bytes).answers
        }

        #expect(orders.allSatisfy { $0.first?.data.type == .cname && $0.allSatisfy { $0.ttl == 55 } })
        let first: [DNSData] = orders.map { $0[1].data }
        #expect(first == [.a(1), .a(2), .a(3), .a(1)])
        #expect(orders.allSatisfy { Set($0) == Set(orders[0]) })
        #expect(kept.addresses == [.v4(1), .v4(2), .v4(3)])
    }

    @Test("What is too long for a client is cut to the question, at the very byte")
    func truncates() throws {
        let kept = try Self.kept((0..<40).map { try CleanAnswerTests.address("www.shop.test", $0) })
        let query = try Self.query(edns: DNSExtension(payloadMax: 600))
        let whole = kept.bytes.count + 11

        let fits = try DNSMessage(decoding: kept.reply(to: query, age: 0, limit: whole))
        let cut = try DNSMessage(decoding: kept.reply(to: query, age: 0, limit: whole - 1))

        #expect(fits.answers.count == 40 && !fits.header.isTruncated)
        #expect(cut.answers.isEmpty && cut.header.isTruncated && cut.edns != nil)
        #expect(cut.questions == [query.question])
    }

    @Test("For whatever answer and client, the reply is the answer", arguments: [UInt64](1...200))
    func anyAnswer(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let labels = (0..<random.number(1...5)).map { _ in random.word(length: 1...20) }
        let name = labels.joined(separator: ".")
        let owner = try #require(DNSName(name))
        let answers = (0..<random.number(0...20)).map { _ in
            DNSRecord(name: owner, ttl: UInt32(random.number(1...9000)), data: .a(UInt32(random.number(0...9))))
        }
        let authorities = answers.isEmpty ? [try CleanAnswerTests.authority(labels.last ?? "")] : []
        let question = DNSQuestion(name: owner, type: .a)
        let clean = try #require(CleanAnswer(CleanAnswerTests.message(answers, authorities), to: question))
        let kept = try #require(KeptAnswer(clean))
        let shouted = owner.withRandomCase(using: &random)
        let query = DNSQuery(
            header: DNSHeader(id: 9, flags: 0x0100),
            question: DNSQuestion(name: shouted, type: .a),
            edns: random.chance(1, outOf: 2) ? DNSExtension(payloadMax: 1232) : nil
        )

        let bytes = kept.reply(to: query, age: 0, rotation: UInt32(random.number(0...99)), limit: 4096)

        let reply = try DNSMessage(decoding: bytes)
        #expect(Set(reply.answers) == Set(clean.message.answers) && reply.answers.count == answers.count)
        #expect(reply.authorities == clean.message.authorities && (reply.edns == nil) == (query.edns == nil))
        #expect(reply.answers.allSatisfy { $0.name.wire == shouted.wire })
    }
}
