/// Mesh-wide settings (ConfigMap `istio` in `istio-system`, key `mesh`, Istio's `MeshConfig`).
package struct MeshSettings: Hashable, Sendable {
    package enum OutboundPolicy: Hashable, Sendable {
        /// Only what the registry knows may be reached; the default here, as in Istio 1.0.
        case registryOnly
        case allowAny
    }

    package var outboundPolicy: OutboundPolicy = .registryOnly
    /// Where sidecars write access logs; empty: nowhere. `/dev/stdout` shows in `kubectl logs`.
    package var accessLogFile = "/dev/stdout"
    /// Envoy's format string; empty: the default line of the reference (facts 1b).
    package var accessLogFormat = ""
    package var domainSuffix = "cluster.local"
    package var rootNamespace = "istio-system"
    package var connectTimeout: Duration = .seconds(10)
    /// How long a proxy waits for the first bytes on a port of unknown protocol; zero: no limit.
    package var protocolDetectionTimeout: Duration = .zero
    /// First part of every identity, `spiffe://cluster.local/…`.
    package var trustDomain = "cluster.local"
    /// Other trust domains that count as ours in policies.
    package var trustDomainAliases: [String] = []
    /// Sidecars speak mutual TLS to endpoints that have a mesh identity, without a DestinationRule.
    package var automaticMutualTLS = true
    /// For AuthorizationPolicies with `action: CUSTOM`, by name.
    package var authorizationProviders: [String: AuthorizationProvider] = [:]
    /// Oldest version of TLS in the mesh.
    package var meshTLSVersionMin = TLSVersion.v1_2
    /// Name policy and rule in the response header `x-lateen-denied-by`, and not in the access log alone.
    package var showsDenials = true
    /// Where addresses of the mesh's own making come from.
    package var virtualAddresses = VirtualAddressRanges()
    /// Hosts whose clients use endpoints of their own cluster only (`serviceSettings`).
    package var clusterLocalHosts: [HostName] = []
    /// Whether workloads may connect only to what their own DNS gave them.
    package var dnsBoundEgress = DNSBoundEgress()
    /// The policy engine (Mixer) that proxies ask and tell.
    package var policyEngine = PolicyEngineSettings()

    package init() {}
}

/// A finding about one object, for people: what is wrong, where, and what to do.
package struct Diagnosis: Hashable, Sendable, CustomStringConvertible {
    package enum Severity: String, Hashable, Sendable { case error, warning }

    package var severity: Severity
    package var object: ObjectReference
    /// The field, `spec.http[0].route[0].destination.host`; empty for the object as a whole.
    package var field: String
    package var message: String

    package init(severity: Severity, object: ObjectReference, field: String = "", message: String) {
        self.severity = severity
        self.object = object
        self.field = field
        self.message = message
    }

    package var description: String {
        "\(self.severity.rawValue): \(self.object)\(self.field.isEmpty ? "" : " " + self.field): \(self.message)"
    }
}

