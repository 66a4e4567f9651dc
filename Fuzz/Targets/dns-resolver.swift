// The way of questions through other servers: whatever they answer, and whenever, clients get one well-formed answer in
// time, with nothing in it that they did not ask for, and memory stays bounded.

import DNSProxy
import DNSWire
import MeshModel
import NIOCore

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var talk = Talk(bytes: Array(UnsafeRawBufferPointer(start: data, count: count)))
    talk.run()
    return 0
}

/// Turns bytes into a conversation; behind their end everything is zero.
private struct Talk {
    private static let names = ["a.test", "www.A.test", "b.test", "x.example", "."].map { DNSName($0) ?? .root }
    private static let types: [DNSType] = [.a, .aaaa, .https, .cname, .any, .srv]
    private static let servers = [1, 2].map { DNSUpstream(address: .v4($0)) }
    private static let bytesMax = 16_384

    private let bytes: [UInt8]
    private var position = 0
    private var now = Duration.seconds(100)
    private var resolver: Resolver
    /// Tries that are open, with what was sent.
    private var open: [(flight: Int, attempt: UpstreamQuestion.Attempt, message: [UInt8])] = []
    private var waiting: [Resolver.Ticket: (query: DNSQuery, since: Duration)] = [:]

    init(bytes: [UInt8]) {
        self.bytes = bytes
        var options = Resolver.Options()
        options.cache.bytesMax = Self.bytesMax
        options.bindings = .filtered
        self.resolver = Resolver(
            upstreams: DNSUpstreams(servers: Self.servers, attempts: 2),
            options: options,
            random: Counter()
        )
    }

    /// No randomness: an input means the same each time.
    private struct Counter: RandomNumberGenerator, Sendable {
        var state: UInt64 = 1

        mutating func next() -> UInt64 {
            self.state = self.state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return self.state ^ self.state >> 29
        }
    }

    private mutating func byte() -> Int {
        guard self.position < self.bytes.count else { return 0 }
        defer { self.position += 1 }
        return Int(self.bytes[self.position])
    }

