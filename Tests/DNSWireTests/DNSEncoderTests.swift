import DNSWire
import MeshTestSupport
import NIOCore
import Testing

@Suite struct DNSEncoderTests {
    @Test("What is written is read back the same", arguments: [UInt64](1...300))
    func roundTrip(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let message = RandomMessage.message(&random)

        let again = try DNSMessage(decoding: DNSDecoderTests.encoded(message))

        #expect(again == message)
    }

    @Test("Names that stand already are pointed to, so that an owner has the question's case")
    func compression() throws {
        let asked = try #require(DNSName("ReViews.default.svc.cluster.local"))
        let stored = try #require(DNSName("reviews.default.svc.cluster.local"))
        let message = DNSMessage(
            header: DNSHeader(id: 1, flags: 0x8400),
            questions: [DNSQuestion(name: asked, type: .a)],
            answers: [DNSRecord(name: stored, ttl: 30, data: .a(0x0a00_0001))]
        )

        let buffer = DNSDecoderTests.encoded(message)
        let again = try DNSMessage(decoding: buffer)

        #expect(buffer.readableBytes == 12 + asked.wire.count + 4 + 16)
        #expect(again.answers.first?.name.wire == asked.wire)
    }

    @Test("What does not fit is left out with TC, the OPT record stays", arguments: [512, 513, 600, 1232, 4096])
    func truncation(_ limit: Int) throws {
        let name = try #require(DNSName("many.example.com"))
        var message = DNSMessage(
            header: DNSHeader(id: 1, flags: 0x8000),
            questions: [DNSQuestion(name: name, type: .a)],
            answers: (0..<200).map { DNSRecord(name: name, ttl: 30, data: .a($0)) },
            edns: DNSExtension(payloadMax: 1232)
        )

        let short = DNSDecoderTests.encoded(message, limit: limit)
        let decoded = try DNSMessage(decoding: short)

        #expect(short.readableBytes <= limit)
        #expect(decoded.header.isTruncated == (decoded.answers.count < 200))
        #expect(decoded.answers == Array(message.answers.prefix(decoded.answers.count)))
        #expect(decoded.edns == message.edns && decoded.questions == message.questions)
        // One more record would not have fitted.
        #expect(decoded.answers.count == min(200, (limit - 12 - name.wire.count - 4 - 11) / 16))

        message.answers = Array(decoded.answers)
        #expect(DNSDecoderTests.encoded(message, limit: short.readableBytes).readableBytes == short.readableBytes)
    }

    @Test("Leaving out additional records alone is no truncation")
    func additionals() throws {
        let name = try #require(DNSName("a"))
        let message = DNSMessage(
            header: DNSHeader(id: 1, flags: 0x8000),
            additionals: [DNSRecord(name: name, ttl: 1, data: .opaque(.txt, Array(repeating: 0, count: 600)))]
        )

        let decoded = try DNSMessage(decoding: DNSDecoderTests.encoded(message, limit: 512))

        #expect(decoded.additionals.isEmpty && !decoded.header.isTruncated)
    }

    @Test("A message is appended behind what the buffer holds already")
    func appends() throws {
        let name = try #require(DNSName("a.b"))
        let message = DNSMessage(
            header: DNSHeader(id: 7),
            questions: [DNSQuestion(name: name, type: .a), DNSQuestion(name: name, type: .aaaa)]
        )
        var buffer = ByteBuffer(repeating: 9, count: 5)

        message.encode(into: &buffer, limit: 512)
        buffer.moveReaderIndex(forwardBy: 5)

        #expect(try DNSMessage(decoding: buffer) == message)
    }
}
