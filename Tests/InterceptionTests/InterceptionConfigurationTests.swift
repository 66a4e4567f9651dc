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
