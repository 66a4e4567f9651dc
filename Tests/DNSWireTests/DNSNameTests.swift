import DNSWire
import Testing

@Suite struct DNSNameTests {
    @Test("A name is read with or without the root's dot and printed without it")
    func dots() throws {
        let name = try #require(DNSName("www.Example.com."))

        #expect(name.description == "www.Example.com")
        #expect(name.wire == Array("\u{3}www\u{7}Example\u{3}com\0".utf8))
        #expect(DNSName("www.Example.com")?.wire == name.wire)
        #expect(DNSName(".") == .root && DNSName.root.description == ".")
    }

    @Test(
        "Malformed names are refused",
        arguments: ["", "..", ".a", "a..b", "a\\.b", String(repeating: "a", count: 64)]
    )
    func refuses(_ text: String) {
        #expect(DNSName(text) == nil)
    }

    @Test("Labels have up to 63 bytes and names up to 255")
    func limits() {
        let label = String(repeating: "a", count: 63)
        let longest = "\(label).\(label).\(label)." + String(repeating: "b", count: 61)

        #expect(DNSName(label) != nil)
        #expect(DNSName(longest)?.wire.count == 255)
        #expect(DNSName(longest + ".")?.wire.count == 255)
        #expect(DNSName(longest + "b") == nil)
        #expect(DNSName(longest)?.appending(.root)?.wire.count == 255)
    }

    @Test("Equality and hashing ignore case, the bytes keep it")
    func cases() throws {
        let mixed = try #require(DNSName("ReViews.Default"))
        let lower = try #require(DNSName("reviews.default"))

        #expect(mixed == lower && mixed.hashValue == lower.hashValue)
        #expect(mixed.wire != lower.wire && mixed.lowercased.wire == lower.wire)
        #expect(mixed != DNSName("reviews.defaulu"))
    }

    @Test("Suffixes are found on borders of labels only")
    func suffixes() throws {
        let name = try #require(DNSName("a.b.cluster.LOCAL"))
        let zone = try #require(DNSName("cluster.local"))

        #expect(name.isWithin(zone) && zone.isWithin(zone) && name.isWithin(.root) && !zone.isWithin(name))
        #expect(DNSName("a.bcluster.local")?.isWithin(zone) == false)
        #expect(name.dropping(suffix: zone) == DNSName("a.b"))
        #expect(zone.dropping(suffix: zone) == nil)
        #expect(DNSName("a.b")?.appending(zone) == name)
        #expect(name.parent == DNSName("b.cluster.local") && DNSName.root.parent == nil)
        #expect(name.labelCount == 4 && DNSName.root.labelCount == 0)
        #expect(DNSName("*.example.com")?.isWildcard == true && DNSName("a.*.com")?.isWildcard == false)
    }

    @Test("Bytes that are no plain text are escaped")
    func escapes() throws {
        var bytes: [UInt8] = [0, 1, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0]
        bytes += [4, UInt8(ascii: "a"), UInt8(ascii: "."), 0, 200, 0, 0, 1, 0, 1]

        let message = try DNSMessage(decoding: bytes)

        #expect(message.questions.first?.name.description == "a\\046\\000\\200")
    }
}
