import DNSWire
import MeshTestSupport
import NIOCore
import Testing

@Suite struct DNSRequestTests {
    private static func bytes(
        flags: UInt16 = 0x0100,
        questionClass: DNSClass = .internet,
        questions: Int = 1,
        edns: DNSExtension? = nil
    ) throws -> ByteBuffer {
        let name = try #require(DNSName("Who.Example"))
        let question = DNSQuestion(name: name, type: .a, questionClass: questionClass)
        return DNSDecoderTests.encoded(
            DNSMessage(
                header: DNSHeader(id: 42, flags: flags),
                questions: Array(repeating: question, count: questions),
                edns: edns
            )
        )
    }

    private static func refusal(_ buffer: ByteBuffer) -> DNSMessage? {
        guard case .refused(let message) = DNSRequest(decoding: buffer) else { return nil }
        return message
    }

    @Test("A plain query is a question with its limits")
    func query() throws {
        guard case .query(let plain) = DNSRequest(decoding: try Self.bytes()),
            case .query(let extended) = DNSRequest(decoding: try Self.bytes(edns: DNSExtension(payloadMax: 1400)))
        else {
            Issue.record("not understood")
            return
        }

        #expect(plain.question.name.description == "Who.Example" && plain.payloadMax == 512)
        #expect(extended.payloadMax == 1400)
        #expect(plain.response().edns == nil && extended.response().edns?.payloadMax == DNSRequest.payloadMax)
        #expect(plain.response(.nameError).header == DNSHeader(id: 42, flags: 0x8103))
    }

    @Test(
        "The client's payload counts between 512 and 4096",
        arguments: [(0, 512), (511, 512), (513, 513), (4097, 4096)]
    )
    func payload(_ said: UInt16, _ used: Int) throws {
        guard case .query(let query) = DNSRequest(decoding: try Self.bytes(edns: DNSExtension(payloadMax: said))) else {
            Issue.record("not understood")
            return
        }

        #expect(query.payloadMax == used)
    }

    @Test("None or two questions are a format error")
    func questionCount() throws {
        for count in [0, 2] {
            let answer = Self.refusal(try Self.bytes(questions: count))

            #expect(answer?.header.responseCode == .formatError && answer?.header.id == 42, "\(count)")
            #expect(answer?.header.isResponse == true && answer?.questions.isEmpty == true)
        }
    }

    @Test("Other opcodes are not implemented, other classes refused, other versions of EDNS named")
    func refusals() throws {
        let notify = Self.refusal(try Self.bytes(flags: 4 << 11))
        let chaos = Self.refusal(try Self.bytes(questionClass: DNSClass(rawValue: 3)))
        let version = Self.refusal(try Self.bytes(edns: DNSExtension(payloadMax: 512, version: 1)))

        #expect(notify?.responseCode == .notImplemented && notify?.header.opcode == 4)
        #expect(chaos?.responseCode == .refused && chaos?.questions.count == 1)
        #expect(version?.responseCode == .badVersion)
    }

    @Test("Responses and scraps are not answered; anything else of 12 bytes gets a format error")
    func ignored() throws {
        #expect(DNSRequest(decoding: try Self.bytes(flags: 0x8000)) == .ignored)
        #expect(DNSRequest(decoding: Array(repeating: UInt8(0), count: 11)) == .ignored)
        #expect(Self.refusal(ByteBuffer(bytes: [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]))?.responseCode == .formatError)
    }

    @Test("No bytes make it trap", arguments: [UInt64](1...20))
    func hostile(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            var bytes = random.bytes(count: random.number(0...60))
            if bytes.count > 4 { bytes[2] = 0 }
            _ = DNSRequest(decoding: bytes)
        }
    }
}
