package import MeshModel

/// What of a pod's traffic goes through the proxy; validated, so that every value can be printed into a rule.
///
/// The defaults are Istio's (facts 1b "Interception"): everything out, everything in but the proxy's own ports.
package struct InterceptionConfiguration: Hashable, Sendable {
    /// All ports, or just the ones named.
    package enum PortSelection: Hashable, Sendable {
        case all
        case only(Set<Port>)
    }

    /// All destinations, or just the blocks named.
    package enum BlockSelection: Hashable, Sendable {
        case all
        case only(Set<CIDR>)
    }

    /// Which DNS traffic goes to the proxy.
    package enum DNSCapture: Hashable, Sendable {
        case off
        /// Queries to these servers, those of the pod's `resolv.conf`.
        ///
        /// Only these, so that a local resolver may still ask its own upstream without a loop (facts #15).
        case servers(Set<IPAddress>)
        /// Every query, whatever server it is for.
        case all
    }

    /// Where the proxy accepts what applications send.
    package var outboundPort: UInt16 = MeshPorts.outbound
    /// Where the proxy accepts what is sent to the pod.
    package var inboundPort: UInt16 = MeshPorts.inbound
    /// Where the proxy answers DNS, over UDP and TCP.
    package var dnsPort: UInt16 = MeshPorts.dns
    /// The proxy's user and group: what they send passes.
    package var proxyUser: UInt32 = MeshPorts.proxyUser
    package var proxyGroup: UInt32 = MeshPorts.proxyUser

    package var inboundPorts: PortSelection = .all
    /// Ports that are never intercepted inbound: probes and scrapes must reach the proxy itself.
    package var inboundPortsExcluded: Set<Port> = Self.ports(15020, MeshPorts.ready, MeshPorts.prometheus)
    package var outboundBlocks: BlockSelection = .all
    /// Intercepted outbound whatever is excluded or not included: the mesh made these addresses up, and a connection to
    /// one of them that left the pod would reach nobody, or the wrong one (facts #31).
    package var virtualBlocks: Set<CIDR> = Set(VirtualAddressRanges().all)
    /// Ports that are intercepted outbound even if the destination is in no block of `outboundBlocks`.
    package var outboundPortsIncluded: Set<Port> = []
    package var outboundBlocksExcluded: Set<CIDR> = []
    package var outboundPortsExcluded: Set<Port> = []
    /// Interfaces whose traffic is left alone, in both directions.
    package var interfacesExcluded: Set<String> = []
    package var dnsCapture: DNSCapture = .off
    /// Whether rules for IPv6 are made as well.
    package var coversIPv6 = true

    /// Istio's defaults.
    package init() {}

    /// Whether some of what goes out is not intercepted.
    package var narrowsOutbound: Bool {
        self.outboundBlocks != .all || !self.outboundBlocksExcluded.isEmpty || !self.outboundPortsExcluded.isEmpty
    }

    /// Every reason why rules cannot be made of this; empty if they can.
    package var mistakes: [String] {
        var found: [String] = []
        let ours = [("outbound", self.outboundPort), ("inbound", self.inboundPort), ("DNS", self.dnsPort)]
        for (name, port) in ours where port == 0 {
            found.append("the \(name) port must be 1 to 65535, not 0")
        }
        for (index, (name, port)) in ours.enumerated() {
            for (other, otherPort) in ours.dropFirst(index + 1) where port == otherPort {
                found.append("the \(name) port and the \(other) port are both \(port); each needs its own")
            }
        }
        if self.proxyUser == 0 || self.proxyGroup == 0 {
            found.append("the proxy cannot run as user or group 0: all traffic of root would pass it by")
        }
        for name in self.interfacesExcluded.sorted() where !Self.isInterfaceName(name) {
            found.append("\"\(name)\" is no interface name: 1 to 15 characters out of letters, digits, '.', '_', '-'")
        }
        if self.dnsCapture == .servers([]) {
            found.append("DNS is to be captured for the servers of resolv.conf, but it names none; capture all instead")
        }
        return found
    }

    /// Linux allows more (anything but `/` and white space); what could be read as an option is refused here.
    static func isInterfaceName(_ name: String) -> Bool {
        guard (1...15).contains(name.utf8.count), name.utf8.first != UInt8(ascii: "-"), name != ".", name != ".." else {
            return false
        }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
    }

    private static func ports(_ numbers: UInt16...) -> Set<Port> { Set(numbers.compactMap { Port($0) }) }
}

/// Why interception cannot be set up or removed.
package struct InterceptionError: Error, Hashable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// The configuration is wrong; nothing was changed.
        case badConfiguration
        /// A program is not installed.
        case programMissing
        /// A program refused.
        case programFailed
    }

    package var code: Code
    /// What happened, to what, and the cure; several mistakes are separated by `; `.
    package var message: String

    package init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { self.message }
}
