import DNSProxy
import DNSWire
import MeshModel
import MeshTestSupport
import NIOCore
import Testing

/// Scripted conversations: a question, what servers say and when, and what follows.
@Suite struct UpstreamQuestionTests {
    private static let first = DNSUpstream(address: .v4(0x0a00_0001))
    private static let second = DNSUpstream(address: .v4(0x0a00_0002))

    private static func question(_ type: DNSType = .a) throws -> DNSQuestion {
        DNSQuestion(name: try #require(DNSName("WWW.example.test")), type: type)
    }

    private static func machine(
        _ servers: [DNSUpstream],
        attempts: Int = 1,
        rotates: Bool = false,
        first: Int = 0
    ) throws -> UpstreamQuestion {
        let upstreams = DNSUpstreams(servers: servers, attempts: attempts, rotates: rotates)
        return UpstreamQuestion(
            question: try Self.question(),
            plan: UpstreamPlan(upstreams, UpstreamHealth(servers), first: first, now: .zero),
            random: SeededGenerator(seed: 11)
        )
    }

    /// A server's answer to a try.
    private static func answer(
        _ attempt: UpstreamQuestion.Attempt,
        _ code: DNSResponseCode = .noError,
        truncated: Bool = false,
        id: UInt16? = nil,
        name: String? = nil
    ) throws -> [UInt8] {
        var header = DNSHeader(id: id ?? attempt.id, flags: 0x8180)
        header.responseCode = code
        header.isTruncated = truncated
        let owner = name == nil ? attempt.name : try #require(DNSName(name ?? ""))
        var message = DNSMessage(header: header, questions: [DNSQuestion(name: owner, type: .a)])
        if code == .noError, !truncated { message.answers = [DNSRecord(name: owner, ttl: 9, data: .a(1))] }
        var buffer = ByteBuffer()
        message.encode(into: &buffer, limit: 65_535)
        return Array(buffer.readableBytesView)
    }

    private static func attempt(_ start: [UpstreamQuestion.OnTrouble]) throws -> UpstreamQuestion.Attempt {
        try #require(start.count == 1)
        return try Self.attempt(start[0])
    }

    private static func attempt(_ trouble: UpstreamQuestion.OnTrouble) throws -> UpstreamQuestion.Attempt {
        guard case .ask(let attempt) = trouble else { throw NoAttempt(what: "\(trouble)") }
        return attempt
    }

    private static func attempt(_ answer: UpstreamQuestion.OnAnswer) throws -> UpstreamQuestion.Attempt {
        guard case .ask(let attempt) = answer else { throw NoAttempt(what: "\(answer)") }
        return attempt
    }

    private struct NoAttempt: Error {
        var what: String
    }

    private static func isFinished(_ answer: UpstreamQuestion.OnAnswer, _ code: DNSResponseCode = .noError) -> Bool {
        guard case .finish(let found) = answer else { return false }
        return found.message.responseCode == code
    }

    @Test("The first server's answer is the answer, also that there is nothing", arguments: [0, 3] as [UInt16])
    func answered(_ code: UInt16) throws {
        var machine = try Self.machine([Self.first, Self.second])
        let attempt = try Self.attempt(machine.started())
        let code = DNSResponseCode(rawValue: code)

        let answer = machine.answered(attempt.number, try Self.answer(attempt, code))

        #expect(attempt.server == Self.first && attempt.transport == .udp)
        #expect(Self.isFinished(answer, code))
        #expect(machine.answered(attempt.number, try Self.answer(attempt)) == .ignore)
    }

    @Test("Without servers a question fails at once")
    func noServers() throws {
        var machine = try Self.machine([])

        #expect(machine.started() == [.fail])
    }

    @Test("Answers with another number, another question, or none at all are not for us")
    func forged() throws {
        var machine = try Self.machine([Self.first])
        let attempt = try Self.attempt(machine.started())

        var query = try Self.answer(attempt)
        query[2] &= 0x7f
        let forged: [([UInt8], UpstreamQuestion.Forgery)] = [
            (try Self.answer(attempt, id: attempt.id &+ 1), .number),
            (try Self.answer(attempt, name: "evil.example.test"), .question),
            ([], .number), (Array(repeating: 0, count: 11), .number), (query, .noAnswer),
        ]

        for (bytes, kind) in forged { #expect(machine.answered(attempt.number, bytes) == .forged(kind)) }
        #expect(Self.isFinished(machine.answered(attempt.number, try Self.answer(attempt))))
    }

    @Test("A silent server is asked aside while the next is asked, and its late answer counts")
    func late() throws {
        var machine = try Self.machine([Self.first, Self.second])
        let one = try Self.attempt(machine.started())
        let two = try Self.attempt(machine.attemptTimedOut(one.number))

        #expect(two.server == Self.second && two.id != one.id)
        #expect(machine.attemptTimedOut(two.number) == .wait)
        #expect(Self.isFinished(machine.answered(one.number, try Self.answer(one))))
    }

    @Test("Servers that fail, refuse or are not there are passed over; when all did, the question fails")
    func allFail() throws {
        var machine = try Self.machine([Self.first, Self.second], attempts: 2)
        let one = try Self.attempt(machine.started())
        let two = try Self.attempt(machine.answered(one.number, try Self.answer(one, .serverFailure)))
        let three = try Self.attempt(machine.attemptFailed(two.number))
        let four = try Self.attempt(machine.answered(three.number, try Self.answer(three, .refused)))

        #expect([one, two, three, four].map(\.server) == [Self.first, Self.second, Self.first, Self.second])
        #expect(machine.attemptFailed(four.number) == .fail)
        #expect(machine.attemptFailed(four.number) == .wait)
    }

    @Test("A truncated answer is asked for again over TCP, from the same server")
    func truncated() throws {
        var machine = try Self.machine([Self.first, Self.second])
        let udp = try Self.attempt(machine.started())
        let tcp = try Self.attempt(machine.answered(udp.number, try Self.answer(udp, truncated: true)))

        #expect(tcp.server == Self.first && tcp.transport == .tcp && tcp.id != udp.id)
        #expect(Self.isFinished(machine.answered(tcp.number, try Self.answer(tcp))))
    }

    @Test("An answer that was cut off by a buffer is asked for again over TCP")
    func cutOff() throws {
        var machine = try Self.machine([Self.first])
        let udp = try Self.attempt(machine.started())

        let tcp = try Self.attempt(machine.answered(udp.number, try Self.answer(udp).dropLast(3)))

        #expect(tcp.transport == .tcp)
        // Nonsense over TCP as well: there is nobody left.
        #expect(machine.answered(tcp.number, try Self.answer(tcp).dropLast(3)) == .fail)
    }

    @Test("A server that is silent over TCP is given up for the next")
    func silentTCP() throws {
        var machine = try Self.machine([Self.first, Self.second])
        let udp = try Self.attempt(machine.started())
        let tcp = try Self.attempt(machine.answered(udp.number, try Self.answer(udp, truncated: true)))

        let next = try Self.attempt(machine.attemptTimedOut(tcp.number))

        #expect(next.server == Self.second && next.transport == .udp)
        #expect(machine.answered(tcp.number, try Self.answer(tcp)) == .ignore)
    }

    @Test("Rotation begins with another server each time")
    func rotation() throws {
        var firsts: [DNSUpstream] = []
        for turn in 0..<3 {
            var machine = try Self.machine([Self.first, Self.second], rotates: true, first: turn)
            firsts.append(try Self.attempt(machine.started()).server)
        }

        #expect(firsts == [Self.first, Self.second, Self.first])
    }

    @Test("After the budget nothing counts any more")
    func budget() throws {
        var machine = try Self.machine([Self.first, Self.second])
        let attempt = try Self.attempt(machine.started())

        machine.budgetEnded()

        #expect(machine.answered(attempt.number, try Self.answer(attempt)) == .ignore)
        #expect(machine.attemptTimedOut(attempt.number) == .wait)
    }

    @Test("Each try has letters of its own, and an answer that changes them is checked over TCP")
    func letterCase() throws {
        var machine = try Self.machine([Self.first])
        let udp = try Self.attempt(machine.started())
        #expect(udp.name.wire != DNSName("WWW.example.test")?.wire && udp.name == DNSName("www.example.test"))

        let step = machine.answered(udp.number, try Self.answer(udp, name: "www.example.test"))

        guard case .doubt(.letterCase, let tcp) = step else { throw NoAttempt(what: "\(step)") }
        #expect(tcp.transport == .tcp && tcp.isDoubted && tcp.id != udp.id)
        // Nobody else can answer there: whatever the letters, it is the server.
        #expect(Self.isFinished(machine.answered(tcp.number, try Self.answer(tcp, name: "www.example.test"))))
    }

    @Test("Who guesses numbers has a few tries, and then the question goes over TCP")
    func guesses() throws {
        var machine = try Self.machine([Self.first])
        let udp = try Self.attempt(machine.started())
        let wrong = try Self.answer(udp, id: udp.id &+ 1)

        for _ in 1..<UpstreamQuestion.forgeriesMax {
            #expect(machine.answered(udp.number, wrong) == .forged(.number))
        }

        guard case .doubt(.number, let tcp) = machine.answered(udp.number, wrong) else {
            Issue.record("still over UDP")
            return
        }
        #expect(tcp.transport == .tcp && !tcp.isDoubted)
        // The right number comes too late.
        #expect(machine.answered(udp.number, try Self.answer(udp)) == .ignore)
    }

    @Test("A server that does not understand EDNS is asked without", arguments: [1, 4] as [UInt16])
    func withoutEDNS(_ code: UInt16) throws {
        var machine = try Self.machine([Self.first])
        let one = try Self.attempt(machine.started())
        // It could not even read the question.
        let complaint: [UInt8] = [
            UInt8(one.id >> 8), UInt8(one.id & 0xff), 0x81, 0x80 | UInt8(code), 0, 0, 0, 0, 0, 0, 0, 0,
        ]

        let two = try Self.attempt(machine.answered(one.number, complaint))

        #expect(one.hasEDNS && !two.hasEDNS && two.isPlain && two.transport == .udp && two.server == one.server)
        #expect(Self.isFinished(machine.answered(two.number, try Self.answer(two))))
    }

    @Test("In parallel all servers are asked at once, and the first answer counts")
    func parallel() throws {
        let upstreams = DNSUpstreams(servers: [Self.first, Self.second], attempts: 1, isParallel: true)
        var machine = UpstreamQuestion(
            question: try Self.question(),
            plan: UpstreamPlan(upstreams, UpstreamHealth(upstreams.servers), now: .zero),
            random: SeededGenerator(seed: 3)
        )
        let attempts = try machine.started().map(Self.attempt)

        #expect(attempts.map(\.server) == [Self.first, Self.second])
        #expect(machine.attemptFailed(attempts[0].number) == .wait)
        #expect(Self.isFinished(machine.answered(attempts[1].number, try Self.answer(attempts[1]))))
    }

    @Test("A server over TLS is asked over TLS alone, and given up when silent")
    func tls() throws {
        let secure = DNSUpstream(address: .v4(0x0a00_0003), port: 853, tlsName: "dns.test")
        var machine = try Self.machine([secure, Self.second])
        let one = try Self.attempt(machine.started())

        let two = try Self.attempt(machine.attemptTimedOut(one.number))

        #expect(one.transport == .tls && one.name.wire == DNSName("WWW.example.test")?.wire)
        #expect(two.server == Self.second && two.transport == .udp)
    }

    @Test("A server that only knows who else to ask is no help")
    func referral() throws {
        var machine = try Self.machine([Self.first, Self.second])
        let one = try Self.attempt(machine.started())
        let zone = try #require(DNSName("example.test"))
        let server = try #require(DNSName("ns.example.test"))
        let message = DNSMessage(
            header: DNSHeader(id: one.id, flags: 0x8100),
            questions: [DNSQuestion(name: one.name, type: .a)],
            authorities: [DNSRecord(name: zone, ttl: 60, data: .opaque(.ns, server.wire))]
        )
        var buffer = ByteBuffer()
        message.encode(into: &buffer, limit: 65_535)

        let two = try Self.attempt(machine.answered(one.number, Array(buffer.readableBytesView)))

        #expect(two.server == Self.second)
    }

    @Test("Whatever happens, a question ends, and after no more tries than allowed", arguments: [UInt64](1...200))
    func alwaysEnds(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let servers = Array([Self.first, Self.second].prefix(random.number(0...2)))
        let attempts = random.number(1...3)
        var machine = try Self.machine(servers, attempts: attempts)
        var open: [UpstreamQuestion.Attempt] = []
        var udpTries = 0
        var isOver = false

        func take(_ attempt: UpstreamQuestion.Attempt) {
            if attempt.transport == .udp { udpTries += 1 }
            open.append(attempt)
        }
        for step in machine.started() {
            switch step {
            case .ask(let attempt): take(attempt)
            case .wait: Issue.record("nothing to wait for")
            case .fail: isOver = true
            }
        }
        // Each try is answered, fails, or times out and fails; all of them within a bounded number of steps.
        for _ in 0..<200 where !isOver && !open.isEmpty {
            let index = random.number(0...open.count - 1)
            let attempt = open[index]
            switch random.number(0...3) {
            case 0:
                if attempt.transport != .udp { open.remove(at: index) }
                switch machine.attemptTimedOut(attempt.number) {
                case .ask(let next): take(next)
                case .wait: ()
                case .fail: isOver = true
                }
            case 1:
                open.remove(at: index)
                switch machine.attemptFailed(attempt.number) {
                case .ask(let next): take(next)
                case .wait: ()
                case .fail: isOver = true
                }
            default:
                let isTruncated = random.chance(1, outOf: 2)
                let code: DNSResponseCode = random.chance(1, outOf: 3) ? .noError : .serverFailure
                open.remove(at: index)
                switch machine.answered(attempt.number, try Self.answer(attempt, code, truncated: isTruncated)) {
                case .ask(let next), .doubt(_, let next): take(next)
                case .finish, .fail: isOver = true
                case .ignore, .forged, .wait: ()
                }
            }
        }

        #expect(isOver, "seed \(seed)")
        #expect(udpTries <= servers.count * attempts)
    }
}
