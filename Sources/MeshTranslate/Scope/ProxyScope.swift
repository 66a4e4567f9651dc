import MeshModel

/// The part of a snapshot that one proxy may see, with conflicts decided.
struct ProxyScope {
    let key: OutboundKey
    let snapshot: MeshSnapshot
    /// Visible services in order of precedence, oldest first. A ServiceEntry for a host that a Kubernetes
    /// Service has is left out (facts #30); a host may still appear more than once.
    let services: [Service]
    /// The first service of each host.
    let serviceByHost: [HostName: Service]
    private let rules: RuleIndex
    private let policies: PolicyIndex

    init(key: OutboundKey, snapshot: MeshSnapshot) {
        self.key = key
        self.snapshot = snapshot
        let visible = snapshot.services.filter { $0.visibility.includes(key.namespace) }
        let owned = Set(visible.lazy.filter(\.isKubernetes).map(\.host))
        self.services = visible.filter { $0.isKubernetes || !owned.contains($0.host) }
        self.serviceByHost = Dictionary(self.services.map { ($0.host, $0) }, uniquingKeysWith: { first, _ in first })
        self.rules = RuleIndex(
            snapshot.routeRules.filter { $0.gateways.contains("mesh") && $0.visibility.includes(key.namespace) }
        )
        self.policies = PolicyIndex(snapshot.destinationPolicies, client: key, root: snapshot.settings.rootNamespace)
    }

    var settings: MeshSettings { self.snapshot.settings }

    /// The VirtualService that rules a host: the most specific one, then the oldest.
    func routeRules(for host: HostName) -> RouteRules? { self.rules.rules(for: host) }

    /// VirtualServices in force, oldest first.
    var routeRules: [RouteRules] { self.rules.all }

    /// What the DestinationRules say about a service, merged.
    func policy(for service: Service) -> EffectivePolicy { self.policies.policy(for: service) }

    /// Endpoints that may receive traffic.
    func readyEndpoints(of service: Service) -> [Endpoint] {
        self.snapshot.endpoints[ServiceKey(service), default: []].filter(\.isReady)
    }

    /// Whether a match block may apply to this proxy at all.
    func admits(sourceLabels: [String: String], sourceNamespace: String?, gateways: [String]) -> Bool {
        (gateways.isEmpty || gateways.contains("mesh"))
            && (sourceNamespace == nil || sourceNamespace == self.key.namespace)
            && sourceLabels.allSatisfy { self.key.labels[$0.key] == $0.value }
    }

    /// The cluster that a destination means; it may not exist, which the proxy reports as `NC` (facts #42).
    ///
    /// Without a port it is the service's only port, else the one that the client dialled.
    func cluster(of destination: RouteDestination, dialled port: Port) -> String {
        let ports = self.serviceByHost[destination.host]?.ports ?? []
        let target = destination.port ?? (ports.count == 1 ? ports[0].port : port)
        return ResourceName.outboundCluster(destination.host, port: target, subset: destination.subset ?? "")
    }
}

/// VirtualServices by host.
private struct RuleIndex {
    let all: [RouteRules]
    private var exact: [HostName: RouteRules] = [:]
    /// Longest first.
    private var wildcards: [(host: HostName, rules: RouteRules)] = []

    init(_ all: [RouteRules]) {
        self.all = all
        for rules in all {
            for host in rules.hosts {
                if host.isWildcard {
                    self.wildcards.append((host, rules))
                } else if self.exact[host] == nil {
                    self.exact[host] = rules
                }
            }
        }
        // The older of two equally long names stays first.
        self.wildcards = self.wildcards.enumerated()
            .sorted { (-$0.element.host.text.utf8.count, $0.offset) < (-$1.element.host.text.utf8.count, $1.offset) }
            .map(\.element)
    }

    func rules(for host: HostName) -> RouteRules? {
        self.exact[host] ?? self.wildcards.first { $0.host == host || $0.host.covers(host) }?.rules
    }
}
