import PolicyEngine
import Testing

@Suite struct AdapterAddressTests {
    @Test(
        "Addresses of Mixer's handlers are understood",
        arguments: [
            ("[::]:42059", "[::]:42059"), ("127.0.0.1:80", "127.0.0.1:80"),
            ("kactivator.default.svc:6100", "kactivator.default.svc:6100"), ("dns:///adapter:1", "adapter:1"),
            ("unix:///run/a.sock", "unix:///run/a.sock"), ("unix:/run/a.sock", "unix:///run/a.sock"),
        ]
    )
    func reads(_ text: String, _ wanted: String) {
        #expect(AdapterAddress(text)?.description == wanted)
    }

    @Test(
        "Others are none",
        arguments: [
            "", "adapter", "adapter:", "adapter:0", "adapter:65536", ":80", "::1:80", "[adapter]:80", "a b:80",
            "http://a:80", "unix://relative", "unix:///" + String(repeating: "a", count: 107),
        ]
    )
    func refuses(_ text: String) { #expect(AdapterAddress(text) == nil) }
}
