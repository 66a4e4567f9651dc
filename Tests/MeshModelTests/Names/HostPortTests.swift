import MeshModel
import Testing

@Suite struct HostPortTests {
    @Test(
        "Names and addresses are read, IPv6 in brackets, and written as they were",
        arguments: [
            ("istiod.istio-system.svc:15012", "istiod.istio-system.svc", 15012), ("10.0.0.1:1", "10.0.0.1", 1),
            ("[2001:db8::1]:65535", "2001:db8::1", 65_535),
        ] as [(String, String, UInt16)]
    )
    func reads(_ text: String, _ host: String, _ port: UInt16) throws {
        let place = try #require(HostPort(text))

        #expect(place.host == host && place.port.number == port && place.description == text)
    }

    @Test(
        "What is no host and port is refused",
        arguments: [
            "", ":", "host", "host:", ":15012", "host:0", "host:65536", "host:-1", "host:+1", "host: 1", "host:http",
            "2001:db8::1", "2001:db8::1:15012", "[2001:db8::1]", "[2001:db8::1]15012", "[host]:1", "[]:1",
            "[10.0.0.1]:1",
            "[::1:1", "::1]:1",
        ]
    )
    func refuses(_ text: String) { #expect(HostPort(text) == nil) }
}
