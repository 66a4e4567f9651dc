import MeshModel
import Testing

@Suite struct VirtualAddressRangesTests {
    @Test("The ranges as they are can be used, and interception is told of all of them")
    func standard() {
        let ranges = VirtualAddressRanges()

        #expect(ranges.mistakes.isEmpty)
        #expect(
            ranges.all.map(\.description) == [
                "240.240.0.0/16", "2001:2::/48", "240.241.0.0/16", "2001:2:1::/48", "240.242.0.0/16",
            ]
        )
    }

    @Test(
        "What cannot be used is told",
        arguments: [
            ("240.241.128.0/17", "overlap"), ("2001:db8::/64", "family"), ("100.127.0.0/31", "prefix length"),
        ]
    )
    func mistakes(_ block: String, _ word: String) throws {
        var ranges = VirtualAddressRanges()
        ranges.remoteV4 = try #require(CIDR(block))

        #expect(ranges.mistakes.contains { $0.contains("remote IPv4") && $0.contains(word) })
    }
}
