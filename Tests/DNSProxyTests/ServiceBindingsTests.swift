import DNSProxy
import DNSWire
import Testing

/// HTTPS records are ways around the proxy.
@Suite struct ServiceBindingsTests {
    /// A parameter of a record.
    private static func parameter(_ key: UInt8, _ value: [UInt8]) -> [UInt8] {
        [0, key, UInt8(value.count >> 8), UInt8(value.count & 0xff)] + value
    }

    private static func list(_ protocols: String...) -> [UInt8] {
        protocols.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
    }

    private static func record(_ parameters: [UInt8]..., type: DNSType = .https) -> DNSRecord {
        DNSRecord(name: .root, ttl: 1, data: .opaque(type, [0, 1, 0] + parameters.flatMap { $0 }))
    }

    @Test(
        "Addresses, keys for hidden hellos and HTTP/3 are taken out, all else stays",
        arguments: [DNSType.https, .svcb]
    )
    func filters(_ type: DNSType) {
        let record = Self.record(
            Self.parameter(1, Self.list("h3", "h2", "h3-29")),
            Self.parameter(3, [1, 0xbb]),
            Self.parameter(4, [10, 0, 0, 1]),
            Self.parameter(5, [1, 2, 3]),
            Self.parameter(6, Array(repeating: 9, count: 16)),
            Self.parameter(7, [4]),
            type: type
        )

        let expected = Self.record(
            Self.parameter(1, Self.list("h2")),
            Self.parameter(3, [1, 0xbb]),
            Self.parameter(7, [4]),
            type: type
        )
        #expect(ServiceBindings.filtered.handedOn(record) == expected)
        #expect(ServiceBindings.unchanged.handedOn(record) == record)
        #expect(ServiceBindings.noData.handedOn(record) == nil)
    }

    @Test("A record for HTTP/3 alone still says that there is HTTPS")
    func onlyHTTP3() {
        let record = Self.record(Self.parameter(1, Self.list("h3")))

        #expect(ServiceBindings.filtered.handedOn(record) == Self.record())
    }

    @Test("A record that needs what was taken out is taken out as a whole")
    func mandatory() {
        let needsHint = Self.record(Self.parameter(0, [0, 4]), Self.parameter(4, [10, 0, 0, 1]))
        let needsHTTP3 = Self.record(Self.parameter(1, Self.list("h3")), Self.parameter(2, []))
        let needsPort = Self.record(Self.parameter(0, [0, 3]), Self.parameter(3, [0, 80]))

        #expect(ServiceBindings.filtered.handedOn(needsHint) == nil)
        #expect(ServiceBindings.filtered.handedOn(needsHTTP3) == nil)
        #expect(ServiceBindings.filtered.handedOn(needsPort) == needsPort)
    }

    @Test(
        "What cannot be read is not handed on",
        arguments: [
            [], [0, 1], [0, 1, 5, 97], [0, 1, 0, 0], [0, 1, 0, 0, 1, 0, 9, 1], [0, 1, 0, 0, 1, 0, 2, 9, 104],
            [0, 1, 0, 0, 0, 0, 1, 4], [0, 1, 64],
        ] as [[UInt8]]
    )
    func broken(_ bytes: [UInt8]) {
        let record = DNSRecord(name: .root, ttl: 1, data: .opaque(.https, bytes))

        #expect(ServiceBindings.filtered.handedOn(record) == nil)
    }

    @Test("Other records are not touched")
    func others() {
        let record = DNSRecord(name: .root, ttl: 1, data: .opaque(.txt, [1, 65]))

        #expect(ServiceBindings.noData.handedOn(record) == record)
    }

    @Test("When nothing is left the answer is that there is none")
    func nothingLeft() throws {
        let question = try CleanAnswerTests.question("www.shop.test", .https)
        var record = Self.record(Self.parameter(4, [10, 0, 0, 1]))
        record.name = question.name

        let clean = try #require(
            CleanAnswer(CleanAnswerTests.message([record]), to: question, bindings: .noData)
        )

        #expect(clean.message.answers.isEmpty && clean.isNegative && clean.message.responseCode == .noError)
        #expect(clean.ttl == 1)
    }
}
