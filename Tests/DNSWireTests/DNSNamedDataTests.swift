import DNSWire
import NIOCore
import Testing

/// Data that holds names means the same in any message once it was read.
@Suite struct DNSNamedDataTests {
    /// A message with one answer about `a.test` whose data points to that name.
    private static func message(_ type: UInt16, _ data: [UInt8]) -> [UInt8] {
        [0, 1, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0] + [1, 97, 4, 116, 101, 115, 116, 0, 0, UInt8(type), 0, 1]
            + [0xc0, 12, 0, UInt8(type), 0, 1, 0, 0, 0, 60, 0, UInt8(data.count)] + data
    }

    private static let name: [UInt8] = [1, 97, 4, 116, 101, 115, 116, 0]

    @Test(
        "Pointers in the data of old types are expanded",
        arguments: [
            (2, [0xc0, 12], Self.name), (39, [0xc0, 12], Self.name), (15, [0, 10, 0xc0, 12], [0, 10] + Self.name),
            (17, [0xc0, 12, 0xc0, 14], Self.name + Array(Self.name.dropFirst(2))),
            (35, [0, 1, 0, 2, 1, 117, 0, 0, 0xc0, 12], [0, 1, 0, 2, 1, 117, 0, 0] + Self.name),
        ] as [(UInt16, [UInt8], [UInt8])]
    )
    func expands(_ type: UInt16, _ data: [UInt8], _ expected: [UInt8]) throws {
        let message = try DNSMessage(decoding: Self.message(type, data))

        #expect(message.answers.first?.data == .opaque(DNSType(rawValue: type), expected))
        var buffer = ByteBuffer()
        message.encode(into: &buffer, limit: 512)
        #expect(try DNSMessage(decoding: buffer) == message)
    }

    @Test(
        "Data that is longer or shorter than its names is refused",
        arguments: [(2, [0xc0, 12, 0]), (15, [0, 10]), (15, [0]), (35, [0, 1, 0, 2, 9, 117])] as [(UInt16, [UInt8])]
    )
    func refuses(_ type: UInt16, _ data: [UInt8]) {
        #expect(throws: DNSDecodeError.self) { try DNSMessage(decoding: Self.message(type, data)) }
    }

    @Test("Records are found by their places")
    func places() throws {
        let name = try #require(DNSName("a.test"))
        var buffer = ByteBuffer()
        DNSMessage(
            header: DNSHeader(id: 1, flags: 0x8180),
            questions: [DNSQuestion(name: name, type: .a)],
            answers: [1, 2].map { DNSRecord(name: name, ttl: 0x0102_0304, data: .a($0)) },
            edns: DNSExtension(payloadMax: 1232)
        ).encode(into: &buffer, limit: 512)
        let bytes = Array(buffer.readableBytesView)

        let places = try DNSRecordPlace.all(in: bytes)

        #expect(places.map(\.type) == [.a, .a] && places.allSatisfy { $0.nameLength == 2 })
        #expect(places.allSatisfy { Array(bytes[$0.ttl..<($0.ttl + 4)]) == [1, 2, 3, 4] })
        #expect(places.map { $0.end - $0.start } == [16, 16])
        #expect(throws: DNSDecodeError.self) { try DNSRecordPlace.all(in: Array(bytes.dropLast())) }
    }

    @Test("Letters at random: the same name, rarely the same bytes")
    func randomCase() throws {
        let name = try #require(DNSName("www.a-1_b.Example.test"))
        var random = SystemRandomNumberGenerator()

        let names = (0..<64).map { _ in name.withRandomCase(using: &random) }

        #expect(names.allSatisfy { $0 == name } && Set(names.map(\.wire)).count > 32)
        #expect(DNSName.root.withRandomCase(using: &random) == .root)
    }
}
