import MeshModel
import SwiftProtobuf
import XDSAPI

/// Makes clusters with the mesh's defaults.
struct ClusterFactory {
    let settings: MeshSettings

    func cluster(named name: String, protocol word: ApplicationProtocol) -> Envoy_Config_Cluster_V3_Cluster {
        .with {
            $0.name = name
            $0.connectTimeout = Google_Protobuf_Duration(self.settings.connectTimeout)
            $0.lbPolicy = .leastRequest
            $0.circuitBreakers = Self.limits(TrafficPolicy())
            if word == .http2 || word == .grpc {
                $0.typedExtensionProtocolOptions[Self.httpOptionsName] = .packing(Self.http2Options)
            }
        }
    }

    /// A destination without endpoints.
    var blackHole: Envoy_Config_Cluster_V3_Cluster {
        .with {
            $0.name = ResourceName.blackHole
            $0.type = .static
            $0.connectTimeout = Google_Protobuf_Duration(self.settings.connectTimeout)
        }
    }

    var passthrough: Envoy_Config_Cluster_V3_Cluster { self.originalDestination(named: ResourceName.passthrough) }

    /// To the address that was dialled.
    func originalDestination(named name: String) -> Envoy_Config_Cluster_V3_Cluster {
        var cluster = self.cluster(named: name, protocol: .unknown)
        cluster.type = .originalDst
        cluster.lbPolicy = .clusterProvided
        return cluster
    }

    /// From an address that interception lets pass, to the port of this workload that was dialled (facts #62).
    func toWorkload(named name: String) -> Envoy_Config_Cluster_V3_Cluster {
        var cluster = self.originalDestination(named: name)
        cluster.upstreamBindConfig.sourceAddress.address = "127.0.0.6"
        cluster.upstreamBindConfig.sourceAddress.portValue = 0
        return cluster
    }

    func apply(_ policy: TrafficPolicy, to cluster: inout Envoy_Config_Cluster_V3_Cluster) {
        switch policy.loadBalancing {
        case .roundRobin: cluster.lbPolicy = .roundRobin
        case .random: cluster.lbPolicy = .random
        case .leastRequest, .passthrough, nil: cluster.lbPolicy = .leastRequest
        }
        if let timeout = policy.connectTimeout { cluster.connectTimeout = Google_Protobuf_Duration(timeout) }
        cluster.circuitBreakers = Self.limits(policy)
        if policy.httpIdleTimeout != nil || policy.requestsPerConnectionMax != nil {
            let usesHTTP2 = cluster.typedExtensionProtocolOptions[Self.httpOptionsName] != nil
            var options = usesHTTP2 ? Self.http2Options : Self.http1Options
            if let idle = policy.httpIdleTimeout {
                options.commonHTTPProtocolOptions.idleTimeout = Google_Protobuf_Duration(idle)
            }
            if let requests = policy.requestsPerConnectionMax, requests > 0 {
                options.commonHTTPProtocolOptions.maxRequestsPerConnection = Google_Protobuf_UInt32Value(requests)
            }
            cluster.typedExtensionProtocolOptions[Self.httpOptionsName] = .packing(options)
        }
    }

    /// Unbounded unless said otherwise: Envoy's own default of three retries breaks calls whenever pods change.
    private static func limits(_ policy: TrafficPolicy) -> Envoy_Config_Cluster_V3_CircuitBreakers {
        .with {
            $0.thresholds = [
                .with {
                    $0.maxConnections = Google_Protobuf_UInt32Value(policy.connectionsMax ?? .max)
                    $0.maxPendingRequests = Google_Protobuf_UInt32Value(policy.pendingRequestsMax ?? .max)
                    $0.maxRequests = Google_Protobuf_UInt32Value(policy.requestsMax ?? .max)
                    $0.maxRetries = Google_Protobuf_UInt32Value(.max)
                }
            ]
        }
    }

    private static let httpOptionsName = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

    private static var http1Options: Envoy_Extensions_Upstreams_Http_V3_HttpProtocolOptions {
        .with { $0.explicitHTTPConfig.httpProtocolOptions = Envoy_Config_Core_V3_Http1ProtocolOptions() }
    }

    private static var http2Options: Envoy_Extensions_Upstreams_Http_V3_HttpProtocolOptions {
        .with { $0.explicitHTTPConfig.http2ProtocolOptions = Envoy_Config_Core_V3_Http2ProtocolOptions() }
    }
}
