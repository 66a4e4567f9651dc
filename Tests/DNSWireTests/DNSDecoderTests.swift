import DNSWire
import MeshTestSupport
import NIOCore
import Testing

@Suite struct DNSDecoderTests {
    @Test("A query as a resolver sends it is understood")
    func query() throws {
        let message = try DNSMessage(decoding: MalformedMessages.query(MalformedMessages.www + [0, 28, 0, 1]))

        #expect(message.header.id == 0x1234 && message.header.wantsRecursion && !message.header.isResponse)
        #expect(message.questions == [DNSQuestion(name: try #require(DNSName("www.x")), type: .aaaa)])
        #expect(message.edns == nil)
    }

    @Test("Pointers are followed, also through several names")
    func pointers() throws {
        // www.x at 12; the second name is "a" + pointer to "x" at 16, the third a pointer to the second at 23.
        let bytes = MalformedMessages.query(
            questions: 3,
            MalformedMessages.www + [0, 1, 0, 1, 1, 97, 0xc0, 16, 0, 1, 0, 1, 0xc0, 23, 0, 1, 0, 1]
        )

        let names = try DNSMessage(decoding: bytes).questions.map(\.name.description)

        #expect(names == ["www.x", "a.x", "a.x"])
    }

    @Test("The OPT record is told apart from the others")
    func extensionRecord() throws {
        let opt: [UInt8] = [0, 0, 41, 0x04, 0xd0, 0, 0, 0x80, 0, 0, 4, 0, 10, 0, 0]

        let message = try DNSMessage(
            decoding: MalformedMessages.query(additionals: 1, MalformedMessages.www + [0, 1, 0, 1] + opt)
        )

        #expect(message.edns == DNSExtension(payloadMax: 1232, wantsSignatures: true))
        #expect(message.additionals.isEmpty)
    }

    @Test(
        "Malformed messages are refused with the reason",
        arguments: MalformedMessages.all
    )
    func refuses(_ bytes: [UInt8], _ reason: DNSDecodeError) {
        #expect(throws: reason) { try DNSMessage(decoding: bytes) }
    }

    @Test("A name of exactly 255 bytes is taken")
    func longestName() throws {
        let labels = [UInt8](MalformedMessages.manyLabels)

        let message = try DNSMessage(decoding: MalformedMessages.query(labels + [0, 0, 1, 0, 1]))

        #expect(message.questions.first?.name.wire.count == 255)
    }

    @Test("Random and mutated bytes never trap, and what is understood survives being written and read again")
    func hostile() throws {
        var random = SeededGenerator(seed: 2)
        let good = Array(Self.encoded(RandomMessage.message(&random)).readableBytesView)
        for round in 0..<20_000 {
            var bytes = random.chance(1, outOf: 4) ? random.bytes(count: random.number(0...80)) : good
            if !bytes.isEmpty {
                for _ in 0..<random.number(0...6) {
                    bytes[random.number(0...bytes.count - 1)] = UInt8.random(in: 0...255, using: &random)
                }
                if random.chance(1, outOf: 5) { bytes.removeLast(random.number(0...bytes.count)) }
            }
            guard let message = try? DNSMessage(decoding: bytes) else { continue }
            let again = try DNSMessage(decoding: Self.encoded(message))
            #expect(again == message, "round \(round)")
        }
    }

    static func encoded(_ message: DNSMessage, limit: Int = 65_535) -> ByteBuffer {
        var buffer = ByteBuffer()
        message.encode(into: &buffer, limit: limit)
        return buffer
    }
}

/// Queries with something wrong, and what it is.
enum MalformedMessages {
    /// Header of a query with one question, and `rest`.
    static func query(questions: UInt8 = 1, additionals: UInt8 = 0, _ rest: [UInt8]) -> [UInt8] {
        [0x12, 0x34, 0x01, 0x00, 0, questions, 0, 0, 0, 0, 0, additionals] + rest
    }

    static let www: [UInt8] = [3] + Array("www".utf8) + [1, UInt8(ascii: "x"), 0]

    /// 127 labels of one letter: 254 bytes.
    static let manyLabels: [UInt8] = Array(Array(repeating: [UInt8(1), 97] as [UInt8], count: 127).joined())

    static let twoExtensions: [UInt8] = [0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 0]

    static let all: [([UInt8], DNSDecodeError)] = [
        ([], .truncated),
        ([1, 2, 3], .truncated),
        (query([3, 97]), .truncated),
        (query(www), .truncated),
        (query(www + [0, 1, 0]), .truncated),
        (query([0xc0]), .truncated),
        (query([0xc0, 12, 0, 1, 0, 1]), .badPointer),
        (query([0xc0, 200, 0, 1, 0, 1]), .badPointer),
        (query([1, 97, 0xc0, 12, 0, 1, 0, 1]), .badPointer),
        (query([0x40, 0, 0, 1, 0, 1]), .badLabel),
        (query([0x80, 0, 0, 1, 0, 1]), .badLabel),
        (query(www + [0, 1, 0, 1, 0]), .trailingBytes),
        (query(manyLabels + [1, 97, 0, 0, 1, 0, 1]), .nameTooLong),
        (query(additionals: 2, www + [0, 1, 0, 1] + twoExtensions), .badExtension),
        (query(additionals: 1, www + [0, 1, 0, 1, 1, 97, 0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 0]), .badExtension),
        (query(additionals: 1, www + [0, 1, 0, 1, 0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 3, 0, 1, 0]), .badExtension),
        (query(additionals: 1, www + [0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 3, 1, 2, 3]), .badData),
        (query(additionals: 1, www + [0, 1, 0, 1, 0, 0, 5, 0, 1, 0, 0, 0, 0, 0, 2, 0, 0]), .badData),
        (query(additionals: 1, www + [0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 9, 1, 2, 3]), .truncated),
        ([0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0], .tooManyRecords),
    ]
}
