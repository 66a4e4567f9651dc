import DNSProxy
import DNSWire
import MeshModel
import MeshTestSupport
import NIOCore
import Testing

/// A conversation between clients, a resolver and other servers, in which the test plays all but the resolver, and
/// time passes when it says so.
final class ResolverConversation {
    static let first = DNSUpstream(address: .v4(0x0a00_0001))
    static let second = DNSUpstream(address: .v4(0x0a00_0002))

    struct Sent {
        var flight: Resolver.FlightID
        var attempt: UpstreamQuestion.Attempt
        var message: DNSMessage
    }

    private(set) var resolver: Resolver
    private(set) var now = Duration.seconds(1000)
    /// What was sent to servers, all of it.
    private(set) var sent: [Sent] = []
    /// Tries that are open.
    private(set) var open: Set<[Int]> = []
    private(set) var replies: [Resolver.Ticket: ForwardResult] = [:]

    init(
        _ servers: [DNSUpstream] = [ResolverConversation.first, ResolverConversation.second],
        attempts: Int = 1,
        isParallel: Bool = false,
        bindings: ServiceBindings = .unchanged,
        seed: UInt64 = 5
    ) {
        var options = Resolver.Options()
        options.bindings = bindings
        self.resolver = Resolver(
            upstreams: DNSUpstreams(servers: servers, attempts: attempts, isParallel: isParallel),
            options: options,
            random: SeededGenerator(seed: seed)
        )
    }

    var statistics: DNSStatistics { self.resolver.statistics }

    static func query(_ name: String, _ type: DNSType = .a) throws -> DNSQuery {
        DNSQuery(header: DNSHeader(id: 7, flags: 0x0100), question: try CleanAnswerTests.question(name, type))
    }

    /// A client asks; the answer, or the ticket for it.
    @discardableResult
    func ask(_ name: String, _ type: DNSType = .a) throws -> Resolver.OnQuestion {
        var effects: [Resolver.Effect] = []
        let result = self.resolver.asked(try Self.query(name, type), now: self.now, &effects)
        try self.obey(effects)
        return result
    }

    func pass(_ time: Duration) throws {
        let end = self.now + time
        while let due = self.resolver.nextDeadline, due <= end {
            self.now = max(due, self.now)
            var effects: [Resolver.Effect] = []
            self.resolver.timePassed(now: self.now, &effects)
            try self.obey(effects)
        }
        self.now = end
    }

    func fail(_ index: Int) throws {
        var effects: [Resolver.Effect] = []
        let sent = self.sent[index]
        self.resolver.attemptFailed(sent.flight, sent.attempt.number, now: self.now, &effects)
        try self.obey(effects)
    }

    /// Bytes come for what was sent as number `index`.
    func answer(_ index: Int, _ bytes: [UInt8]) throws {
        var effects: [Resolver.Effect] = []
        let sent = self.sent[index]
        self.resolver.answered(sent.flight, sent.attempt.number, bytes, now: self.now, &effects)
        try self.obey(effects)
    }

    /// The server answers with these records, or with a code.
    func answer(
        _ index: Int,
        _ answers: [DNSRecord] = [],
        _ authorities: [DNSRecord] = [],
        code: DNSResponseCode = .noError
    ) throws {
        try self.answer(index, Self.bytes(self.sent[index], answers, authorities, code: code))
    }

    static func bytes(
        _ sent: Sent,
        _ answers: [DNSRecord] = [],
        _ authorities: [DNSRecord] = [],
        code: DNSResponseCode = .noError
    ) -> [UInt8] {
        var message = CleanAnswerTests.message(answers, authorities, code: code)
        message.header.id = sent.message.header.id
        message.questions = sent.message.questions
        var buffer = ByteBuffer()
        message.encode(into: &buffer, limit: 65_535)
        return Array(buffer.readableBytesView)
    }

    func update(_ servers: [DNSUpstream]) {
        self.resolver.update(DNSUpstreams(servers: servers, attempts: 1), now: self.now)
    }

    func stop() throws {
        var effects: [Resolver.Effect] = []
        self.resolver.stop(now: self.now, &effects)
        try self.obey(effects)
    }

    private func obey(_ effects: [Resolver.Effect]) throws {
        for effect in effects {
            switch effect {
            case .send(let flight, let attempt, let bytes):
                #expect(self.open.insert([flight, attempt.number]).inserted)
                self.sent.append(Sent(flight: flight, attempt: attempt, message: try DNSMessage(decoding: bytes)))
            case .close(let flight, let number), .giveUp(let flight, let number):
                #expect(self.open.remove([flight, number]) != nil)
            case .reply(let ticket, let result):
                #expect(self.replies.updateValue(result, forKey: ticket) == nil, "answered twice")
            }
        }
    }

    /// What `open` calls the try that was sent as number `index`.
    func key(_ index: Int) -> [Int] { [self.sent[index].flight, self.sent[index].attempt.number] }

    /// An answer in words: where it comes from, its code, its addresses and their time.
    func words(_ result: ForwardResult?) -> String {
        switch result {
        case nil: return "nothing yet"
        case .failed: return "failed"
        case .answer(let answer):
            let records = answer.message?.answers ?? []
            let times = Set(records.map(\.ttl)).sorted().map { " \($0)" }.joined()
            let addresses = answer.addresses.map { " \($0)" }.joined()
            return "\(answer.origin.rawValue) \(answer.code)\(addresses)\(times)"
        }
    }

    func words(_ question: Resolver.OnQuestion) -> String {
        switch question {
        case .known(let result): self.words(result)
        case .wait(let ticket): self.words(self.replies[ticket])
        }
    }
}
