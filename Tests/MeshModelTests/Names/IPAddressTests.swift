import MeshModel
import MeshTestSupport
import Testing

@Suite struct IPAddressTests {
    @Test(
        "Addresses are printed in their shortest form",
        arguments: [
            ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"), ("10.214.0.7", "10.214.0.7"),
            ("::", "::"), ("::1", "::1"), ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"), ("fe80::1", "fe80::1"),
            ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("::ffff:10.0.0.1", "::ffff:10.0.0.1"),
        ]
    )
    func canonical(_ text: String, _ printed: String) {
        #expect(IPAddress(text)?.description == printed)
    }

    @Test(
        "What is no address is refused",
        arguments: [
            "", "1.2.3", "1.2.3.4.5", "256.0.0.1", "-1.0.0.0", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4", "a.b.c.d", ":",
            ":::",
            "1::2::3", "g::1", "fe80::1%eth0", "[::1]", "1.2.3.4:80", "10.0.0.0/8", "1:2:3:4:5:6:7:8:9",
        ]
    )
    func refuses(_ text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test("Bits stand in host order, bytes in network order")
    func bits() throws {
        #expect(IPAddress("10.0.0.1") == .v4(0x0a00_0001))
        #expect(IPAddress("2001:db8::1") == .v6(high: 0x2001_0db8_0000_0000, low: 1))
        #expect(IPAddress.v4(0x0102_0304).bytes == [1, 2, 3, 4])
        #expect(try #require(IPAddress("::1")).bytes == Array(repeating: 0, count: 15) + [1])
        #expect(IPAddress.v4(0).bitCount == 32 && IPAddress.v6(high: 0, low: 0).bitCount == 128)
    }

    @Test("Loopback and unspecified are known at their borders")
    func special() {
        #expect(IPAddress("127.0.0.0")?.isLoopback == true && IPAddress("127.255.255.255")?.isLoopback == true)
        #expect(IPAddress("126.255.255.255")?.isLoopback == false && IPAddress("128.0.0.0")?.isLoopback == false)
        #expect(IPAddress("::1")?.isLoopback == true && IPAddress("::2")?.isLoopback == false)
        #expect(IPAddress("0.0.0.0")?.isUnspecified == true && IPAddress("::")?.isUnspecified == true)
        #expect(IPAddress("0.0.0.1")?.isUnspecified == false)
    }

    @Test("IPv4 comes before IPv6, and each is in the order of its numbers")
    func order() {
        let texts = ["::1", "10.0.0.2", "2001:db8::", "9.255.255.255", "10.0.0.10", "::"]

        let sorted = texts.compactMap { IPAddress($0) }.sorted().map(\.description)

        #expect(sorted == ["9.255.255.255", "10.0.0.2", "10.0.0.10", "::", "::1", "2001:db8::"])
    }

    @Test("Every address survives being printed and read", arguments: [UInt64](1...50))
    func roundTrip(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let addresses: [IPAddress] = [
            .v4(UInt32(truncatingIfNeeded: random.next())), .v6(high: random.next(), low: random.next()),
            .v6(high: 0, low: random.next() & 0xffff),
        ]

        for address in addresses { #expect(IPAddress(address.description) == address) }
    }
}
