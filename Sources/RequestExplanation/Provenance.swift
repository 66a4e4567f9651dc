import MeshModel
import MeshTranslate
import TrafficEngine

/// Which objects a fact of the mesh comes from.
struct Provenance {
    let snapshot: MeshSnapshot

    func version(_ object: ObjectReference?) -> String? { object.flatMap { self.snapshot.resourceVersions[$0] } }

    /// The service of a host that a client in `namespace` sees.
    func service(_ host: String, seenFrom namespace: String) -> Service? {
        guard let name = HostName(host) else { return nil }
        let visible = self.snapshot.services.filter { $0.visibility.includes(namespace) && $0.host.covers(name) }
        return visible.first { !$0.host.isWildcard }
            ?? visible.max { $0.host.text.utf8.count < $1.host.text.utf8.count }
    }

    /// The VirtualService that rules a host for one of `gateways` (`mesh` or `namespace/name`).
    func routeRules(_ host: String, gateways: Set<String>, seenFrom namespace: String) -> RouteRules? {
        guard let name = HostName(host) else { return nil }
        return self.snapshot.routeRules.filter { rules in
            rules.visibility.includes(namespace) && !gateways.isDisjoint(with: rules.gateways)
                && rules.hosts.contains { $0.covers(name) }
        }
        .min { left, right in
            let exact = (left.hosts.contains(name), right.hosts.contains(name))
            if exact.0 != exact.1 { return exact.0 }
            return left.createdAt < right.createdAt
        }
    }

    /// The DestinationRules that together decide about a host, as proxies are told.
    func destinationPolicies(_ host: HostName, client: String) -> [DestinationPolicy] {
        PolicyIndex(self.snapshot.destinationPolicies, client: client, root: self.snapshot.settings.rootNamespace)
            .rules(for: host, of: self.service(host.text, seenFrom: client)?.namespace)
    }

    /// The port of a service whose endpoint an address is; `nil`: it is none's.
    func servicePort(of address: NetworkAddress) -> ServicePort? {
        for service in self.snapshot.services {
            let endpoint = self.snapshot.endpoints[ServiceKey(service)]?.first {
                $0.address == .ip(address.ip) && $0.port.number == address.port
            }
            if let endpoint { return service.ports.first { $0.name == endpoint.servicePortName } }
        }
        return nil
    }

    /// Gateways that listen at a router, on a port of theirs.
    func gateways(at proxy: ProxyKey) -> [GatewayRules] {
        self.snapshot.gateways.filter { gateway in
            gateway.selector.allSatisfy { proxy.labels[$0.key] == $0.value }
        }
    }

    /// The PeerAuthentication that decides about a workload; the narrowest.
    func peerPolicy(_ proxy: ProxyKey) -> PeerPolicy? {
        let root = self.snapshot.settings.rootNamespace
        let own = self.snapshot.peerPolicies.filter { $0.source.id.namespace == proxy.workload.namespace }
        return own.first { policy in
            !policy.selector.isEmpty && policy.selector.allSatisfy { proxy.labels[$0.key] == $0.value }
        } ?? own.first(where: \.selector.isEmpty)
            ?? self.snapshot.peerPolicies.first { $0.source.id.namespace == root && $0.selector.isEmpty }
    }

    /// The proxy beside a workload or at a gateway; `nil`: the workload has none that we know of.
    func proxy(of workload: Workload) -> ProxyKey? {
        let isGateway = self.snapshot.gateways.contains { gateway in
            !gateway.selector.isEmpty && gateway.selector.allSatisfy { workload.labels[$0.key] == $0.value }
        }
        let hasSidecar = workload.labels["security.istio.io/tlsMode"] == "istio"
        guard isGateway || hasSidecar else { return nil }
        return self.key(of: workload, role: isGateway ? .router : .sidecar)
    }

    func key(of workload: Workload, role: ProxyKey.Role) -> ProxyKey {
        var key = ProxyKey(
            role: role,
            address: workload.address,
            workload: workload.id,
            dnsDomain: "\(workload.id.namespace).svc.\(self.snapshot.settings.domainSuffix)",
            labels: workload.labels
        )
        key.serviceAccount = workload.serviceAccount
        // As our own proxies do; what stock Envoy lacks is not known here.
        key.asksPolicyEngine = true
        key.locality = workload.locality
        return key
    }

    func identity(of workload: Workload) -> PeerIdentity? {
        WorkloadID(
            trustDomain: self.snapshot.settings.trustDomain,
            namespace: workload.id.namespace,
            serviceAccount: workload.serviceAccount
        ).map { PeerIdentity(uris: [$0.uri]) }
    }
}
