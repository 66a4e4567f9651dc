import ArgumentParser
import DNSProxy
import Interception
import MeshModel

/// Leads the traffic of the current network namespace to the proxy.
struct InterceptionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "iptables",
        abstract: "Set up interception in the current network namespace; needs NET_ADMIN.",
        discussion: "Run by a pod's init container. Calling it again replaces the earlier rules."
    )

    @Option(name: [.customShort("p"), .customLong("envoy-port")], help: "Where outbound connections are led to.")
    var outboundPort: UInt16 = MeshPorts.outbound

    @Option(name: [.customShort("z"), .customLong("inbound-capture-port")], help: "Where inbound ones are led to.")
    var inboundPort: UInt16 = MeshPorts.inbound

    @Option(name: [.customShort("u"), .customLong("proxy-uid")], help: "The proxy's user, whose traffic passes.")
    var user: UInt32 = MeshPorts.proxyUser

    @Option(name: [.customShort("g"), .customLong("proxy-gid")], help: "The proxy's group, whose traffic passes.")
    var group: UInt32 = MeshPorts.proxyUser

    @Option(name: [.customShort("m"), .customLong("inbound-interception-mode")], help: "Only REDIRECT.")
    var mode = "REDIRECT"

    @Option(name: [.customShort("i"), .customLong("include-outbound-ip-ranges")], help: "Blocks, or *.")
    var includeOutboundIPRanges = InterceptionText().includeOutboundIPRanges

    @Option(
        name: .customLong("virtual-ip-ranges"),
        help: "Blocks that are led to the proxy whatever else is said: nobody outside answers there."
    )
    var virtualIPRanges = InterceptionText().virtualIPRanges

    @Option(name: [.customShort("x"), .customLong("exclude-outbound-ip-ranges")], help: "Blocks.")
    var excludeOutboundIPRanges = InterceptionText().excludeOutboundIPRanges

    @Option(name: [.customShort("b"), .customLong("include-inbound-ports")], help: "Ports, or *.")
    var includeInboundPorts = InterceptionText().includeInboundPorts

    @Option(name: [.customShort("d"), .customLong("exclude-inbound-ports")], help: "Ports.")
    var excludeInboundPorts = InterceptionText().excludeInboundPorts

    @Option(name: [.customShort("q"), .customLong("include-outbound-ports")], help: "Ports, in any block.")
    var includeOutboundPorts = InterceptionText().includeOutboundPorts

    @Option(name: [.customShort("o"), .customLong("exclude-outbound-ports")], help: "Ports.")
    var excludeOutboundPorts = InterceptionText().excludeOutboundPorts

    @Option(name: [.customShort("c"), .customLong("exclude-interfaces")], help: "Interface names.")
    var excludeInterfaces = InterceptionText().excludeInterfaces

    @Flag(inversion: .prefixedNo, help: "Lead DNS queries to the proxy as well.")
    var redirectDNS = true

    @Option(
        help: ArgumentHelp(
            "Queries to which servers are led to the proxy.",
            discussion:
                "Those of --resolv-conf, all, or a list of addresses. Queries to other servers leave as they are.",
            valueName: "resolv.conf|all|addresses"
        )
    )
    var dnsServers = "resolv.conf"

    @Option(help: "The file that names the DNS servers.")
    var resolvConf = "/etc/resolv.conf"

    @Flag(help: "Leave IPv6 alone.")
    var ipv4Only = false

    @Flag(help: "Remove the rules instead.")
    var clean = false

    @Flag(help: "Print the rules instead of applying them.")
    var dryRun = false

    func run() throws {
        guard self.mode == "REDIRECT" else {
            throw ValidationError("-m \(self.mode) is not supported; only REDIRECT is.")
        }
        let installer = InterceptionInstaller()
        if self.clean {
            try installer.remove(coversIPv6: !self.ipv4Only)
            return
        }
        let rules = try InterceptionRules(self.interception())
        if self.dryRun {
            let text = rules.restoreInput()
            print("# iptables-restore\n\(text.v4)\n# ip6tables-restore\n\(text.v6)")
        } else {
            try installer.install(rules)
        }
    }

    private func dnsCapture() throws -> InterceptionConfiguration.DNSCapture {
        let file = ResolvConfWatch.read(self.resolvConf) ?? ResolvConf()
        // Whom the proxy asks: whatever these ask in turn must not come back to it.
        let asked = file.forUpstream(ResolvConfWatch.read)
        return try .init(
            self.dnsServers,
            named: file.nameservers.map(\.address),
            asked: asked.nameservers.map(\.address)
        )
    }

    private func interception() throws -> InterceptionConfiguration {
        var text = InterceptionText()
        text.includeInboundPorts = self.includeInboundPorts
        text.excludeInboundPorts = self.excludeInboundPorts
        text.includeOutboundIPRanges = self.includeOutboundIPRanges
        text.virtualIPRanges = self.virtualIPRanges
        text.excludeOutboundIPRanges = self.excludeOutboundIPRanges
        text.includeOutboundPorts = self.includeOutboundPorts
        text.excludeOutboundPorts = self.excludeOutboundPorts
        text.excludeInterfaces = self.excludeInterfaces
        var configuration = try InterceptionConfiguration(text)
        configuration.outboundPort = self.outboundPort
        configuration.inboundPort = self.inboundPort
        configuration.proxyUser = self.user
        configuration.proxyGroup = self.group
        configuration.dnsCapture = try self.redirectDNS ? self.dnsCapture() : .off
        configuration.coversIPv6 = !self.ipv4Only
        return configuration
    }
}
