package import MeshModel

/// What NetworkPolicies leave of the traffic of the pods that they select, as rules of the host's firewall.
///
/// Every packet of a pod passes the host, after the addresses of Services were translated: so the rules see pods, as
/// NetworkPolicies mean it. Packets from the host itself (probes, node ports) are not looked at.
package struct PolicyRules: Hashable, Sendable {
    /// A way that is open; what is empty is not asked.
    package struct Opening: Hashable, Sendable {
        package var blocks: [CIDR] = []
        package var exceptions: [CIDR] = []
        package var ports: [PortRange] = []

        package init(blocks: [CIDR] = [], exceptions: [CIDR] = [], ports: [PortRange] = []) {
            self.blocks = blocks
            self.exceptions = exceptions
            self.ports = ports
        }
    }

    package struct PortRange: Hashable, Sendable {
        package var transport: ServiceRoute.Transport
        /// `nil`: all ports of the transport.
        package var numbers: ClosedRange<Int>?

        package init(transport: ServiceRoute.Transport, numbers: ClosedRange<Int>?) {
            self.transport = transport
            self.numbers = numbers
        }
    }

    /// What is open for one pod; `nil`: no policy isolates it in that direction.
    package struct Pod: Hashable, Sendable {
        package var address: IPAddress
        package var egress: [Opening]?
        package var ingress: [Opening]?

        package init(address: IPAddress, egress: [Opening]? = nil, ingress: [Opening]? = nil) {
            self.address = address
            self.egress = egress
            self.ingress = ingress
        }
    }

    package var pods: [Pod]

    package init(pods: [Pod] = []) { self.pods = pods.sorted { $0.address < $1.address } }

    static let egressChain = "LATEEN-EGRESS"
    static let ingressChain = "LATEEN-INGRESS"

    /// Lines of the filter table that fill the two chains; they are declared by whoever restores them.
    var lines: [String] {
        var lines: [String] = []
        for chain in [Self.egressChain, Self.ingressChain] {
            lines.append("-A \(chain) -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN")
        }
        for pod in self.pods {
            if let openings = pod.egress {
                lines += Self.lines(openings, chain: Self.egressChain, own: "-s \(pod.address)/32", other: "-d")
            }
            if let openings = pod.ingress {
                lines += Self.lines(openings, chain: Self.ingressChain, own: "-d \(pod.address)/32", other: "-s")
            }
        }
        return lines
    }

    private static func lines(_ openings: [Opening], chain: String, own: String, other: String) -> [String] {
        var lines: [String] = []
        for opening in openings {
            // iptables takes one block of a direction per rule: exceptions leave by a rule of their own, into a set
            // of smaller blocks that is computed here.
            let wide = opening.blocks.isEmpty ? [Self.everything] : opening.blocks
            let blocks =
                opening.exceptions.isEmpty ? wide : wide.flatMap { Self.subtract(opening.exceptions, from: $0) }
            for block in blocks {
                let place = block.prefixLength == 0 ? "" : " \(other) \(block)"
                lines += Self.returns(opening.ports, "-A \(chain) \(own)\(place)")
            }
        }
        return lines + ["-A \(chain) \(own) -j DROP"]
    }

    private static var everything: CIDR { CIDR(address: .v4(0), prefixLength: 0) ?? CIDR(.v4(0)) }

    /// The blocks that are left of `block`, IPv4 only; at most 32 for each exception.
    static func subtract(_ exceptions: [CIDR], from block: CIDR) -> [CIDR] {
        if exceptions.contains(where: { $0.prefixLength <= block.prefixLength && $0.contains(block.network) }) {
            return []
        }
        let inside = exceptions.filter { block.contains($0.network) }
        guard !inside.isEmpty, case .v4(let bits) = block.network, block.prefixLength < 32 else { return [block] }
        let length = block.prefixLength + 1
        let halves = [bits, bits | (1 << UInt32(32 - length))]
        return halves.flatMap { half in
            CIDR(address: .v4(half), prefixLength: length).map { Self.subtract(inside, from: $0) } ?? []
        }
    }

    private static func returns(_ ports: [PortRange], _ start: String) -> [String] {
        guard !ports.isEmpty else { return ["\(start) -j RETURN"] }
        return ports.map { range in
            let transport = range.transport.rawValue
            let numbers = range.numbers.map { " -m \(transport) --dport \($0.lowerBound):\($0.upperBound)" } ?? ""
            return "\(start) -p \(transport)\(numbers) -j RETURN"
        }
    }
}