/// Everything that the control plane knows at one moment, resolved and immutable.
///
/// A push works on one snapshot from start to end, so that all resources of a push agree.
package struct MeshSnapshot: Sendable {
    /// Grows by one with each snapshot; the `version_info` of what is pushed from it.
    package var revision: UInt64
    package var settings: MeshSettings
    /// All services, oldest first; hosts may repeat across ServiceEntries.
    package var services: [Service]
    /// Endpoints of each service, by the service's `source` and host.
    package var endpoints: [ServiceKey: [Endpoint]]
    /// What the names of headless services lead to: ready, or published all the same; in order.
    package var instances: [ServiceKey: [ServiceInstance]] = [:]
    /// VirtualServices, oldest first.
    package var routeRules: [RouteRules]
    /// DestinationRules, oldest first.
    package var destinationPolicies: [DestinationPolicy]
    /// Sidecars, oldest first.
    package var sidecars: [SidecarRules] = []
    /// The network that the cluster's pods are on; empty: it has no name, and all of the mesh is on it.
    package var network = ""
    /// How other networks are reached.
    package var networkGateways: [String: [NetworkGateway]] = [:]
    /// Pods with an address, by address.
    package var workloads: [IPAddress: Workload]
    /// Pods that share the address of their node, which says nothing about them.
    package var nodeWorkloads: [ObjectID: Workload] = [:]
    /// Gateways, oldest first.
    package var gateways: [GatewayRules] = []
    /// PeerAuthentications and old Policies, oldest first.
    package var peerPolicies: [PeerPolicy] = []
    /// AuthorizationPolicies, oldest first.
    package var authorizationRules: [AuthorizationRules] = []
    /// RequestAuthentications, oldest first.
    package var requestAuthentications: [RequestAuthenticationRules] = []
    /// TLS Secrets that Gateways and DestinationRules name (`credentialName`), by the Secret's namespace and name.
    package var credentials: [ObjectID: TLSCredential] = [:]
    /// QuotaSpecs for the services that QuotaSpecBindings bind them to, oldest binding first.
    package var quotas: [QuotaBinding] = []
    /// HTTPAPISpecs for the services that HTTPAPISpecBindings bind them to, oldest binding first.
    package var interfaces: [APIBinding] = []
    /// What ServiceEntries say about addresses for their hosts, oldest first.
    package var addressClaims: [AddressClaim] = []
    /// `resourceVersion` of each object that the snapshot was made from, for people who ask where a fact came from.
    package var resourceVersions: [ObjectReference: String] = [:]
    /// What was left out or looks wrong.
    package var diagnoses: [Diagnosis]

    package init(revision: UInt64 = 0, settings: MeshSettings = MeshSettings()) {
        self.revision = revision
        self.settings = settings
        self.services = []
        self.endpoints = [:]
        self.routeRules = []
        self.destinationPolicies = []
        self.workloads = [:]
        self.diagnoses = []
    }
}

/// Names one service of a snapshot: an object may declare several hosts, and several objects one host.
package struct ServiceKey: Hashable, Sendable {
    package var source: ObjectReference
    package var host: HostName

    package init(_ service: Service) {
        self.source = service.source
        self.host = service.host
    }

    package init(source: ObjectReference, host: HostName) {
        self.source = source
        self.host = host
    }
}

/// Which proxy configuration is made for; two proxies with equal keys receive equal resources.
package struct ProxyKey: Hashable, Sendable {
    package enum Role: String, Hashable, Sendable { case sidecar, router }

    package var role: Role
    package var address: IPAddress
    package var workload: ObjectID
    /// `default.svc.cluster.local`: the first search domain of the pod.
    package var dnsDomain: String
    package var labels: [String: String]
    package var serviceAccount = ""
    package var locality = Locality()
    /// The network that it is on; empty: that of the cluster.
    package var network = ""
    /// It can give addresses to names under a wildcard, and find the name of such an address again.
    package var mintsAddresses = false
    /// It holds requests for revisions without pods; stock Envoy does not.
    package var holdsRequests = false
    /// It can ask the policy engine about requests; stock Envoy cannot.
    package var asksPolicyEngine = false
    /// What the annotation of its pod says about that.
    package var policyCheck: PolicyCheckChoice?
    /// The peer's certificate proved the identity; only such a proxy receives secrets.
    package var isAuthenticated = false

    package init(
        role: Role,
        address: IPAddress,
        workload: ObjectID,
        dnsDomain: String,
        labels: [String: String] = [:]
    ) {
        self.role = role
        self.address = address
        self.workload = workload
        self.dnsDomain = dnsDomain
        self.labels = labels
    }

    /// With the place that the cluster says the proxy is at, where it says nothing of it itself.
    package func placed(in snapshot: MeshSnapshot) -> ProxyKey {
        var key = self
        if key.locality.isEmpty { key.locality = snapshot.workloads[self.address]?.locality ?? Locality() }
        if key.network.isEmpty { key.network = self.labels["topology.istio.io/network"] ?? snapshot.network }
        // Without an engine nothing depends on it, and proxies that differ in it share their configuration.
        if snapshot.settings.policyEngine.isOff { key.asksPolicyEngine = false }
        key.policyCheck = key.asksPolicyEngine ? snapshot.workloads[self.address]?.policyCheck : nil
        return key
    }
}
