/// The kinds of resource that are pushed, in the order in which a change is sent.
///
/// Clusters go before the endpoints in them, both before the listeners and routes that name them, so that traffic
/// never meets a name that is not there yet (make before break). Secrets follow what names them: a proxy asks for them
/// only then, and keeps new listeners and clusters back until it has them.
package enum ResourceKind: String, Hashable, Sendable, CaseIterable, Comparable {
    case cluster = "CDS"
    case endpoint = "EDS"
    case listener = "LDS"
    case route = "RDS"
    case secret = "SDS"
    case nameTable = "NDS"

    package init?(typeURL: String) {
        guard let found = Self.allCases.first(where: { $0.typeURL == typeURL }) else { return nil }
        self = found
    }

    package var typeURL: String {
        switch self {
        case .cluster: "type.googleapis.com/envoy.config.cluster.v3.Cluster"
        case .endpoint: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
        case .listener: "type.googleapis.com/envoy.config.listener.v3.Listener"
        case .route: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
        case .secret: "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
        case .nameTable: "type.googleapis.com/istio.networking.nds.v1.NameTable"
        }
    }

    /// Whether a subscriber names what it wants; of the others it always gets all.
    package var isNamed: Bool {
        switch self {
        case .endpoint, .route, .secret: true
        case .cluster, .listener, .nameTable: false
        }
    }

    /// Whether a response must hold everything, as what is missing from it is taken to be gone.
    package var isReplacedAsAWhole: Bool { !self.isNamed }

    package static func < (left: Self, right: Self) -> Bool { left.position < right.position }

    private var position: Int {
        switch self {
        case .cluster: 0
        case .endpoint: 1
        case .listener: 2
        case .route: 3
        case .secret: 4
        case .nameTable: 5
        }
    }
}
