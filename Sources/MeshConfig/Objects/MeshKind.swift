package import KubernetesAPI
package import MeshModel

/// The kinds of objects that the mesh is made from.
package enum MeshKind: String, Hashable, Sendable, CaseIterable {
    case service = "Service"
    case endpointSlice = "EndpointSlice"
    case pod = "Pod"
    case serviceEntry = "ServiceEntry"
    case virtualService = "VirtualService"
    case destinationRule = "DestinationRule"
    /// Only the one with the mesh settings counts.
    case configMap = "ConfigMap"

    package var resourceType: ResourceType {
        switch self {
        case .service: .services
        case .endpointSlice: .endpointSlices
        case .pod: .pods
        case .serviceEntry: .serviceEntries
        case .virtualService: .virtualServices
        case .destinationRule: .destinationRules
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

    /// Both changes together.
    package func merged(with other: MeshChange) -> MeshChange {
        switch (self, other) {
        case (.full, _), (_, .full): .full
        case (.nothing, let change), (let change, .nothing): change
        case (.endpoints(let first), .endpoints(let second)): .endpoints(first.union(second))
        }
    }
}
