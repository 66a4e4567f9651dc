import PolicyEngine
import Testing

@Suite struct EndpointTests {
    @Test(
        "An endpoint is a host with or without a port",
        arguments: [
            ("redis.shop.svc:6380", "redis.shop.svc", 6380), ("localhost", "localhost", 7), ("[::1]:80", "::1", 80),
            ("[::1]", "::1", 7), ("10.0.0.1:65535", "10.0.0.1", 65_535),
        ]
    )
    func reads(_ text: String, _ host: String, _ port: Int) {
        let endpoint = Endpoint(text, defaultPort: 7)

        #expect(endpoint?.host == host)
        #expect(endpoint?.port == port)
    }

    @Test("Anything else is none", arguments: ["", ":80", "a:", "a:0", "a:65536", "::1", "[::1", "[::1]x", "a b:1"])
    func refuses(_ text: String) { #expect(Endpoint(text, defaultPort: 7) == nil) }
}
