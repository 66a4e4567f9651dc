import ArgumentParser
import DNSProxy
import Interception
import MeshModel

/// What of a machine's traffic is led through the proxy.
struct VMInterceptionFlags: ParsableArguments {
    /// A machine is logged in to, unlike a pod; the others are the proxy's own.
    static let excludedInbound = "22,\(InterceptionText().excludeInboundPorts)"

    @Option(help: "Ports, or *.")
    var includeInboundPorts = InterceptionText().includeInboundPorts

    @Option(help: "Ports.")
    var excludeInboundPorts = Self.excludedInbound

    @Option(help: "Blocks, or *.")
    var includeOutboundIPRanges = InterceptionText().includeOutboundIPRanges

    @Option(help: "Blocks.")
    var excludeOutboundIPRanges = InterceptionText().excludeOutboundIPRanges

    @Option(help: "Ports.")
    var excludeOutboundPorts = InterceptionText().excludeOutboundPorts

    @Flag(inversion: .prefixedNo, help: "Lead DNS queries to the servers of --resolv-conf to the proxy.")
    var redirectDNS = true

    @Flag(help: "Leave IPv6 alone.")
    var ipv4Only = false

    /// - Throws: all that is wrong, in one sentence.
    func rules(user: ProxyUser, dns flags: VMFlags) throws -> InterceptionRules {
        var text = InterceptionText()
        text.includeInboundPorts = self.includeInboundPorts
        text.excludeInboundPorts = self.excludeInboundPorts
        text.includeOutboundIPRanges = self.includeOutboundIPRanges
        text.excludeOutboundIPRanges = self.excludeOutboundIPRanges
        text.excludeOutboundPorts = self.excludeOutboundPorts
        var configuration = try InterceptionConfiguration(text)
        configuration.proxyUser = user.user
        configuration.proxyGroup = user.group
        configuration.coversIPv6 = !self.ipv4Only
        configuration.dnsPort = try flags.listening()?.port ?? MeshPorts.dns
        if self.redirectDNS {
            // Only these: a local resolver such as systemd-resolved or dnsmasq asks its own servers without coming
            // back here.
            let servers = try ResolvConfWatch.servers(of: flags.runtime.resolvConf)
            configuration.dnsCapture = try InterceptionConfiguration.DNSCapture(
                "resolv.conf",
                named: servers,
                asked: []
            )
        }
        return try InterceptionRules(configuration)
    }
}
