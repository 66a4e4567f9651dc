import DNSProxy
import DNSWire
import MeshModel
import MeshTestSupport
import Testing

/// Which servers are asked, over which sockets.
extension ResolverTests {
    @Test("A silent first server costs less and less, and then nothing, until it is back")
    func health() throws {
        let talk = ResolverConversation()
        var waits: [Duration] = []
        for number in 0..<6 {
            let start = talk.now
            let question = try talk.ask("n\(number).test")
            while talk.words(question) == "nothing yet" {
                // The second server answers within a millisecond.
                if let last = talk.sent.last, last.attempt.server == ResolverConversation.second {
                    try talk.pass(.milliseconds(1))
                    try talk.answer(talk.sent.count - 1, try Self.address(1, "n\(number).test"))
                } else {
                    try talk.pass(.milliseconds(50))
                }
            }
            waits.append(talk.now - start)
        }

        #expect(
            waits.prefix(3).allSatisfy { $0 >= .seconds(1) } && waits.suffix(3).allSatisfy { $0 < .milliseconds(5) }
        )
        #expect(talk.statistics.upstreams[ResolverConversation.first]?.isAlive == false)

        // Probes, not clients, find it back.
        let before = talk.sent.count
        try talk.pass(.seconds(2))
        #expect(talk.sent.count > before && talk.sent[before].message.questions.first?.type == .ns)
        try talk.answer(talk.sent.count - 1, code: .refused)
        #expect(talk.statistics.upstreams[ResolverConversation.first]?.isAlive == true)
        try talk.ask("back.test")
        #expect(talk.sent.last?.attempt.server == ResolverConversation.first)
    }

    @Test("A server that is back is asked at once about names that had failed")
    func back() throws {
        let talk = ResolverConversation([ResolverConversation.first])
        for number in 0..<4 {
            try talk.ask("n\(number).test")
            try talk.pass(.milliseconds(4500))
        }
        #expect(talk.statistics.upstreams[ResolverConversation.first]?.isAlive == false)
        #expect(talk.words(try talk.ask("n3.test")) == "failed")

        // Whatever it says to whatever question, it lives.
        try talk.ask("other.test")
        try talk.answer(talk.sent.count - 1, code: .serverFailure)

        #expect(talk.words(try talk.ask("n3.test")) == "nothing yet")
    }

    @Test("With other servers nothing that is known counts any more, except when they are silent")
    func otherServers() throws {
        let talk = ResolverConversation([ResolverConversation.first])
        try talk.ask("a.test")
        try talk.answer(0, try Self.address(0x0100_0001))

        talk.update([ResolverConversation.second])

        let question = try talk.ask("a.test")
        #expect(talk.sent.last?.attempt.server == ResolverConversation.second)
        try talk.answer(1, try Self.address(0x0200_0002))
        #expect(talk.words(question) == "forwarded NOERROR 2.0.0.2 60")
    }

    @Test("An answer of a server that was replaced meanwhile is for those who waited for it alone")
    func replaced() throws {
        let talk = ResolverConversation([ResolverConversation.first])
        let early = try talk.ask("a.test")
        talk.update([ResolverConversation.second])
        let late = try talk.ask("a.test")
        #expect(talk.sent.map(\.attempt.server) == [ResolverConversation.first, ResolverConversation.second])

        try talk.answer(0, try Self.address(0x0100_0001))

        #expect(talk.words(early) == "forwarded NOERROR 1.0.0.1 60" && talk.words(late) == "nothing yet")
        #expect(talk.statistics.cacheEntries == 0)
        try talk.answer(1, try Self.address(0x0200_0002))
        #expect(talk.words(late) == "forwarded NOERROR 2.0.0.2 60")
        #expect(talk.words(try talk.ask("a.test")) == "cached NOERROR 2.0.0.2 60" && talk.open.isEmpty)
    }

    @Test("HTTPS records are filtered once, before they are kept")
    func bindings() throws {
        let talk = ResolverConversation(bindings: .filtered)
        let question = try talk.ask("a.test", .https)
        let name = try #require(DNSName("a.test"))
        let data: [UInt8] = [0, 1, 0, 0, 4, 0, 4, 10, 0, 0, 1]
        try talk.answer(0, [DNSRecord(name: name, ttl: 60, data: .opaque(.https, data))])

        for result in [question, try talk.ask("a.test", .https)] {
            let answer: ForwardedAnswer? =
                switch result {
                case .known(.answer(let answer)): answer
                case .wait(let ticket): if case .answer(let answer)? = talk.replies[ticket] { answer } else { nil }
                case .known(.failed): nil
                }
            #expect(answer?.message?.answers.map(\.data) == [.opaque(.https, [0, 1, 0])])
        }
    }

    @Test("Too many questions at once: a failure, or the old answer")
    func overloaded() throws {
        let talk = ResolverConversation()
        try talk.ask("old.test")
        try talk.answer(0, try Self.address(0x0100_0001, ttl: 1, "old.test"))
        for number in 0..<Resolver.flightsMax { try talk.ask("n\(number).test") }
        // The others' first tries are not over yet.
        try talk.pass(.milliseconds(900))

        #expect(talk.words(try talk.ask("one-more.test")) == "failed")
        try talk.pass(.milliseconds(100))
        #expect(talk.words(try talk.ask("old.test")) == "stale NOERROR 1.0.0.1 30")
        #expect(talk.statistics.overloaded == 2)
    }

    @Test("Sockets that wait for silent servers make room for new ones, and no question starves for it")
    func sockets() throws {
        let talk = ResolverConversation(attempts: 3)
        var most = 0
        for number in 0..<400 {
            try talk.ask("n\(number).test")
            most = max(most, talk.open.count)
        }
        for _ in 0..<43 {
            try talk.pass(.milliseconds(100))
            most = max(most, talk.open.count)
        }

        #expect(most == Resolver.socketsMax && talk.statistics.triesDropped > 0)
        // All tries of all questions were sent.
        #expect(talk.sent.filter { $0.message.questions.first?.type == .a }.count == 400 * 6)
        try talk.pass(.milliseconds(200))
        #expect(talk.replies.count == 400 && talk.statistics.serverFailures == 400)
        try talk.stop()
        #expect(talk.open.isEmpty && talk.resolver.flightCount == 0)
    }

    @Test("When all servers are asked at once, sockets stay below the limit as well")
    func socketsInParallel() throws {
        let talk = ResolverConversation(isParallel: true)
        for number in 0..<Resolver.flightsMax {
            try talk.ask("n\(number).test")
            #expect(talk.open.count <= Resolver.socketsMax)
        }

        #expect(talk.resolver.flightCount == Resolver.flightsMax)
        for index in talk.sent.indices where talk.open.contains(talk.key(index)) {
            let name = talk.sent[index].message.questions.first?.name.lowercased.description ?? ""
            try talk.answer(index, try Self.address(1, name))
        }
        #expect(talk.open.isEmpty && talk.replies.count == Resolver.flightsMax)
    }

    @Test("When it stops everybody is told, and nothing stays open")
    func stops() throws {
        let talk = ResolverConversation()
        let question = try talk.ask("a.test")

        try talk.stop()

        #expect(talk.words(question) == "failed" && talk.open.isEmpty)
        #expect(talk.words(try talk.ask("b.test")) == "failed")
    }

    @Test("Whatever servers do, every client gets one answer within the budget", arguments: [UInt64](1...100))
    func always(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let talk = ResolverConversation(attempts: 2, seed: seed)
        var waiting: [(Resolver.Ticket, Duration)] = []
        for _ in 0..<120 {
            let name = "n\(random.number(0...5)).test"
            if case .wait(let ticket) = try talk.ask(name) { waiting.append((ticket, talk.now)) }
            for (index, sent) in talk.sent.enumerated().suffix(8)
            where talk.open.contains([sent.flight, sent.attempt.number]) {
                let owner = sent.message.questions.first?.name.lowercased.description ?? ""
                switch random.number(0...9) {
                case 0: try talk.fail(index)
                case 1: try talk.answer(index, code: .serverFailure)
                case 2: try talk.answer(index, random.bytes(count: random.number(0...60)))
                case 3: try talk.answer(index, ResolverConversation.bytes(sent).dropLast(3))
                case 4 where owner != ".":
                    try talk.answer(index, try Self.address(9, ttl: UInt32(random.number(0...9)), owner))
                case 5: try talk.answer(index, [], [try CleanAnswerTests.authority("test")], code: .nameError)
                default: ()
                }
            }
            try talk.pass(.milliseconds(random.number(0...3000)))
            for (ticket, since) in waiting where talk.now - since > .milliseconds(4500) {
                #expect(talk.replies[ticket] != nil, "seed \(seed)")
            }
        }
        try talk.pass(.seconds(5))
        #expect(waiting.allSatisfy { talk.replies[$0.0] != nil })
        try talk.stop()
        #expect(talk.open.isEmpty && talk.resolver.flightCount == 0)
    }
}
