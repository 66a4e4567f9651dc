import MeshModel
import MeshTestSupport
import Testing

@Suite struct CIDRTests {
    @Test(
        "Bits past the prefix are cleared, and a bare address is a whole prefix",
        arguments: [
            ("10.1.2.3/8", "10.0.0.0/8"), ("10.1.2.3/32", "10.1.2.3/32"), ("10.1.2.3", "10.1.2.3/32"),
            ("1.2.3.4/0", "0.0.0.0/0"), ("255.255.255.255/1", "128.0.0.0/1"), ("2001:db8:1::5/32", "2001:db8::/32"),
            ("2001:db8::1/64", "2001:db8::/64"), ("2001:db8::ffff:1/127", "2001:db8::ffff:0/127"),
            ("2001:db8:0:0:8000::/65", "2001:db8:0:0:8000::/65"), ("::1", "::1/128"), ("ff::/0", "::/0"),
        ]
    )
    func canonical(_ text: String, _ printed: String) {
        #expect(CIDR(text)?.description == printed)
    }

    @Test(
        "What is no block is refused",
        arguments: [
            "", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8/8", "10.0.0/8", "::/129",
            "10.0.0.0/ 8", "10.0.0.0/0x8", "10.0.0.0/99999999999999999999",
        ]
    )
    func refuses(_ text: String) {
        #expect(CIDR(text) == nil)
    }

    @Test(
        "A block holds its first and last address and no neighbour",
        arguments: [
            ("10.0.1.0/24", "10.0.1.0", true), ("10.0.1.0/24", "10.0.1.255", true),
            ("10.0.1.0/24", "10.0.0.255", false),
            ("10.0.1.0/24", "10.0.2.0", false), ("0.0.0.0/0", "255.255.255.255", true), ("0.0.0.0/0", "::1", false),
            ("::/0", "10.0.0.1", false), ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::", false), ("10.0.0.1/32", "10.0.0.1", true),
            ("10.0.0.1/32", "10.0.0.2", false),
        ]
    )
    func contains(_ block: String, _ address: String, _ isInside: Bool) throws {
        let block = try #require(CIDR(block))
        let address = try #require(IPAddress(address))

        #expect(block.contains(address) == isInside)
    }

    @Test("The length must fit the family, at both ends")
    func lengths() {
        let four = IPAddress.v4(1)
        let six = IPAddress.v6(high: 0, low: 1)

        #expect(CIDR(address: four, prefixLength: 0) != nil && CIDR(address: four, prefixLength: 32) != nil)
        #expect(CIDR(address: four, prefixLength: -1) == nil && CIDR(address: four, prefixLength: 33) == nil)
        #expect(CIDR(address: six, prefixLength: 128)?.isSingleAddress == true)
        #expect(CIDR(address: six, prefixLength: 129) == nil)
    }

    @Test("An address is in each block around it, whatever the length", arguments: [UInt64](1...20))
    func around(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let six = IPAddress.v6(high: random.next(), low: random.next())
        let four = IPAddress.v4(UInt32(truncatingIfNeeded: random.next()))

        for (address, lengths) in [(six, 0...128), (four, 0...32)] {
            for length in lengths {
                let block = try #require(CIDR(address: address, prefixLength: length))
                #expect(block.contains(address) && CIDR(block.description) == block)
            }
        }
    }
}
