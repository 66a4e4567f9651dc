import MeshModel
import SwiftProtobuf
import XDSAPI

/// Endpoints of a cluster by locality and priority, in Envoy's messages and in an order that does not depend on
/// theirs.
struct EndpointGroups {
    private struct Key: Hashable, Comparable {
        var priority: Int
        var locality: Locality

        static func < (left: Self, right: Self) -> Bool {
            (left.priority, left.locality.region, left.locality.zone, left.locality.subzone)
                < (right.priority, right.locality.region, right.locality.zone, right.locality.subzone)
        }
    }

    let messages: [Envoy_Config_Endpoint_V3_LocalityLbEndpoints]

    /// - Parameters:
    ///   - endpoints: in any order.
    ///   - ranking: what the proxy prefers.
    ///   - marksMesh: mark those that take mutual TLS.
    init(_ endpoints: [Endpoint], ranking: LocalityRanking, marksMesh: Bool) {
        var groups: [Key: [Endpoint]] = [:]
        for endpoint in endpoints {
            let priority = ranking.priority(of: endpoint.locality, labels: endpoint.labels)
            groups[Key(priority: priority, locality: endpoint.locality), default: []].append(endpoint)
        }
        let weights = groups.map { ($0.key.locality, $0.value.reduce(0) { $0 + UInt64(max(1, $1.weight)) }) }
        let localities = Dictionary(weights, uniquingKeysWith: +)
        let shares = ranking.isWeighted ? ranking.shares(of: localities) : nil
        // Envoy wants priorities without gaps.
        let ranks = Set(groups.keys.map(\.priority)).sorted()
        self.messages = groups.keys.sorted().compactMap { key in
            let share = shares?[key.locality]
            if shares != nil, share == nil { return nil }
            return .with {
                if !key.locality.isEmpty {
                    $0.locality.region = key.locality.region
                    $0.locality.zone = key.locality.zone
                    $0.locality.subZone = key.locality.subzone
                }
                $0.priority = UInt32(ranks.firstIndex(of: key.priority) ?? 0)
                if let share { $0.loadBalancingWeight = Google_Protobuf_UInt32Value(share) }
                $0.lbEndpoints = groups[key, default: []].map { Member($0, marksMesh: marksMesh) }
                    .sorted { ($0.address, $0.port) < ($1.address, $1.port) }.map(\.message)
            }
        }
    }
}

private struct Member {
    var address: String
    var port: UInt32
    var weight: UInt32
    var isMarked: Bool
    var isReady: Bool

    init(_ endpoint: Endpoint, marksMesh: Bool) {
        switch endpoint.address {
        case .ip(let ip): self.address = ip.description
        case .name(let name): self.address = name.text
        }
        self.port = UInt32(endpoint.port.number)
        self.weight = max(1, endpoint.weight)
        self.isMarked = marksMesh && endpoint.hasMeshIdentity
        self.isReady = endpoint.isReady
    }

    var message: Envoy_Config_Endpoint_V3_LbEndpoint {
        .with {
            $0.endpoint.address.socketAddress.address = self.address
            $0.endpoint.address.socketAddress.portValue = self.port
            $0.loadBalancingWeight = Google_Protobuf_UInt32Value(self.weight)
            if !self.isReady { $0.healthStatus = .unhealthy }
            if self.isMarked {
                $0.metadata.filterMetadata["envoy.transport_socket_match"] = ClusterTarget.meshMark
            }
        }
    }
}
