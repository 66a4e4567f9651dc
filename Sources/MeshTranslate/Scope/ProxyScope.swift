import MeshModel

/// The part of a snapshot that one proxy may see, with conflicts decided.
struct ProxyScope {
    let key: OutboundKey
    let snapshot: MeshSnapshot
    /// As they hold for this proxy.
    let settings: MeshSettings
    /// Visible services in order of precedence, oldest first. A ServiceEntry for a host that a Kubernetes
    /// Service has is left out (facts #30); a host may still appear more than once.
    let services: [Service]
    /// Services that traffic may be sent to: also those that only a VirtualService leads to, whose names the Sidecar
    /// does not import.
    let destinations: [Service]
    /// The first service of each host.
    let serviceByHost: [HostName: Service]
    /// The first of the destinations of each host.
    let destinationByHost: [HostName: Service]
    private let rules: RuleIndex
    /// By the name of the gateway; for gateways only.
    private let bound: [String: [RouteRules]]
    private let policies: PolicyIndex

    init(key: OutboundKey, snapshot: MeshSnapshot) {
        self.key = key
        self.snapshot = snapshot
        let sidecar = key.sidecar.flatMap { source in snapshot.sidecars.first { $0.source == source } }
        var settings = snapshot.settings
        settings.outboundPolicy = sidecar?.outboundPolicy ?? settings.outboundPolicy
        self.settings = settings
        let imports = sidecar.map { SidecarScope($0, client: key.namespace) }
        let visible = snapshot.services.filter { $0.visibility.includes(key.namespace) }
        let rules = snapshot.routeRules.filter {
            $0.gateways.contains("mesh") && $0.visibility.includes(key.namespace)
                && imports?.admits($0) ?? true
        }
        self.rules = RuleIndex(rules)
        // First the Sidecar, then what hides what: of two entries for a host it chooses one by the namespace
        // (facts #29).
        let imported = imports.map { visible.compactMap($0.admitted) }
        let services = Self.withoutHidden(imported ?? visible)
        self.services = services
        self.serviceByHost = Dictionary(services.map { ($0.host, $0) }, uniquingKeysWith: { first, _ in first })
        self.destinations =
            imported == nil ? services : services + Self.destinations(of: rules, in: visible, besides: services)
        self.destinationByHost = Dictionary(
            self.destinations.map { ($0.host, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        self.bound = key.role == .router ? Self.bound(snapshot.routeRules, for: key.namespace) : [:]
        self.policies = PolicyIndex(
            snapshot.destinationPolicies,
            client: key.namespace,
            root: snapshot.settings.rootNamespace
        )
    }

    /// A ServiceEntry for a host that a Kubernetes Service has is hidden by it.
    private static func withoutHidden(_ services: [Service]) -> [Service] {
        let owned = Set(services.lazy.filter(\.isKubernetes).map(\.host))
        return services.filter { $0.isKubernetes || !owned.contains($0.host) }
    }

    /// What VirtualServices in force lead to and a Sidecar does not import: they could not do what they say without.
    private static func destinations(
        of rules: [RouteRules],
        in visible: [Service],
        besides known: [Service]
    ) -> [Service] {
        let hosts = Set(rules.flatMap(\.destinationHosts)).subtracting(known.map(\.host))
        return hosts.isEmpty ? [] : self.withoutHidden(visible.filter { hosts.contains($0.host) })
    }

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

    /// VirtualServices bound to a gateway, oldest first.
    func routeRules(boundTo gateway: GatewayRules) -> [RouteRules] { self.bound[gateway.qualifiedName] ?? [] }

    private static func bound(_ all: [RouteRules], for namespace: String) -> [String: [RouteRules]] {
        var bound: [String: [RouteRules]] = [:]
        for rules in all where rules.visibility.includes(namespace) {
            for name in Set(rules.gateways) { bound[name, default: []].append(rules) }
        }
        return bound
    }

    /// Whether a match block may apply to this proxy at all.
    ///
    /// At a gateway nobody knows the workload that asks: a block that names the gateway is for all who come by it
    /// (facts #37), any other is about the gateway's own labels.
    func admits(
        at place: RulePlace,
        sourceLabels: [String: String],
        sourceNamespace: String?,
        gateways: [String]
    ) -> Bool {
        if !gateways.isEmpty, !gateways.contains(place.name) { return false }
        if case .gateway = place, !gateways.isEmpty { return true }
        return (sourceNamespace == nil || sourceNamespace == self.key.namespace)
            && sourceLabels.allSatisfy { self.key.labels[$0.key] == $0.value }
    }

    /// Whether a destination is outside the mesh, where nobody needs to know what proxies tell each other.
    func isExternal(_ host: HostName) -> Bool { self.destinationByHost[host]?.isExternal ?? false }

    /// The cluster that a destination means; it may not exist, which the proxy reports as `NC` (facts #42).
    ///
    /// Without a port it is the service's only port, else the one that the client dialled.
    func cluster(of destination: RouteDestination, dialled port: Port) -> String {
        let ports = self.destinationByHost[destination.host]?.ports ?? []
        let target = destination.port ?? (ports.count == 1 ? ports[0].port : port)
        return ResourceName.outboundCluster(destination.host, port: target, subset: destination.subset ?? "")
    }
}

extension RouteRules {
    /// Hosts that traffic is sent to.
    fileprivate var destinationHosts: [HostName] {
        let requests = self.http.flatMap { rule -> [RouteDestination] in
            if case .forward(let destinations) = rule.action { destinations } else { [] }
        }
        return (requests + (self.tls + self.tcp).flatMap(\.destinations)).map(\.host)
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
