package import MeshModel
package import XDSAPI

/// Everything that one proxy is told, in Envoy's messages; each list is sorted by name.
package struct ProxyResources: Sendable, Equatable {
    package var listeners: [Envoy_Config_Listener_V3_Listener] = []
    package var routes: [Envoy_Config_Route_V3_RouteConfiguration] = []
    package var clusters: [Envoy_Config_Cluster_V3_Cluster] = []
    package var endpoints: [Envoy_Config_Endpoint_V3_ClusterLoadAssignment] = []
    package var secrets: [Envoy_Extensions_TransportSockets_Tls_V3_Secret] = []
    package var nameTable = Istio_Networking_Nds_V1_NameTable()

    package init() {}

    /// Both parts in one, sorted again.
    package func adding(_ other: ProxyResources) -> ProxyResources {
        var all = self
        all.listeners += other.listeners
        all.routes += other.routes
        all.clusters += other.clusters
        all.endpoints += other.endpoints
        // Both parts may name one Secret.
        let names = Set(all.secrets.map(\.name))
        all.secrets += other.secrets.filter { !names.contains($0.name) }
        all.nameTable.table.merge(other.nameTable.table) { mine, _ in mine }
        all.nameTable.unaddressed.merge(other.nameTable.unaddressed) { mine, _ in mine }
        all.sort()
        return all
    }

    mutating func sort() {
        self.listeners.sort { $0.name < $1.name }
        self.routes.sort { $0.name < $1.name }
        self.clusters.sort { $0.name < $1.name }
        self.endpoints.sort { $0.clusterName < $1.clusterName }
        self.secrets.sort { $0.name < $1.name }
    }
}

/// What outbound configuration depends on; proxies with equal keys share it.
package struct OutboundKey: Hashable, Sendable {
    package var role: ProxyKey.Role
    package var namespace: String
    package var dnsDomain: String
    package var labels: [String: String]
    package var locality: Locality
    /// The network that the proxies are on.
    package var network: String
    /// Whether the proxies give addresses to names under wildcards.
    package var mintsAddresses: Bool
    /// Whether the proxies hold requests for revisions.
    package var holdsRequests: Bool
    /// Whether secrets may be among the resources.
    package var isAuthenticated: Bool
    /// Whether the proxies can ask the policy engine, and what their pods' annotations say about that.
    package var asksPolicyEngine: Bool
    package var policyCheck: PolicyCheckChoice?
    /// The Sidecar that says what may be reached; `nil`: everything that is exported to the namespace.
    package var sidecar: ObjectReference?

    /// - Parameters:
    ///   - proxy: whom the configuration is for.
    ///   - labels: names of the labels that matter, see ``Translator/clientLabels(in:)``.
    ///   - sidecar: the Sidecar for the proxy.
    package init(_ proxy: ProxyKey, labels: Set<String>, sidecar: SidecarRules? = nil) {
        self.role = proxy.role
        self.namespace = proxy.workload.namespace
        self.dnsDomain = proxy.dnsDomain
        self.labels = proxy.labels.filter { labels.contains($0.key) }
        self.locality = proxy.locality
        self.network = proxy.network
        self.mintsAddresses = proxy.mintsAddresses
        self.holdsRequests = proxy.holdsRequests
        self.isAuthenticated = proxy.isAuthenticated
        self.asksPolicyEngine = proxy.asksPolicyEngine
        self.policyCheck = proxy.policyCheck
        self.sidecar = sidecar?.source
    }
}
