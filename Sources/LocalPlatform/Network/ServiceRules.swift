package import MeshModel

/// One port of a Service and who answers it.
package struct ServiceRoute: Hashable, Sendable, Comparable {
    package enum Transport: String, Hashable, Sendable, Comparable {
        case tcp, udp

        package static func < (left: Transport, right: Transport) -> Bool { left.rawValue < right.rawValue }
    }

    package struct Backend: Hashable, Sendable, Comparable {
        package var address: IPAddress
        package var port: Int

        package init(address: IPAddress, port: Int) {
            self.address = address
            self.port = port
        }

        package static func < (left: Backend, right: Backend) -> Bool {
            (left.address, left.port) < (right.address, right.port)
        }
    }

    /// `default/ratings:http`, for comments.
    package var name: String
    package var address: IPAddress
    package var port: Int
    package var transport: Transport
    package var backends: [Backend]

    package init(name: String, address: IPAddress, port: Int, transport: Transport, backends: [Backend]) {
        self.name = name
        self.address = address
        self.port = port
        self.transport = transport
        self.backends = backends.sorted()
    }

    package static func < (left: ServiceRoute, right: ServiceRoute) -> Bool {
        (left.address, left.port, left.transport) < (right.address, right.port, right.transport)
    }
}

/// The host's iptables rules as text for `iptables-restore --noflush`.
///
/// All rules live in chains of our own; the host's chains get one jump each. A restore replaces our chains as a whole,
/// table by table, so packets always see either the old rules or the new ones.
package struct ServiceRules: Hashable, Sendable {
    package var routes: [ServiceRoute]
    /// What NetworkPolicies forbid.
    package var policies: PolicyRules
    package var network: PlatformNetwork

    package init(
        routes: [ServiceRoute],
        policies: PolicyRules = PolicyRules(),
        network: PlatformNetwork = PlatformNetwork()
    ) {
        self.routes = routes.sorted()
        self.policies = policies
        self.network = network
    }

    /// The host's chains that jump to ours.
    package static let jumps: [(table: String, chain: String, target: String)] = [
        ("nat", "PREROUTING", "LATEEN-SERVICES"),
        ("nat", "OUTPUT", "LATEEN-SERVICES"),
        ("nat", "POSTROUTING", "LATEEN-POSTROUTING"),
        ("filter", "INPUT", "LATEEN-INPUT"),
        ("filter", "FORWARD", "LATEEN-FORWARD"),
        ("filter", "OUTPUT", "LATEEN-REJECT"),
    ]

    /// Marks packets of a pod that reached itself through a Service.
    private static let hairpinMark = "0x4c41/0xffff"
    private static let tooLong = 28

    /// The text that replaces all of our chains.
    package var restoreInput: String {
        var lines = [
            "*nat", ":LATEEN-SERVICES - [0:0]", ":LATEEN-SERVICE-PORTS - [0:0]", ":LATEEN-POSTROUTING - [0:0]",
        ]
        let served = self.routes.filter { !$0.backends.isEmpty }
        for route in served { lines.append(":\(Self.chain(of: route)) - [0:0]") }
        // Addresses inside of a cluster are no way into it: what comes by the wire for one is refused.
        lines.append("-A LATEEN-SERVICES -i \(PlatformNetwork.wire) -d \(self.network.serviceRange) -j RETURN")
        // Packets to any Service pass one test of a range before the list is walked.
        for range in self.ranges { lines.append("-A LATEEN-SERVICES -d \(range) -j LATEEN-SERVICE-PORTS") }
        for route in served {
            lines.append(
                "-A LATEEN-SERVICE-PORTS -d \(route.address)/32 -p \(route.transport.rawValue) -m \(route.transport.rawValue) "
                    + "--dport \(route.port) -m comment --comment \"\(Self.comment(route.name))\" "
                    + "-j \(Self.chain(of: route))"
            )
            lines += self.picks(route)
        }
        lines.append("-A LATEEN-POSTROUTING -m mark --mark \(Self.hairpinMark) -j MASQUERADE")
        lines.append(
            "-A LATEEN-POSTROUTING -s \(self.network.podRange) ! -o lateen+ -j MASQUERADE"
        )
        lines.append(
            "-A LATEEN-POSTROUTING -s \(PlatformNetwork.outsideRange) ! -o lateen+ -j MASQUERADE"
        )
        if self.network.isFirst {
            // Other clusters reach the world through this machine, which alone is known there.
            let wire = PlatformNetwork.wireRange
            lines.append("-A LATEEN-POSTROUTING -s \(wire) ! -d \(wire) ! -o lateen+ -j MASQUERADE")
        }
        lines += ["COMMIT", "*filter", ":LATEEN-INPUT - [0:0]", ":LATEEN-FORWARD - [0:0]", ":LATEEN-REJECT - [0:0]"]
        lines += [":\(PolicyRules.egressChain) - [0:0]", ":\(PolicyRules.ingressChain) - [0:0]"] + self.policies.lines
        lines.append("-A LATEEN-INPUT -i lateen+ -j \(PolicyRules.egressChain)")
        lines.append("-A LATEEN-INPUT -i lateen+ -j ACCEPT")
        lines.append("-A LATEEN-FORWARD -j LATEEN-REJECT")
        lines.append("-A LATEEN-FORWARD -i lateen+ -j \(PolicyRules.egressChain)")
        lines.append("-A LATEEN-FORWARD -o lateen+ -j \(PolicyRules.ingressChain)")
        lines.append("-A LATEEN-FORWARD -i lateen+ -j ACCEPT")
        lines.append("-A LATEEN-FORWARD -o lateen+ -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")
        lines += Self.wireRules
        // What still has a Service's address found no endpoint.
        for range in self.ranges {
            lines.append("-A LATEEN-REJECT -d \(range) -p tcp -j REJECT --reject-with tcp-reset")
            lines.append("-A LATEEN-REJECT -d \(range) -j REJECT --reject-with icmp-port-unreachable")
        }
        lines.append("COMMIT")
        return lines.joined(separator: "\n") + "\n"
    }

    private var ranges: [String] { [self.network.serviceRange, self.network.loadBalancerRange] }

    /// Who comes by the wire is on another network: it gets to the API server, to addresses that Services have for
    /// outside, and through to further machines, but to no pod.
    private static let wireRules = [
        "-A LATEEN-INPUT -i \(PlatformNetwork.wire) -p tcp --dport \(PlatformNetwork.apiPort) -j ACCEPT",
        "-A LATEEN-FORWARD -i \(PlatformNetwork.wire) -m conntrack --ctstate DNAT -j ACCEPT",
        "-A LATEEN-FORWARD -i \(PlatformNetwork.wire) -o lateen+ -j REJECT --reject-with icmp-net-prohibited",
        "-A LATEEN-FORWARD -i \(PlatformNetwork.wire) -j ACCEPT",
        "-A LATEEN-FORWARD -o \(PlatformNetwork.wire) -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    ]

    /// One backend after the other with the probability that makes all of them equal: 1/n, 1/(n-1), …, 1.
    private func picks(_ route: ServiceRoute) -> [String] {
        let chain = Self.chain(of: route)
        let count = route.backends.count
        return route.backends.map {
            "-A \(chain) -s \($0.address)/32 -j MARK --set-xmark \(Self.hairpinMark)"
        }
            + route.backends.enumerated().map { index, backend in
                let left = count - index
                let pick = left == 1 ? "" : "-m statistic --mode random --probability \(Self.share(of: left)) "
                return "-A \(chain) -p \(route.transport.rawValue) \(pick)-j DNAT "
                    + "--to-destination \(backend.address):\(backend.port)"
            }
    }

    /// `1/left` with ten digits.
    static func share(of left: Int) -> String {
        let digits = String(10_000_000_000 / left)
        return "0." + String(repeating: "0", count: 10 - digits.count) + digits
    }

    /// Chains are named by what they serve, not by how they serve it, so that a restore replaces them.
    static func chain(of route: ServiceRoute) -> String {
        "LATEEN-SVC-" + PodLink.hash("\(route.address):\(route.port)/\(route.transport.rawValue)").uppercased()
    }

    private static func comment(_ name: String) -> String {
        String(
            name.unicodeScalars.filter { $0 != "\"" && $0 != "\\" && $0.value >= 32 }.map(Character.init).prefix(200)
        )
    }
}
