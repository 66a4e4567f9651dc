import DNSProxy
import DNSWire
import MeshModel
import NIOCore
import Testing

/// Packets that no good client sends get what the RFCs say, by both ways of answering.
@Suite struct HostileQueryTests {
    /// What comes back.
    enum Outcome: Equatable {
        case silence
        /// The code, how many questions are echoed, and whether there is an OPT record.
        case answer(DNSResponseCode, questions: Int, hasEDNS: Bool)

        static func code(_ code: DNSResponseCode) -> Outcome { .answer(code, questions: 0, hasEDNS: false) }
    }

    private static let table = DNSTable(hosts: [DNSHost(name: "db.test", addresses: [.v4(1)])])
    private static let name: [UInt8] = [2, 0x64, 0x62, 4, 0x74, 0x65, 0x73, 0x74, 0]

    /// A message with any header.
    private static func message(
        flags: UInt16 = 0x0100,
        counts: [UInt8] = [1, 0, 0, 0],
        _ rest: [UInt8]
    ) -> [UInt8] {
        [0xab, 0xcd, UInt8(flags >> 8), UInt8(flags & 255)] + counts.flatMap { [0, $0] } + rest
    }

    private static let question = Self.name + [0, 1, 0, 1]
    private static func opt(version: UInt8 = 0, length: UInt8 = 0, _ options: [UInt8] = []) -> [UInt8] {
        [0, 0, 41, 0x04, 0xd0, 0, version, 0, 0, 0, length] + options
    }

    /// Asks both; checks that they agree, or that the quick way leaves it to the other.
    private static func ask(_ bytes: [UInt8]) throws -> Outcome {
        var found: ByteBuffer?
        let core = AnsweringCore(table: Self.table, recentNames: nil, forward: { _, done in done(.failed) })
        let isAnswered = core.handle(ByteBuffer(bytes: bytes), .udp(from: nil)) { found = $0 }
        #expect(isAnswered == (found != nil))
        if let quick = QuickAnswerer().answer(bytes, from: Self.table, rotation: 0) {
            #expect(found.map { Array($0.readableBytesView) } == quick)
        }
        guard let found else { return .silence }
        let message = try DNSMessage(decoding: found)
        #expect(message.header.id == 0xabcd && message.header.isResponse)
        return .answer(message.responseCode, questions: message.questions.count, hasEDNS: message.edns != nil)
    }

