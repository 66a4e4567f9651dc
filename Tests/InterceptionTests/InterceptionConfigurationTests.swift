import Interception
import MeshModel
import Testing

@Suite struct InterceptionConfigurationTests {
    @Test("The defaults are valid and take everything but the proxy's own ports")
    func defaults() throws {
        let configuration = try InterceptionConfiguration(InterceptionText())

        #expect(configuration == InterceptionConfiguration())
        #expect(configuration.inboundPorts == .all)
        #expect(configuration.inboundPortsExcluded.map(\.number).sorted() == [15020, 15021, 15090])
    }

    @Test("Lists are read with spaces, blocks and both families")
    func lists() throws {
        var text = InterceptionText()
        text.includeInboundPorts = "80, 9080"
        text.includeOutboundIPRanges = "10.0.0.0/8,2001:db8::/32"
        text.excludeOutboundIPRanges = "10.1.2.3"
        text.excludeOutboundPorts = "1,65535"
        text.excludeInterfaces = "docker0"

        let configuration = try InterceptionConfiguration(text)

        #expect(configuration.inboundPorts == .only(Set([80, 9080].compactMap { Port($0) })))
        #expect(configuration.outboundBlocks == .only(Set(["10.0.0.0/8", "2001:db8::/32"].compactMap { CIDR($0) })))
        #expect(configuration.outboundBlocksExcluded.map(\.description) == ["10.1.2.3/32"])
        #expect(configuration.outboundPortsExcluded.map(\.number).sorted() == [1, 65535])
        #expect(configuration.interfacesExcluded == ["docker0"])
    }

    @Test("DNS is captured for the servers of resolv.conf, for all, or for those named")
    func dnsCapture() throws {
        typealias Capture = InterceptionConfiguration.DNSCapture
        let named = ["10.214.0.10", "2001:db8::53"].compactMap { IPAddress($0) }
        let other = ["10.0.0.53", "::1"].compactMap { IPAddress($0) }

        #expect(try Capture("resolv.conf", named: named, asked: named) == .servers(Set(named)))
        #expect(try Capture("all", named: named, asked: named) == .all)
        #expect(try Capture("10.0.0.53,::1", named: named, asked: named) == .servers(Set(other)))
        // Without servers in the file libraries ask the machine itself (resolv.conf(5)).
        let own = ["127.0.0.1", "::1"].compactMap { IPAddress($0) }
        #expect(try Capture("resolv.conf", named: [], asked: []) == .servers(Set(own)))
    }

    @Test("All DNS is not captured where a resolver of this machine is asked: its queries would go in a circle")
    func dnsCircle() throws {
        let local = [IPAddress.v4(0x7f00_0001)]

        let error = #expect(throws: InterceptionError.self) {
            try InterceptionConfiguration.DNSCapture("all", named: local, asked: local)
        }
        #expect(error?.message.contains("127.0.0.1 is a resolver of this machine") == true)
        for text in ["", ",", "localhost"] {
            #expect(throws: InterceptionError.self) {
                try InterceptionConfiguration.DNSCapture(text, named: local, asked: local)
            }
        }
    }

    @Test("An empty list of inbound ports intercepts nothing inbound")
    func emptyList() throws {
        var text = InterceptionText()
        text.includeInboundPorts = ""

        #expect(try InterceptionConfiguration(text).inboundPorts == .only([]))
    }

    @Test("All mistakes are named at once")
    func mistakes() {
        var text = InterceptionText()
        text.excludeInboundPorts = "0,65536,x"
        text.excludeOutboundIPRanges = "10.0.0.0/33"
        text.excludeInterfaces = "eth0; rm"
        text.excludeOutboundPorts = "*"

        let error = #expect(throws: InterceptionError.self) { try InterceptionConfiguration(text) }

        #expect(error?.code == .badConfiguration)
        for part in ["\"0\"", "\"65536\"", "\"x\"", "10.0.0.0/33", "\"eth0; rm\"", "stands alone"] {
            #expect(error?.message.contains(part) == true, "\(part) is missing in \(error?.message ?? "")")
        }
    }

    @Test("Values that would break interception are refused", arguments: 0..<5)
    func refused(_ index: Int) {
        var configuration = InterceptionConfiguration()
        switch index {
        case 0: configuration.outboundPort = 0
        case 1: configuration.inboundPort = configuration.outboundPort
        case 2: configuration.proxyUser = 0
        case 3: configuration.dnsCapture = .servers([])
        default: configuration.interfacesExcluded = ["-j"]
        }

        #expect(throws: InterceptionError.self) { try InterceptionRules(configuration) }
    }

    @Test(
        "Interface names have 1 to 15 harmless characters",
        arguments: [
            ("a", true), ("eth0.100", true), (String(repeating: "a", count: 15), true),
            (String(repeating: "a", count: 16), false), ("", false), ("a b", false), ("a\n-F", false), ("..", false),
        ]
    )
    func interfaceNames(_ name: String, _ isValid: Bool) {
        var configuration = InterceptionConfiguration()
        configuration.interfacesExcluded = [name]

        #expect(configuration.mistakes.isEmpty == isValid)
    }
}
