import DNSProxy
import DNSWire
import MeshModel
import MeshTestSupport
import Testing

/// Scripted conversations: questions of clients, what servers say and when, and what clients get.
@Suite struct ResolverTests {
    static func address(_ bits: UInt32, ttl: UInt32 = 60, _ name: String = "a.test") throws -> [DNSRecord] {
        [try CleanAnswerTests.address(name, bits, ttl: ttl)]
    }

    @Test("An answer is asked for once, then known, with times that count down, until its time is over")
    func caches() throws {
        let talk = ResolverConversation()
        let first = try talk.ask("A.test")
        #expect(talk.words(first) == "nothing yet" && talk.sent.count == 1)
        try talk.answer(0, try Self.address(0x0100_0001))
        #expect(talk.words(first) == "forwarded NOERROR 1.0.0.1 60" && talk.open.isEmpty)

        try talk.pass(.milliseconds(59_900))
        let second = try talk.ask("a.TEST")
        try talk.pass(.milliseconds(100))
        let third = try talk.ask("a.test")

        #expect(talk.words(second) == "cached NOERROR 1.0.0.1 1")
        #expect(talk.words(third) == "nothing yet" && talk.sent.count == 2)
        let counters = talk.statistics
        #expect(counters.cacheHits == 1 && counters.cacheMisses == 2 && counters.forwardedAnswers == 1)
        #expect(counters.cacheEntries == 1 && counters.cacheBytes > 0)
    }

    @Test("What goes to servers has a number, letters and flags of our own, and always EDNS")
    func questions() throws {
        let talk = ResolverConversation()
        for number in 0..<8 { try talk.ask("www.example\(number).test") }

        let sent = talk.sent
        #expect(Set(sent.map(\.message.header.id)).count == 8)
        #expect(sent.allSatisfy { $0.message.header.flags == 0x0120 })
        #expect(sent.allSatisfy { $0.message.edns?.payloadMax == 1232 })
        let names = sent.compactMap(\.message.questions.first?.name.description)
        #expect(names.count == 8 && names.allSatisfy { $0 != $0.lowercased() && $0 != $0.uppercased() })
    }

    @Test("Equal questions at the same time are asked once")
    func joins() throws {
        let talk = ResolverConversation()
        let questions = try ["a.test", "A.TEST", "a.Test"].map { try talk.ask($0) }
        #expect(talk.sent.count == 1)

        try talk.answer(0, try Self.address(0x0100_0001))

        #expect(questions.allSatisfy { talk.words($0) == "forwarded NOERROR 1.0.0.1 60" })
        #expect(talk.statistics.joined == 2 && talk.statistics.forwardedAnswers == 3)
    }

    @Test("That something is not there is known for as long as its SOA says")
    func negative() throws {
        let talk = ResolverConversation()
        try talk.ask("a.test")
        try talk.answer(0, [], [try CleanAnswerTests.authority("test", minimum: 20)], code: .nameError)

        try talk.pass(.seconds(19))
        let known = try talk.ask("a.test")
        try talk.pass(.seconds(1))
        let later = try talk.ask("a.test")

        #expect(talk.words(known) == "cached NXDOMAIN" && talk.words(later) == "nothing yet")
        #expect(talk.statistics.cacheNegativeHits == 1)
    }

    @Test("A name without address of one family is not a name that does not exist")
    func noData() throws {
        let talk = ResolverConversation()
        let six = try talk.ask("a.test", .aaaa)
        try talk.answer(0, [], [try CleanAnswerTests.authority("test")])
        let four = try talk.ask("a.test")
        try talk.answer(1, try Self.address(0x0100_0001))

        #expect(talk.words(six) == "forwarded NOERROR" && talk.words(four) == "forwarded NOERROR 1.0.0.1 60")
    }

    @Test("When a server is slow and the time is over, clients get the old answer before they give up")
    func slow() throws {
        let talk = ResolverConversation()
        try talk.ask("a.test")
        try talk.answer(0, try Self.address(0x0100_0001))
        try talk.pass(.seconds(61))

        let first = try talk.ask("a.test")
        try talk.pass(.milliseconds(1799))
        #expect(talk.words(first) == "nothing yet")
        try talk.pass(.milliseconds(1))
        #expect(talk.words(first) == "stale NOERROR 1.0.0.1 30")
        // The question goes on; others need not wait.
        #expect(talk.words(try talk.ask("a.test")) == "stale NOERROR 1.0.0.1 30")
        try talk.answer(1, try Self.address(0x0200_0002))
        #expect(talk.words(try talk.ask("a.test")) == "cached NOERROR 2.0.0.2 60")
        #expect(talk.statistics.staleAnswers == 2 && talk.open.isEmpty)
    }

