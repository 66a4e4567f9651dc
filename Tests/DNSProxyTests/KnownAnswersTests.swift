import DNSProxy
import DNSWire
import Testing

@Suite struct KnownAnswersTests {
    private static func query(_ name: String, _ type: DNSType = .a) throws -> DNSQuery {
        DNSQuery(header: DNSHeader(id: 7, flags: 0x0100), question: try CleanAnswerTests.question(name, type))
    }

    /// Whether the answer to a question is known.
    private static func knows(_ known: KnownAnswers, _ query: DNSQuery, at now: Duration) -> Bool {
        let key = AnswerCache.Key(query)
        return query.question.name.lowercased.wire.withUnsafeBytes { name in
            known.answer(name, query.question.type, flags: key.flags, table: 1, now: now) != nil
        }
    }

    @Test("An answer is given until the last tenth of its time, and under its own table alone")
    func gives() throws {
        let known = KnownAnswers()
        let query = try Self.query("a.test")
        let answer = try AnswerCacheTests.answer("a.test", ttl: 100)
        known.put(ForwardedAnswer(answer, came: .zero, now: .zero), to: query, table: 1)

        #expect(Self.knows(known, query, at: .milliseconds(89_999)))
        #expect(!Self.knows(known, query, at: .seconds(90)))
        known.put(ForwardedAnswer(answer, came: .zero, now: .zero), to: query, table: 2)
        #expect(!Self.knows(known, query, at: .zero))
    }

    @Test("How often an answer was given is told once; what was not found does not count")
    func counts() throws {
        let known = KnownAnswers()
        let query = try Self.query("a.test")
        let other = try Self.query("b.test")
        let answer = try AnswerCacheTests.answer("a.test")
        known.put(ForwardedAnswer(answer, came: .zero, now: .zero), to: query, table: 1)
        for _ in 0..<3 { #expect(Self.knows(known, query, at: .zero)) }
        #expect(!Self.knows(known, other, at: .zero) && !Self.knows(known, query, at: .seconds(60)))

        let hits = [known.takeHits(AnswerCache.Key(other)), known.takeHits(AnswerCache.Key(query))]

        #expect(hits == [0, 3] && known.takeHits(AnswerCache.Key(query)) == 0)
        _ = Self.knows(known, query, at: .zero)
        #expect(known.takeHits(AnswerCache.Key(try Self.query("A.TEST"))) == 1)
        known.removeAll()
        #expect(known.takeHits(AnswerCache.Key(query)) == 0)
    }
}