    private mutating func some(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(self.byte()) } }

    mutating func run() {
        while self.position < self.bytes.count {
            switch self.byte() % 8 {
            case 0, 1: self.ask()
            case 2: self.answer(self.wellFormed())
            case 3: self.answer(self.raw())
            case 4: self.answer(self.some(self.byte()))
            case 5: self.fail()
            case 6: self.pass(.milliseconds(self.byte() * 20))
            default: self.pass(.seconds(self.byte() * 4))
            }
            invariant(self.resolver.statistics.cacheBytes <= Self.bytesMax, "the cache has grown beyond its bound")
        }
        self.pass(.seconds(5))
        invariant(self.waiting.isEmpty, "somebody still waits")
        invariant(self.open.isEmpty || self.resolver.flightCount > 0, "a socket stays open for nobody")
    }

    private mutating func ask() {
        let choice = self.byte()
        let question = DNSQuestion(
            name: Self.names[choice % Self.names.count],
            type: Self.types[choice / 8 % Self.types.count]
        )
        let query = DNSQuery(
            header: DNSHeader(id: UInt16(choice), flags: 0x0100),
            question: question,
            edns: choice & 0x40 == 0 ? nil : DNSExtension(payloadMax: 1232, wantsSignatures: choice & 0x80 != 0)
        )
        var effects: [Resolver.Effect] = []
        switch self.resolver.asked(query, now: self.now, &effects) {
        case .known(let result): self.check(result, query)
        case .wait(let ticket): self.waiting[ticket] = (query, self.now)
        }
        self.obey(effects)
    }

    private mutating func fail() {
        guard !self.open.isEmpty else { return }
        let sent = self.open[self.byte() % self.open.count]
        var effects: [Resolver.Effect] = []
        self.resolver.attemptFailed(sent.flight, sent.attempt.number, now: self.now, &effects)
        self.obey(effects)
    }

    private mutating func answer(_ bytes: [UInt8]) {
        guard !self.open.isEmpty else { return }
        let sent = self.open[self.byte() % self.open.count]
        // Number and question are those of the query, mostly: wrong ones are tried by the way.
        var bytes = bytes
        if bytes.count >= 12, self.byte() % 8 != 0 {
            bytes.replaceSubrange(0..<2, with: sent.message[0..<2])
            bytes[2] |= 0x80
            bytes[2] &= 0x87
            let question = sent.message[12..<(16 + sent.attempt.name.wire.count)]
            if bytes[4] == 0xff { bytes.replaceSubrange(4..<6, with: [0, 1]) }
            if bytes[4] == 0, bytes[5] == 1 { bytes.insert(contentsOf: question, at: 12) }
        }
        var effects: [Resolver.Effect] = []
        self.resolver.answered(sent.flight, sent.attempt.number, bytes, now: self.now, &effects)
        self.obey(effects)
    }

    /// A message without question, out of the input; its counts are small so that some can be read.
    private mutating func raw() -> [UInt8] {
        let counts = self.byte()
        return [
            0, 0, 0x81, UInt8(0x80 | self.byte() & 0x0f), 0xff, 0xff, 0, UInt8(counts & 3), 0, UInt8(counts >> 2 & 3),
            0, 0,
        ]
            + self.some(self.byte())
    }

    /// Records of any name and type, written by our own encoder.
    private mutating func wellFormed() -> [UInt8] {
        var header = DNSHeader(id: 0, flags: 0x8180)
        header.responseCode = DNSResponseCode(rawValue: UInt16([0, 0, 0, 3, 2, 1, 4, 5][self.byte() % 8]))
        header.isTruncated = self.byte() % 16 == 1
        let message = DNSMessage(
            header: header,
            answers: (0..<self.byte() % 6).map { _ in self.record() },
            authorities: (0..<self.byte() % 3).map { _ in self.record() }
        )
        var buffer = ByteBuffer()
        message.encode(into: &buffer, limit: 65_535)
        var bytes = Array(buffer.readableBytesView)
        // Pointers would change with the question in front of them; `answer` puts it there.
        if message.answers.isEmpty, message.authorities.isEmpty { bytes.replaceSubrange(4..<6, with: [0xff, 0xff]) }
        return self.withQuestion(message) ?? bytes
    }

    /// The message with the question of the first open try, so that pointers are right.
    private func withQuestion(_ message: DNSMessage) -> [UInt8]? {
        guard let sent = self.open.first, let query = try? DNSMessage(decoding: sent.message) else { return nil }
        var message = message
        message.header.id = query.header.id
        message.questions = query.questions
        var buffer = ByteBuffer()
        message.encode(into: &buffer, limit: 65_535)
        var bytes = Array(buffer.readableBytesView)
        // No second question is put in.
        if bytes.count > 5 { bytes[4] = 0 }
        return bytes
    }

    private mutating func record() -> DNSRecord {
        let name = Self.names[self.byte() % Self.names.count]
        let ttl = UInt32(self.byte()) << [0, 0, 4, 24][self.byte() % 4]
        let target = Self.names[self.byte() % Self.names.count]
        let data: DNSData =
            switch self.byte() % 7 {
            case 0, 1: .a(UInt32(self.byte()))
            case 2: .aaaa(high: 1, low: UInt64(self.byte()))
            case 3: .cname(target)
            case 4:
                .soa(
                    DNSStartOfAuthority(
                        primary: target,
                        mailbox: target,
                        serial: 1,
                        refresh: 2,
                        retry: 3,
                        expire: 4,
                        minimum: ttl >> 1
                    )
                )
            case 5: .opaque(.https, [0, 1, 0] + self.some(self.byte() % 32))
            default: .opaque(.ns, target.wire)
            }
        return DNSRecord(name: name, ttl: ttl, data: data)
    }

    private mutating func pass(_ time: Duration) {
        let end = self.now + time
        while let due = self.resolver.nextDeadline, due <= end {
            self.now = max(due, self.now)
            var effects: [Resolver.Effect] = []
            self.resolver.timePassed(now: self.now, &effects)
            self.obey(effects)
            for (_, waiter) in self.waiting {
                invariant(self.now - waiter.since <= .milliseconds(4500), "a client waits for longer than the budget")
            }
        }
        self.now = end
    }

    private mutating func obey(_ effects: [Resolver.Effect]) {
        for effect in effects {
            switch effect {
            case .send(let flight, let attempt, let message): self.open.append((flight, attempt, message))
            case .close(let flight, let number):
                let before = self.open.count
                self.open.removeAll { $0.flight == flight && $0.attempt.number == number }
                invariant(self.open.count == before - 1, "closed what was not open")
            case .reply(let ticket, let result):
                guard let waiter = self.waiting.removeValue(forKey: ticket) else { fatalError("answered twice") }
                self.check(result, waiter.query)
            }
        }
        invariant(self.resolver.flightCount <= Resolver.flightsMax, "too many questions are out")
    }

    private func check(_ result: ForwardResult, _ query: DNSQuery) {
        guard case .answer(let answer) = result else { return }
        for limit in [512, 65_535] {
            let bytes = answer.reply(to: query, rotation: UInt32(limit), limit: limit)
            guard let message = try? DNSMessage(decoding: bytes) else { fatalError("a reply that cannot be read") }
            invariant(bytes.readableBytes <= limit, "longer than allowed")
            invariant(message.header.id == query.header.id && message.header.isResponse, "not the client's answer")
            invariant(message.questions.map(\.name.wire) == [query.question.name.wire], "question changed")
            invariant((message.edns == nil) == (query.edns == nil), "OPT without having been asked for")
            var chain: Set<DNSName> = [query.question.name]
            for record in message.answers {
                if record.data.type != .dname {
                    invariant(chain.contains(record.name), "a record that nobody asked for")
                }
                if case .cname(let target) = record.data { chain.insert(target) }
                invariant(record.ttl <= 86_400, "a time longer than a day")
                if case .opaque(.https, let bytes) = record.data { Self.checkBinding(bytes) }
            }
        }
    }

    /// Nothing in it leads around the proxy.
    private static func checkBinding(_ bytes: [UInt8]) {
        var position = 3
        while position + 4 <= bytes.count {
            let key = Int(bytes[position]) << 8 | Int(bytes[position + 1])
            invariant(key != 4 && key != 5 && key != 6, "an address or a key in a service binding")
            position += 4 + (Int(bytes[position + 2]) << 8 | Int(bytes[position + 3]))
        }
        invariant(position == bytes.count, "a service binding with an end of its own")
    }
}
