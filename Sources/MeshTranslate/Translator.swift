package import MeshModel
package import XDSAPI

/// Makes the configuration of a proxy from what the mesh knows; pure: equal input, equal output, byte for byte.
package enum Translator {
    /// All resources of one proxy.
    package static func resources(of proxy: ProxyKey, in snapshot: MeshSnapshot) -> ProxyResources {
        self.outbound(of: OutboundKey(proxy, labels: self.clientLabels(in: snapshot)), in: snapshot).adding(
            self.inbound(of: proxy, in: snapshot)
        )
    }

    /// What applications behind proxies with this key may reach: the larger part, and the same for many.
    package static func outbound(of key: OutboundKey, in snapshot: MeshSnapshot) -> ProxyResources {
        let scope = ProxyScope(key: key, snapshot: snapshot)
        let plan = OutboundPlan(scope)
        var resources = ProxyResources()
        let clusters = OutboundClusters(scope: scope)
        resources.clusters = clusters.clusters()
        resources.endpoints = clusters.assignments(of: nil)
        resources.listeners = OutboundListeners(scope: scope, plan: plan).listeners()
        resources.routes = OutboundRoutes(scope: scope, plan: plan).configurations()
        resources.nameTable = NameTableBuilder(scope: scope).table()
        resources.sort()
        return resources
    }

    /// Names of the labels that any rule asks of clients; by all others, proxies need not be told apart.
    package static func clientLabels(in snapshot: MeshSnapshot) -> Set<String> {
        var names: Set<String> = []
        for rules in snapshot.routeRules {
            for match in rules.http.flatMap(\.matches) { names.formUnion(match.sourceLabels.keys) }
            for match in (rules.tls + rules.tcp).flatMap(\.matches) { names.formUnion(match.sourceLabels.keys) }
        }
        return names
    }

    /// What reaches the workload itself.
    package static func inbound(of proxy: ProxyKey, in snapshot: MeshSnapshot) -> ProxyResources {
        InboundBuilder(proxy: proxy, snapshot: snapshot).resources()
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
}
