import MeshModel

/// What a gateway is told beyond the clusters that all gateways of its namespace share.
struct GatewayBuilder {
    let proxy: ProxyKey
    let snapshot: MeshSnapshot

    func resources() -> ProxyResources {
        // All labels: rules that name none of its Gateways may ask for the gateway's own.
        let key = OutboundKey(self.proxy.placed(in: self.snapshot), labels: Set(self.proxy.labels.keys))
        let scope = ProxyScope(key: key, snapshot: self.snapshot)
        let plan = GatewayPlan(proxy: self.proxy, snapshot: self.snapshot)
        var resources = ProxyResources()
        resources.listeners = GatewayListeners(scope: scope, plan: plan).listeners()
        resources.routes = GatewayRoutes(scope: scope, plan: plan).configurations()
        resources.clusters = ServerNameClusters(scope: scope).clusters(for: plan.automaticPassthrough)
        resources.sort()
        return resources
    }
}
