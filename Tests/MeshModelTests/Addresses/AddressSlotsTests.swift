import MeshModel
import Testing

@Suite struct AddressSlotsTests {
    @Test(
        "A host tries every usable address of a block once",
        arguments: [
            ("10.0.0.0/30", 2), ("10.0.0.0/28", 14), ("10.0.0.0/25", 126), ("10.0.0.0/24", 254), ("10.4.0.0/20", 4064),
            ("240.240.0.0/16", 65024), ("2001:db8::/120", 255), ("2001:db8::/126", 3),
        ]
    )
    func triesAll(_ text: String, _ count: Int) throws {
        let slots = AddressSlots(try #require(CIDR(text)))

        let tried = slots.slots(for: "db.example").map(slots.address)

        #expect(tried.count == count)
        #expect(Set(tried).count == count)
        #expect(tried.allSatisfy { slots.block.contains($0) && $0 != slots.block.network })
    }

    @Test(
        "A block without usable addresses gives the one that is inside",
        arguments: [
            ("1.2.3.4/32", "1.2.3.4"), ("1.2.3.4/31", "1.2.3.5"), ("2001:db8::5/128", "2001:db8::5"),
            ("2001:db8::4/127", "2001:db8::5"),
        ]
    )
    func smallest(_ text: String, _ expected: String) throws {
        let slots = AddressSlots(try #require(CIDR(text)))

        let tried = slots.slots(for: "db.example").map(slots.address)

        #expect(tried.map(\.description) == [expected])
    }

    @Test("A wide block of IPv6 is tried without an end in sight and without an overflow")
    func wide() throws {
        let slots = AddressSlots(try #require(CIDR("2001:2::/48")))

        let tried = slots.slots(for: "db.example").prefix(1000).map(slots.address)

        #expect(Set(tried).count == 1000)
        #expect(tried.allSatisfy { slots.block.contains($0) })
    }
}
