import DNSWire
import Testing

@Suite struct DNSTypeTextTests {
    @Test(
        "A type is found by name, number or both",
        arguments: [
            ("A", DNSType.a), ("aaaa", .aaaa), ("HTTPS", .https), ("65", .https), ("type33", .srv),
            ("0", DNSType(rawValue: 0)),
            ("65535", DNSType(rawValue: 65_535)),
        ]
    )
    func known(_ text: String, _ type: DNSType) { #expect(DNSType(named: text) == type) }

    @Test("Every type that has a name is found by it")
    func both() {
        let named = (UInt16.min...UInt16.max).map { DNSType(rawValue: $0) }.filter { !$0.description.hasPrefix("TYPE") }

        #expect(named.count > 15 && named.allSatisfy { DNSType(named: $0.description) == $0 })
        #expect([DNSType.svcb, .dname, .rrsig, .nsec, .nsec3].allSatisfy(named.contains))
    }

    @Test("What is no type is refused", arguments: ["", "65536", "-1", "TYPE", "HOST"])
    func unknown(_ text: String) { #expect(DNSType(named: text) == nil) }
}