    @Test("The query that the others are made of is a good one")
    func good() throws {
        #expect(try Self.ask(Self.message(Self.question)) == .answer(.noError, questions: 1, hasEDNS: false))
        #expect(
            try Self.ask(Self.message(counts: [1, 0, 0, 1], Self.question + Self.opt()))
                == .answer(.noError, questions: 1, hasEDNS: true)
        )
    }

    @Test("Names in loops of pointers, or pointing ahead, are format errors", arguments: [12, 14, 13, 200, 16_383])
    func pointers(_ target: Int) throws {
        let pointer = [0xc0 | UInt8(target >> 8), UInt8(target & 255)]
        #expect(try Self.ask(Self.message(pointer + [0, 1, 0, 1])) == .code(.formatError))
        #expect(try Self.ask(Self.message([1, 0x61] + pointer + [0, 1, 0, 1])) == .code(.formatError))
    }

    @Test("A question that points into the header is a format error as soon as that is no name")
    func pointerIntoHeader() throws {
        // The number's first byte, 0xab, is no length of a label.
        #expect(try Self.ask(Self.message([0xc0, 0, 0, 1, 0, 1])) == .code(.formatError))
    }

    @Test("Labels over 63 bytes, which look like other things, are format errors", arguments: [0x40, 0x41, 0x80, 0xbf])
    func labels(_ length: UInt8) throws {
        let label = [length] + [UInt8](repeating: 0x61, count: Int(length)) + [0, 0, 1, 0, 1]
        #expect(try Self.ask(Self.message(label)) == .code(.formatError))
    }

    @Test("Names have up to 255 bytes", arguments: [(253, true), (254, true), (255, true), (256, false), (300, false)])
    func names(_ length: Int, _ isGood: Bool) throws {
        // Labels of 31 bytes, and the last one of what is left before the root's zero.
        var wire: [UInt8] = []
        while wire.count < length - 1 {
            let size = min(31, length - 2 - wire.count)
            wire += [UInt8(size)] + [UInt8](repeating: 0x61, count: size)
        }
        try #require(wire.count == length - 1)
        // Nobody can be asked: a good question fails, a bad one is refused.
        let expected = isGood ? Outcome.answer(.serverFailure, questions: 1, hasEDNS: false) : .code(.formatError)
        #expect(try Self.ask(Self.message(wire + [0, 0, 1, 0, 1])) == expected)
    }

    @Test("None or two questions are format errors")
    func counts() throws {
        #expect(try Self.ask(Self.message(counts: [0, 0, 0, 0], [])) == .code(.formatError))
        #expect(try Self.ask(Self.message(counts: [0, 0, 0, 1], Self.opt())) == .code(.formatError))
        #expect(try Self.ask(Self.message(counts: [2, 0, 0, 0], Self.question + Self.question)) == .code(.formatError))
        // More is said to come than comes.
        for counts: [UInt8] in [[2, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1], [1, 255, 255, 255]] {
            #expect(try Self.ask(Self.message(counts: counts, Self.question)) == .code(.formatError))
        }
    }

    @Test("Versions of EDNS other than 0 are told which one is spoken", arguments: [1, 255] as [UInt8])
    func versions(_ version: UInt8) throws {
        let bytes = Self.message(counts: [1, 0, 0, 1], Self.question + Self.opt(version: version))
        #expect(try Self.ask(bytes) == .answer(.badVersion, questions: 1, hasEDNS: true))
    }

    @Test("OPT twice, with a name, in another section, or with broken options is a format error")
    func extensions() throws {
        let twice = Self.message(counts: [1, 0, 0, 2], Self.question + Self.opt() + Self.opt())
        let named = Self.message(counts: [1, 0, 0, 1], Self.question + [1, 0x61] + Self.opt())
        let elsewhere = Self.message(counts: [1, 1, 0, 0], Self.question + Self.opt())
        let lying = Self.message(counts: [1, 0, 0, 1], Self.question + Self.opt(length: 4, [0, 10, 0, 1]))
        let short = Self.message(counts: [1, 0, 0, 1], Self.question + Self.opt(length: 3, [0, 10, 0]))
        let longer = Self.message(counts: [1, 0, 0, 1], Self.question + Self.opt(length: 200))
        for bytes in [twice, named, elsewhere, lying, short, longer] {
            #expect(try Self.ask(bytes) == .code(.formatError), "\(bytes)")
        }
    }

    @Test("Everything that is no query is not implemented: IQUERY, STATUS, NOTIFY, UPDATE, the rest", arguments: 1...15)
    func opcodes(_ opcode: UInt16) throws {
        #expect(try Self.ask(Self.message(flags: opcode << 11, Self.question)) == .code(.notImplemented))
        // Whatever stands in it: the other sections of an UPDATE mean something else.
        #expect(try Self.ask(Self.message(flags: opcode << 11, [0xff])) == .code(.notImplemented))
    }

    @Test("Responses are never answered, however broken", arguments: [0x8180, 0x8000, 0xa800, 0xffff] as [UInt16])
    func responses(_ flags: UInt16) throws {
        #expect(try Self.ask(Self.message(flags: flags, Self.question)) == .silence)
        #expect(try Self.ask(Self.message(flags: flags, [])) == .silence)
    }

    @Test("Classes other than IN are refused", arguments: [0, 3, 4, 254, 255] as [UInt8])
    func classes(_ number: UInt8) throws {
        let bytes = Self.message(Self.name + [0, 1, 0, number])
        #expect(try Self.ask(bytes) == .answer(.refused, questions: 1, hasEDNS: false))
    }

    @Test("Bytes behind the message are a format error", arguments: [1, 2, 11, 400])
    func trailing(_ count: Int) throws {
        let rest = [UInt8](repeating: 0, count: count)
        #expect(try Self.ask(Self.message(Self.question + rest)) == .code(.formatError))
        #expect(
            try Self.ask(Self.message(counts: [1, 0, 0, 1], Self.question + Self.opt() + rest)) == .code(.formatError)
        )
    }

    @Test("A query that is cut off is a format error; without a whole header there is nothing to answer")
    func cut() throws {
        let whole = Self.message(counts: [1, 0, 0, 1], Self.question + Self.opt(length: 5, [0, 10, 0, 1, 0]))
        for length in 0..<whole.count {
            let expected = length < 12 ? Outcome.silence : .code(.formatError)
            #expect(try Self.ask(Array(whole[..<length])) == expected, "\(length)")
        }
    }
}
