package import KubernetesAPI
import MeshModel

/// NetworkPolicies (networking.k8s.io/v1) with the pods that they select and the peers that they name.
///
/// A pod that a policy selects may do what any of its policies opens, and nothing else in that direction. Addresses of
/// endpoints without a pod, as the cluster's DNS has, count for selectors of their namespace.
package struct PolicyTable {
    private struct Peer {
        var namespace: String
        var labels: [String: String]
        var addresses: [IPAddress]
        /// Container ports by name.
        var ports: [String: Int]
    }

    private let namespaces: [String: [String: String]]
    private let peers: [Peer]
    /// Endpoints without a pod, by namespace.
    private let others: [String: [IPAddress]]
    package private(set) var rules = PolicyRules()

    package init(
        policies: [KubernetesObject],
        pods: [KubernetesObject],
        namespaces: [KubernetesObject],
        slices: [KubernetesObject]
    ) {
        self.namespaces = Dictionary(
            namespaces.map { namespace in
                let own = ["kubernetes.io/metadata.name": namespace.name]
                return (namespace.name, namespace.labels.merging(own) { $1 })
            },
            uniquingKeysWith: { $1 }
        )
        self.peers = pods.compactMap(Self.peer)
        var others: [String: [IPAddress]] = [:]
        for slice in slices {
            for endpoint in slice.json["endpoints"]?.array ?? [] where endpoint["targetRef"] == nil {
                let addresses = (endpoint["addresses"]?.array ?? []).compactMap { $0.string.flatMap { IPAddress($0) } }
                others[slice.namespace ?? "default", default: []] += addresses
            }
        }
        self.others = others
        guard !policies.isEmpty else { return }
        let ordered = policies.sorted { ($0.namespace ?? "", $0.name) < ($1.namespace ?? "", $1.name) }
        self.rules = PolicyRules(
            pods: self.peers.flatMap { peer in peer.addresses.compactMap { self.rules(of: peer, $0, ordered) } }
        )
    }

    private static func peer(_ pod: KubernetesObject) -> Peer? {
        let phase = pod.status["phase"]?.string
        guard let address = pod.status["podIP"]?.string.flatMap({ IPAddress($0) }), case .v4 = address,
            phase != "Succeeded", phase != "Failed"
        else { return nil }
        var ports: [String: Int] = [:]
        for container in pod.spec["containers"]?.array ?? [] {
            for port in container["ports"]?.array ?? [] {
                if let name = port["name"]?.string, let number = port["containerPort"]?.int { ports[name] = number }
            }
        }
        return Peer(namespace: pod.namespace ?? "default", labels: pod.labels, addresses: [address], ports: ports)
    }

    private func rules(of peer: Peer, _ address: IPAddress, _ policies: [KubernetesObject]) -> PolicyRules.Pod? {
        var rules = PolicyRules.Pod(address: address)
        for policy in policies where (policy.namespace ?? "default") == peer.namespace {
            guard LabelSelector(json: policy.spec["podSelector"]).matches(peer.labels) else { continue }
            let egress = policy.spec["egress"]?.array
            // Without `policyTypes` a policy is for ingress, and for egress if it says anything of it.
            let types =
                policy.spec["policyTypes"]?.array?.compactMap(\.string)
                ?? ["Ingress"] + (egress == nil ? [] : ["Egress"])
            if types.contains("Egress") {
                rules.egress = (rules.egress ?? []) + (egress ?? []).flatMap { self.openings($0, "to", policy, nil) }
            }
            if types.contains("Ingress") {
                let ingress = policy.spec["ingress"]?.array ?? []
                rules.ingress =
                    (rules.ingress ?? []) + ingress.flatMap { self.openings($0, "from", policy, peer.ports) }
            }
        }
        return rules.egress == nil && rules.ingress == nil ? nil : rules
    }

    /// `ownPorts`: names of ports of the selected pod, for ingress; for egress names are those of the peer.
    private func openings(
        _ rule: JSONValue,
        _ side: String,
        _ policy: KubernetesObject,
        _ ownPorts: [String: Int]?
    ) -> [PolicyRules.Opening] {
        let asked = rule["ports"]?.array ?? []
        let sources = rule[side]?.array ?? []
        guard !sources.isEmpty else {
            let ports = asked.compactMap { Self.range($0, ownPorts ?? [:]) }
            return asked.isEmpty || !ports.isEmpty ? [PolicyRules.Opening(ports: ports)] : []
        }
        return sources.flatMap { source -> [PolicyRules.Opening] in
            if let block = source["ipBlock"] {
                guard let wide = block["cidr"]?.string.flatMap({ CIDR($0) }), case .v4 = wide.network else { return [] }
                let exceptions = (block["except"]?.array ?? []).compactMap { $0.string.flatMap { CIDR($0) } }
                let ports = asked.compactMap { Self.range($0, ownPorts ?? [:]) }
                guard asked.isEmpty || !ports.isEmpty else { return [] }
                return [PolicyRules.Opening(blocks: [wide], exceptions: exceptions, ports: ports)]
            }
            return self.openings(toward: source, policy, asked, ownPorts)
        }
    }

    private func openings(
        toward source: JSONValue,
        _ policy: KubernetesObject,
        _ asked: [JSONValue],
        _ ownPorts: [String: Int]?
    ) -> [PolicyRules.Opening] {
        let spaces: Set<String>
        if let selector = source["namespaceSelector"] {
            let selector = LabelSelector(json: selector)
            spaces = Set(self.namespaces.filter { selector.matches($0.value) }.keys)
        } else {
            spaces = [policy.namespace ?? "default"]
        }
        let selector = source["podSelector"].map { LabelSelector(json: $0) }
        var byPorts: [[PolicyRules.PortRange]: [CIDR]] = [:]
        for peer in self.peers where spaces.contains(peer.namespace) && selector?.matches(peer.labels) ?? true {
            let ports = asked.compactMap { Self.range($0, ownPorts ?? peer.ports) }
            if asked.isEmpty || !ports.isEmpty { byPorts[ports, default: []] += peer.addresses.map { CIDR($0) } }
        }
        if selector == nil {
            let ports = asked.compactMap { Self.range($0, ownPorts ?? [:]) }
            let addresses = spaces.flatMap { self.others[$0] ?? [] }.map { CIDR($0) }
            if !addresses.isEmpty, asked.isEmpty || !ports.isEmpty { byPorts[ports, default: []] += addresses }
        }
        return byPorts.map { PolicyRules.Opening(blocks: Set($0.value).sorted(), ports: $0.key) }
            .sorted { ($0.blocks.first?.description ?? "") < ($1.blocks.first?.description ?? "") }
    }

    /// `nil`: the port has a name that nobody has, or a transport that pods cannot use here.
    private static func range(_ port: JSONValue, _ names: [String: Int]) -> PolicyRules.PortRange? {
        let transport: ServiceRoute.Transport
        switch port["protocol"]?.string ?? "TCP" {
        case "TCP": transport = .tcp
        case "UDP": transport = .udp
        default: return nil
        }
        guard let value = port["port"] else { return PolicyRules.PortRange(transport: transport, numbers: nil) }
        guard let first = value.int ?? value.string.flatMap({ names[$0] }), (1...65535).contains(first) else {
            return nil
        }
        let last = min(max(port["endPort"]?.int ?? first, first), 65535)
        return PolicyRules.PortRange(transport: transport, numbers: first...last)
    }
}
