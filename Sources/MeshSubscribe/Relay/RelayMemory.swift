internal import SwiftProtobuf
internal import XDSAPI

/// What an Envoy has accepted of its control plane, so that it can begin with it after a restart. Keys are never among
/// it.
struct RelayMemory: Sendable {
    typealias Response = Envoy_Service_Discovery_V3_DiscoveryResponse

    /// In the order in which they are of use to a proxy that starts.
    private static let types = [
        TypeURL.cluster, TypeURL.clusterLoadAssignment, TypeURL.listener, TypeURL.routeConfiguration,
    ]
    /// A response of these types says all that there is; of the others, what is new.
    private static let wholeTypes: Set<String> = [TypeURL.cluster, TypeURL.listener]

    /// By type and name.
    private var accepted: [String: [String: Google_Protobuf_Any]] = [:]
    /// What Envoy was sent last of a type and has not answered.
    private var offered: [String: Response] = [:]
    /// The names that Envoy wants of a type.
    private var wanted: [String: Set<String>] = [:]

    init() {}

    /// Envoy is sent this.
    mutating func offers(_ response: Response) {
        guard Self.types.contains(response.typeURL) else { return }
        self.offered[response.typeURL] = response
    }

    /// Envoy has said which resources it wants, of a type of which not all are sent.
    mutating func wants(_ type: String, _ names: [String]) {
        guard Self.types.contains(type), !Self.wholeTypes.contains(type) else { return }
        let names = Set(names)
        self.wanted[type] = names
        self.accepted[type] = self.accepted[type]?.filter { names.contains($0.key) }
    }

    /// Envoy has accepted what it was sent under this nonce.
    ///
    /// - Returns: whether there is something new to store.
    mutating func accepts(_ type: String, nonce: String) -> Bool {
        guard let response = self.offered[type], response.nonce == nonce else { return false }
        self.offered[type] = nil
        var resources = Self.wholeTypes.contains(type) ? [:] : self.accepted[type] ?? [:]
        for resource in response.resources where !resource.holdsKey {
            guard let name = Self.name(of: resource) else { continue }
            resources[name] = resource
        }
        if let wanted = self.wanted[type] { resources = resources.filter { wanted.contains($0.key) } }
        self.accepted[type] = resources
        return true
    }

    /// Envoy keeps what it had.
    mutating func refuses(_ type: String) { self.offered[type] = nil }

    /// What to store; `nil` while it would not be enough to begin with.
    var stored: [Response]? {
        guard self.accepted[TypeURL.cluster] != nil, self.accepted[TypeURL.listener]?.isEmpty == false else {
            return nil
        }
        let routes = self.wanted[TypeURL.routeConfiguration] ?? []
        guard routes.isSubset(of: (self.accepted[TypeURL.routeConfiguration] ?? [:]).keys) else { return nil }
        return Self.types.map { type in
            .with {
                $0.typeURL = type
                $0.resources = (self.accepted[type] ?? [:]).sorted { $0.key < $1.key }.map(\.value)
            }
        }
    }

    /// `nil`: it has none, or cannot be read.
    static func name(of resource: Google_Protobuf_Any) -> String? {
        // Envoy accepted it: what we cannot read is not worth keeping.
        let name: String? =
            switch resource.typeURL {
            case TypeURL.cluster: try? Envoy_Config_Cluster_V3_Cluster(unpackingAny: resource).name
            case TypeURL.clusterLoadAssignment:
                try? Envoy_Config_Endpoint_V3_ClusterLoadAssignment(unpackingAny: resource).clusterName
            case TypeURL.listener: try? Envoy_Config_Listener_V3_Listener(unpackingAny: resource).name
            case TypeURL.routeConfiguration:
                try? Envoy_Config_Route_V3_RouteConfiguration(unpackingAny: resource).name
            default: nil
            }
        return name.flatMap { $0.isEmpty ? nil : $0 }
    }
}