    @Test("When nobody answers, the old answer goes on for a day, and servers are left alone in between")
    func stale() throws {
        let talk = ResolverConversation()
        try talk.ask("a.test")
        try talk.answer(0, try Self.address(0x0100_0001))
        try talk.pass(.seconds(61))

        let first = try talk.ask("a.test")
        try talk.fail(1)
        try talk.fail(2)
        #expect(talk.words(first) == "stale NOERROR 1.0.0.1 30")
        try talk.pass(.seconds(29))
        #expect(talk.words(try talk.ask("a.test")) == "stale NOERROR 1.0.0.1 30" && talk.sent.count == 3)
        try talk.pass(.seconds(1))
        #expect(talk.words(try talk.ask("a.test")) == "nothing yet" && talk.sent.count == 4)
        try talk.pass(.seconds(86_400))

        let late = try talk.ask("a.test")
        try talk.pass(.seconds(5))
        #expect(talk.words(late) == "failed")
    }

    @Test("SERVFAIL is no news: the old answer goes on; that the name is gone, is")
    func serverFailure() throws {
        let talk = ResolverConversation([ResolverConversation.first])
        try talk.ask("a.test")
        try talk.answer(0, try Self.address(0x0100_0001))
        try talk.pass(.seconds(61))

        let first = try talk.ask("a.test")
        try talk.answer(1, code: .serverFailure)
        #expect(talk.words(first) == "stale NOERROR 1.0.0.1 30")
        try talk.pass(.seconds(31))
        let second = try talk.ask("a.test")
        try talk.answer(2, [], [try CleanAnswerTests.authority("test")], code: .nameError)
        #expect(talk.words(second) == "forwarded NXDOMAIN")
    }

    @Test("Without an old answer a client hears of the failure within the budget, and others at once")
    func fails() throws {
        let talk = ResolverConversation(attempts: 2)
        let first = try talk.ask("a.test")
        try talk.pass(.milliseconds(4499))
        #expect(talk.words(first) == "nothing yet")
        try talk.pass(.milliseconds(1))
        #expect(talk.words(first) == "failed" && talk.open.isEmpty && talk.resolver.flightCount == 0)

        let sent = talk.sent.count
        #expect(talk.words(try talk.ask("a.test")) == "failed" && talk.sent.count == sent)
        try talk.pass(.seconds(1))
        #expect(talk.words(try talk.ask("a.test")) == "nothing yet" && talk.sent.count == sent + 1)
        #expect(talk.statistics.serverFailures == 2 && talk.statistics.failuresCached == 1)
    }

    @Test("A popular answer is renewed before its time is over, and nobody waits")
    func prefetch() throws {
        let talk = ResolverConversation()
        try talk.ask("a.test")
        try talk.answer(0, try Self.address(0x0100_0001, ttl: 100))
        try talk.pass(.seconds(50))
        for _ in 0..<3 { try talk.ask("a.test") }
        #expect(talk.sent.count == 1)
        try talk.pass(.seconds(41))

        let last = try talk.ask("a.test")
        #expect(talk.words(last) == "cached NOERROR 1.0.0.1 9" && talk.sent.count == 2)
        // Once is enough.
        try talk.ask("a.test")
        #expect(talk.sent.count == 2)
        try talk.answer(1, try Self.address(0x0200_0002, ttl: 100))
        #expect(talk.words(try talk.ask("a.test")) == "cached NOERROR 2.0.0.2 100")
        #expect(talk.statistics.prefetches == 1 && talk.statistics.forwardedAnswers == 1)
    }

    @Test("A renewal that fails takes nothing away")
    func prefetchFails() throws {
        let talk = ResolverConversation([ResolverConversation.first])
        try talk.ask("a.test")
        try talk.answer(0, try Self.address(0x0100_0001, ttl: 100))
        try talk.pass(.seconds(91))
        for _ in 0..<3 { try talk.ask("a.test") }
        try talk.fail(1)

        #expect(talk.words(try talk.ask("a.test")) == "cached NOERROR 1.0.0.1 9")
    }

