import MeshModel
import TrafficEngine

extension Explainer {
    /// The Sidecar that keeps what is asked for from this proxy, although it is there and exported to it.
    var hidingSidecar: (rules: SidecarRules, service: Service)? {
        let key = self.hop.proxy.key
        guard self.hop.isOutbound, let rules = self.snapshot.sidecar(for: key) else { return nil }
        let scope = SidecarScope(rules, client: key.workload.namespace)
        for service in self.meantServices where service.ports.contains(where: { $0.port == self.question.port }) {
            let seen = scope.admitted(service)?.ports.contains { $0.port == self.question.port } ?? false
            if !seen { return (rules, service) }
        }
        return nil
    }

    /// Services that the host of the question may mean, as the pod's search domains complete it.
    private var meantServices: [Service] {
        let key = self.hop.proxy.key
        let visible = self.snapshot.services.filter { $0.visibility.includes(key.workload.namespace) }
        if let address = IPAddress(self.question.host) {
            return visible.filter { $0.addresses.contains { $0.contains(address) } }
        }
        let domain = self.snapshot.settings.domainSuffix
        return ["", ".\(key.dnsDomain)", ".svc.\(domain)", ".\(domain)"]
            .compactMap { HostName(self.question.host + $0) }
            .flatMap { host in visible.filter { $0.host.covers(host) } }
    }

    /// A Sidecar's ingress says where the application is.
    mutating func arriveAtEntrance(_ address: NetworkAddress) {
        let rules = self.snapshot.sidecar(for: self.hop.proxy.key)
        self.add(.endpoint, "the application at \(address)", rules?.source)
        self.arrive("Allowed: it reaches \(self.hop.proxy.key.workload), at \(address).")
    }

    /// Blocks what the proxy does not know: because nobody declared it, or because a Sidecar does not import it.
    mutating func stopUnknown(_ start: String, _ what: String, _ end: String = "") {
        guard let (rules, service) = self.hidingSidecar else {
            self.stop(
                "\(start): no service or ServiceEntry knows \(what), and the mesh lets only what it knows pass "
                    + "(REGISTRY_ONLY).\(end)",
                remedy: Remedy.serviceEntry(for: self.question)
            )
            return
        }
        self.stop(
            "\(start): \(rules.source) does not import \(service.host) of namespace \(service.namespace), port "
                + "\(self.question.port), and lets only what it imports pass (REGISTRY_ONLY).\(end)",
            remedy: Remedy.imported(service, by: rules)
        )
    }
}

extension Remedy {
    /// For a destination that a Sidecar does not import: the whole object, as it is with one host more.
    static func imported(_ service: Service, by rules: SidecarRules) -> String {
        var lines = [
            "apiVersion: networking.istio.io/v1", "kind: Sidecar", "metadata:", "  name: \(rules.source.id.name)",
            "  namespace: \(rules.source.id.namespace)", "spec:",
        ]
        if !rules.selector.isEmpty {
            lines += ["  workloadSelector:", "    labels:"]
            lines += rules.selector.sorted { $0.key < $1.key }.map { "      \($0.key): \"\($0.value)\"" }
        }
        if !rules.entrances.isEmpty { lines.append("  ingress:") }
        for entrance in rules.entrances {
            let word = entrance.applicationProtocol.rawValue.uppercased()
            lines.append("  - port: {number: \(entrance.port), protocol: \(word), name: port-\(entrance.port)}")
            switch entrance.target {
            case .dialled: ()
            case .loopback(let port, let isIPv6):
                lines.append("    defaultEndpoint: \"\(isIPv6 ? "[::1]" : "127.0.0.1"):\(port)\"")
            case .workload(let port): lines.append("    defaultEndpoint: \"0.0.0.0:\(port)\"")
            }
        }
        lines += ["  egress:", "  - hosts:"]
        lines += (rules.imports ?? []).filter { $0.port == nil }.map { "    - \"\(Self.text($0))\"" }
        lines.append("    - \"\(service.namespace)/\(service.host)\"")
        for item in rules.imports ?? [] {
            guard let port = item.port else { continue }
            lines += [
                "  - port: {number: \(port), protocol: TCP, name: port-\(port)}", "    hosts: [\"\(Self.text(item))\"]",
            ]
        }
        switch rules.outboundPolicy {
        case .registryOnly: lines.append("  outboundTrafficPolicy: {mode: REGISTRY_ONLY}")
        case .allowAny: lines.append("  outboundTrafficPolicy: {mode: ALLOW_ANY}")
        case nil: ()
        }
        return lines.joined(separator: "\n")
    }

    private static func text(_ item: SidecarRules.Import) -> String {
        switch item.namespace {
        case .any: "*/\(item.host)"
        case .own: "./\(item.host)"
        case .named(let name): "\(name)/\(item.host)"
        }
    }
}
