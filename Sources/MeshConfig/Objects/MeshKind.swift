package import KubernetesAPI
package import MeshModel

/// The kinds of objects that the mesh is made from.
package enum MeshKind: String, Hashable, Sendable, CaseIterable {
    case service = "Service"
    case endpointSlice = "EndpointSlice"
    case pod = "Pod"
    /// Where pods run: region and zone.
    case node = "Node"
    /// Only the control plane's counts, whose label names the network.
    case namespace = "Namespace"
    case serviceEntry = "ServiceEntry"
    case workloadEntry = "WorkloadEntry"
    case workloadGroup = "WorkloadGroup"
    case virtualService = "VirtualService"
    case destinationRule = "DestinationRule"
    case gateway = "Gateway"
    case sidecar = "Sidecar"
    case peerAuthentication = "PeerAuthentication"
    case requestAuthentication = "RequestAuthentication"
    case authorizationPolicy = "AuthorizationPolicy"
    /// Of Istio 1.0: peers and origins of services.
    case policy = "Policy"
    /// Of Istio 1.0: peers and origins of the whole mesh.
    case meshPolicy = "MeshPolicy"
    /// Quotas that requests are charged for.
    case quotaSpec = "QuotaSpec"
    /// Which services' requests are.
    case quotaSpecBinding = "QuotaSpecBinding"
    /// What requests mean.
    case apiSpec = "HTTPAPISpec"
    /// Which services' requests do.
    case apiSpecBinding = "HTTPAPISpecBinding"
    /// Only those with certificates that a rule names count.
    case secret = "Secret"
    /// Only the one with the mesh settings counts.
    case configMap = "ConfigMap"

    package var resourceType: ResourceType {
        switch self {
        case .service: .services
        case .endpointSlice: .endpointSlices
        case .pod: .pods
        case .node: .nodes
        case .namespace: .namespaces
        case .serviceEntry: .serviceEntries
        case .workloadEntry: .workloadEntries
        case .workloadGroup: .workloadGroups
        case .virtualService: .virtualServices
        case .destinationRule: .destinationRules
        case .gateway: .gateways
        case .sidecar: .sidecars
        case .peerAuthentication: .peerAuthentications
        case .requestAuthentication: .requestAuthentications
        case .authorizationPolicy: .authorizationPolicies
        case .policy: .policies
        case .meshPolicy: .meshPolicies
        case .quotaSpec: .quotaSpecs
        case .quotaSpecBinding: .quotaSpecBindings
        case .apiSpec: .apiSpecs
        case .apiSpecBinding: .apiSpecBindings
        case .secret: .secrets
        case .configMap: .configMaps
        }
    }
}

/// How much of a snapshot a change of objects touches.
package enum MeshChange: Hashable, Sendable {
    /// The snapshot stays as it is.
    case nothing
    /// Endpoints of these services, and the table of workloads; the set may be empty.
    case endpoints(Set<ServiceKey>)
    case full

    /// Services whose endpoints may have changed; `nil`: any.
    package var services: Set<ServiceKey>? {
        switch self {
        case .nothing: []
        case .endpoints(let services): services
        case .full: nil
        }
    }

    /// Both changes together.
    package func merged(with other: MeshChange) -> MeshChange {
        switch (self, other) {
        case (.full, _), (_, .full): .full
        case (.nothing, let change), (let change, .nothing): change
        case (.endpoints(let first), .endpoints(let second)): .endpoints(first.union(second))
        }
    }
}
