package import MeshModel
package import XDSAPI

/// Makes the configuration of a proxy from what the mesh knows; pure: equal input, equal output, byte for byte.
package enum Translator {
    /// All resources of one proxy.
    package static func resources(of proxy: ProxyKey, in snapshot: MeshSnapshot) -> ProxyResources {
        let labels = self.clientLabels(in: snapshot)
        let key = OutboundKey(proxy.placed(in: snapshot), labels: labels, sidecar: snapshot.sidecar(for: proxy))
        return self.outbound(of: key, in: snapshot).adding(self.inbound(of: proxy, in: snapshot))
    }

    /// What applications behind proxies with this key may reach: the larger part, and the same for many.
    package static func outbound(of key: OutboundKey, in snapshot: MeshSnapshot) -> ProxyResources {
        let scope = ProxyScope(key: key, snapshot: snapshot)
        var resources = ProxyResources()
        let clusters = OutboundClusters(scope: scope)
        resources.clusters = clusters.clusters()
        resources.endpoints = clusters.assignments(of: nil)
        switch key.role {
        case .sidecar:
            let plan = OutboundPlan(scope)
            resources.listeners = self.listeners(scope, plan)
            resources.routes = OutboundRoutes(scope: scope, plan: plan).configurations()
        // No application is behind a gateway; what it listens on differs from gateway to gateway.
        case .router: ()
        }
        resources.nameTable = NameTableBuilder(scope: scope).table()
        if key.isAuthenticated { self.addSecrets(to: &resources, namespace: key.namespace, snapshot) }
        resources.sort()
        return resources
    }

    private static func listeners(_ scope: ProxyScope, _ plan: OutboundPlan) -> [Envoy_Config_Listener_V3_Listener] {
        MixerFilters.outbound(of: scope.key, in: scope.snapshot)
            .inserted(into: OutboundListeners(scope: scope, plan: plan).listeners())
    }

    /// Names of the labels that any rule asks of clients; by all others, proxies need not be told apart.
    package static func clientLabels(in snapshot: MeshSnapshot) -> Set<String> {
        var names: Set<String> = []
        for rules in snapshot.routeRules {
            for match in rules.http.flatMap(\.matches) { names.formUnion(match.sourceLabels.keys) }
            for match in (rules.tls + rules.tcp).flatMap(\.matches) { names.formUnion(match.sourceLabels.keys) }
        }
        for policy in snapshot.destinationPolicies {
            let policies = [policy.policy] + policy.subsets.compactMap(\.policy)
            for locality in (policies + policies.flatMap(\.ports.values)).compactMap(\.locality) {
                names.formUnion(locality.failOverLabels.map { String($0.prefix { $0 != "=" }) })
            }
        }
        return names
    }

    /// What reaches the workload itself; at a gateway, what comes in by it.
    package static func inbound(of proxy: ProxyKey, in snapshot: MeshSnapshot) -> ProxyResources {
        var resources =
            switch proxy.role {
            case .sidecar: InboundBuilder(proxy: proxy, snapshot: snapshot).resources()
            case .router: GatewayBuilder(proxy: proxy, snapshot: snapshot).resources()
            }
        resources.listeners = PolicyFilters(proxy: proxy, snapshot: snapshot).inserted(into: resources.listeners)
        resources.listeners = self.mixers(of: proxy, in: snapshot).inserted(into: resources.listeners)
        if proxy.isAuthenticated {
            self.addSecrets(to: &resources, namespace: proxy.workload.namespace, snapshot)
        }
        return resources
    }

    private static func mixers(of proxy: ProxyKey, in snapshot: MeshSnapshot) -> MixerFilters {
        switch proxy.role {
        case .sidecar: .inbound(of: proxy, in: snapshot)
        case .router: .outbound(of: OutboundKey(proxy.placed(in: snapshot), labels: []), in: snapshot)
        }
    }

    private static func addSecrets(to resources: inout ProxyResources, namespace: String, _ snapshot: MeshSnapshot) {
        resources.secrets = SecretResources(credentials: snapshot.credentials, namespace: namespace)
            .secrets(namedBy: resources)
    }

    /// The endpoints of the clusters of `services` alone, for changes that touched nothing else.
    package static func endpoints(
        of services: Set<ServiceKey>,
        for key: OutboundKey,
        in snapshot: MeshSnapshot
    ) -> [Envoy_Config_Endpoint_V3_ClusterLoadAssignment] {
        OutboundClusters(scope: ProxyScope(key: key, snapshot: snapshot)).assignments(of: services)
            .sorted { $0.clusterName < $1.clusterName }
    }

    /// What changes with the instances of headless services: listeners, which know their addresses, and their names.
    package static func headless(
        _ services: Set<ServiceKey>,
        for key: OutboundKey,
        in snapshot: MeshSnapshot
    ) -> ProxyResources {
        let scope = ProxyScope(key: key, snapshot: snapshot)
        var resources = ProxyResources()
        if key.role == .sidecar {
            resources.listeners = self.listeners(scope, OutboundPlan(scope))
        }
        resources.nameTable = NameTableBuilder(scope: scope).table(of: Set(services.map(\.host)))
        resources.sort()
        return resources
    }
}