    @Test("Forged answers are counted and change nothing", arguments: UpstreamQuestion.Forgery.allCases)
    func forged(_ kind: UpstreamQuestion.Forgery) throws {
        let talk = ResolverConversation()
        let question = try talk.ask("bank.test")
        var sent = talk.sent[0]
        switch kind {
        case .number: sent.message.header.id ^= 1
        case .question: sent.message.questions = [try CleanAnswerTests.question("bank.test", .aaaa)]
        case .letterCase: sent.message.questions = [try CleanAnswerTests.question("bank.test")]
        case .noAnswer: ()
        }
        var bytes = ResolverConversation.bytes(sent, try Self.address(0x0666_0666, "bank.test"))
        if kind == .noAnswer { bytes[2] &= 0x7f }

        try talk.answer(0, bytes)

        #expect(talk.words(question) == "nothing yet" && talk.statistics.forged == [kind: 1])
        #expect(talk.statistics.cacheEntries == 0)
        // The letters may also be changed by a server: it is asked where nobody can come in between.
        let real = kind == .letterCase ? 1 : 0
        #expect(talk.sent.last?.attempt.transport == (kind == .letterCase ? .tcp : .udp))
        try talk.answer(real, try Self.address(0x0100_0001, "bank.test"))
        #expect(talk.words(question) == "forwarded NOERROR 1.0.0.1 60" && talk.open.isEmpty)
    }

    @Test("Records of other names come into no answer and no cache")
    func poisoned() throws {
        let talk = ResolverConversation()
        let question = try talk.ask("a.test")
        try talk.answer(0, try Self.address(0x0100_0001) + Self.address(0x0666_0666, "bank.test"))

        #expect(talk.words(question) == "forwarded NOERROR 1.0.0.1 60" && talk.statistics.strangers == 1)
        #expect(talk.words(try talk.ask("bank.test")) == "nothing yet")
    }

    @Test(
        "A server that changes letters is found out, with TCP or without, and asked as it likes from then on",
        arguments: [true, false]
    )
    func losesCase(_ hasTCP: Bool) throws {
        let talk = ResolverConversation([ResolverConversation.first])
        /// What a server makes of it that knows small letters only.
        func lowered(_ index: Int) throws -> [UInt8] {
            var sent = talk.sent[index]
            let name = sent.message.questions.first?.name.lowercased.description ?? ""
            sent.message.questions = [try CleanAnswerTests.question(name)]
            return ResolverConversation.bytes(sent, try Self.address(1, name))
        }
        let first = try talk.ask("Www.example.test")
        try talk.answer(0, try lowered(0))
        #expect(talk.sent[1].attempt.transport == .tcp && talk.statistics.forged == [.letterCase: 1])
        if hasTCP {
            try talk.answer(1, try lowered(1))
        } else {
            try talk.fail(1)
            #expect(talk.sent[2].attempt.transport == .udp)
            try talk.answer(2, try lowered(2))
        }
        #expect(talk.words(first) == "forwarded NOERROR 0.0.0.1 60")

        let second = try talk.ask("Other.test")
        try talk.answer(talk.sent.count - 1, try lowered(talk.sent.count - 1))

        #expect(talk.sent.last?.attempt.transport == .udp && talk.statistics.forged == [.letterCase: 1])
        #expect(talk.words(second) == "forwarded NOERROR 0.0.0.1 60" && talk.open.isEmpty)
    }

    @Test(
        "A server that does not understand EDNS is known by a proper answer without it, and by nothing else",
        arguments: [(DNSResponseCode.noError, false), (.nameError, false), (.notImplemented, true), (.refused, true)]
    )
    func lacksEDNS(_ plain: DNSResponseCode, _ hasEDNS: Bool) throws {
        let talk = ResolverConversation([ResolverConversation.first])
        try talk.ask("a.test")
        try talk.answer(0, code: .notImplemented)
        #expect(talk.sent[1].message.edns == nil)
        try talk.answer(1, [], [try CleanAnswerTests.authority("test")], code: plain)

        try talk.ask("b.test")

        #expect((talk.sent.last?.message.edns != nil) == hasEDNS)
        try talk.pass(.seconds(3600))
        try talk.ask("c.test")
        #expect(talk.sent.last?.message.edns != nil)
    }

    @Test("A server is not taken for one that loses letters because it refuses a question in any letters")
    func keepsCase() throws {
        let talk = ResolverConversation([ResolverConversation.first])
        try talk.ask("www.example.test")
        var sent = talk.sent[0]
        sent.message.questions = [try CleanAnswerTests.question("www.example.test")]
        try talk.answer(0, ResolverConversation.bytes(sent))
        try talk.fail(1)
        #expect(talk.sent[2].attempt.isCaseless)
        try talk.answer(2, code: .refused)

        try talk.ask("other.example.test")

        let name = talk.sent.last?.message.questions.first?.name.description ?? ""
        #expect(name != name.lowercased())
    }
}
