import MeshModel
import SwiftProtobuf
import XDSAPI

/// Makes clusters with the mesh's defaults.
struct ClusterFactory {
    let settings: MeshSettings

    func cluster(named name: String, protocol word: ApplicationProtocol) -> Envoy_Config_Cluster_V3_Cluster {
        self.cluster(named: name, carrying: word.content)
    }

    func cluster(named name: String, carrying content: MeshALPN.Content) -> Envoy_Config_Cluster_V3_Cluster {
        .with {
            $0.name = name
            $0.connectTimeout = Google_Protobuf_Duration(self.settings.connectTimeout)
            $0.lbPolicy = .leastRequest
            $0.circuitBreakers = Self.limits(TrafficPolicy())
            if content == .http2 {
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
    func originalDestination(
        named name: String,
        protocol word: ApplicationProtocol = .unknown
    ) -> Envoy_Config_Cluster_V3_Cluster {
        var cluster = self.cluster(named: name, protocol: word)
        cluster.type = .originalDst
        cluster.lbPolicy = .clusterProvided
        return cluster
    }

    /// From an address that interception lets pass, to the port of this workload that was dialled (facts #62).
    func toWorkload(named name: String, protocol word: ApplicationProtocol) -> Envoy_Config_Cluster_V3_Cluster {
        var cluster = self.originalDestination(named: name, protocol: word)
        cluster.upstreamBindConfig.sourceAddress.address = "127.0.0.6"
        cluster.upstreamBindConfig.sourceAddress.portValue = 0
        return cluster
    }

    /// As `toWorkload(named:protocol:)`, to an address and port of its own.
    func toWorkload(
        named name: String,
        protocol word: ApplicationProtocol,
        at address: IPAddress,
        port: Port
    ) -> Envoy_Config_Cluster_V3_Cluster {
        var cluster = self.cluster(named: name, protocol: word)
        cluster.type = .static
        var endpoint = Envoy_Config_Endpoint_V3_LbEndpoint()
        endpoint.endpoint.address = .socket(address.description, port.number)
        cluster.loadAssignment.clusterName = name
        cluster.loadAssignment.endpoints = [.with { $0.lbEndpoints = [endpoint] }]
        if case .v4 = address {
            cluster.upstreamBindConfig.sourceAddress.address = "127.0.0.6"
            cluster.upstreamBindConfig.sourceAddress.portValue = 0
        }
        return cluster
    }

    /// Sets what a DestinationRule says about choosing and using endpoints.
    ///
    /// - Parameters:
    ///   - policy: what holds for the cluster.
    ///   - content: what the cluster carries, `policy` considered.
    ///   - takesNameOfRequest: TLS asks for the host of each request.
    ///   - verifiesNameOfRequest: the certificate must then stand for that host.
    ///   - cluster: made by this factory.
    func apply(
        _ policy: TrafficPolicy,
        carrying content: MeshALPN.Content,
        takesNameOfRequest: Bool,
        verifiesNameOfRequest: Bool,
        to cluster: inout Envoy_Config_Cluster_V3_Cluster
    ) {
        Self.setBalancing(policy.loadBalancing, &cluster)
        if let timeout = policy.connectTimeout { cluster.connectTimeout = Google_Protobuf_Duration(timeout) }
        cluster.circuitBreakers = Self.limits(policy)
        if let outliers = policy.outlierDetection { Self.setOutlierDetection(outliers, &cluster) }
        guard policy.httpIdleTimeout != nil || policy.requestsPerConnectionMax != nil || takesNameOfRequest else {
            return
        }
        var options = content == .http2 ? Self.http2Options : Self.http1Options
        if let idle = policy.httpIdleTimeout {
            options.commonHTTPProtocolOptions.idleTimeout = Google_Protobuf_Duration(idle)
        }
        if let requests = policy.requestsPerConnectionMax, requests > 0 {
            options.commonHTTPProtocolOptions.maxRequestsPerConnection = Google_Protobuf_UInt32Value(requests)
        }
        if takesNameOfRequest {
            options.upstreamHTTPProtocolOptions.autoSni = true
            options.upstreamHTTPProtocolOptions.autoSanValidation = verifiesNameOfRequest
        }
        cluster.typedExtensionProtocolOptions[Self.httpOptionsName] = .packing(options)
    }

    private static func setBalancing(_ balancing: LoadBalancing?, _ cluster: inout Envoy_Config_Cluster_V3_Cluster) {
        switch balancing {
        case .roundRobin: cluster.lbPolicy = .roundRobin
        case .random: cluster.lbPolicy = .random
        case .leastRequest, .passthrough, nil: cluster.lbPolicy = .leastRequest
        case .consistentHash(let hash):
            switch hash.algorithm {
            case .ring(let size):
                cluster.lbPolicy = .ringHash
                cluster.ringHashLbConfig.minimumRingSize = Google_Protobuf_UInt64Value(size)
            case .maglev(let size):
                cluster.lbPolicy = .maglev
                cluster.maglevLbConfig.tableSize = Google_Protobuf_UInt64Value(size)
            }
        }
    }

    /// Ejection by success rate is never asked for; Envoy would do it by default.
    private static func setOutlierDetection(
        _ outliers: OutlierDetection,
        _ cluster: inout Envoy_Config_Cluster_V3_Cluster
    ) {
        let always = Google_Protobuf_UInt32Value(100)
        let never = Google_Protobuf_UInt32Value(0)
        cluster.outlierDetection = .with {
            $0.interval = Google_Protobuf_Duration(outliers.interval)
            $0.baseEjectionTime = Google_Protobuf_Duration(outliers.baseEjectionTime)
            $0.maxEjectionPercent = Google_Protobuf_UInt32Value(outliers.ejectionPercentMax)
            // A small share of few endpoints is less than one; a service with a single one may lose it (facts #67).
            $0.alwaysEjectOneHost = Google_Protobuf_BoolValue(true)
            $0.enforcingSuccessRate = never
            if let count = outliers.consecutive5xxErrors {
                if count > 0 { $0.consecutive5Xx = Google_Protobuf_UInt32Value(count) }
                $0.enforcingConsecutive5Xx = count > 0 ? always : never
            }
            if let count = outliers.consecutiveGatewayErrors {
                if count > 0 { $0.consecutiveGatewayFailure = Google_Protobuf_UInt32Value(count) }
                $0.enforcingConsecutiveGatewayFailure = count > 0 ? always : never
            }
            guard outliers.splitsLocalOriginErrors else { return }
            $0.splitExternalLocalOriginErrors = true
            $0.enforcingLocalOriginSuccessRate = never
            if let count = outliers.consecutiveLocalOriginFailures {
                if count > 0 { $0.consecutiveLocalOriginFailure = Google_Protobuf_UInt32Value(count) }
                $0.enforcingConsecutiveLocalOriginFailure = count > 0 ? always : never
            }
        }
        // Without endpoints that are well nothing is better than endpoints that are known to be ill (facts #67).
        cluster.commonLbConfig.healthyPanicThreshold.value = Double(outliers.healthyPercentMin)
    }

    /// Unbounded unless said otherwise: Envoy's own default of three retries breaks calls whenever pods change.
    private static func limits(_ policy: TrafficPolicy) -> Envoy_Config_Cluster_V3_CircuitBreakers {
        .with {
            $0.thresholds = [
                .with {
                    $0.maxConnections = Google_Protobuf_UInt32Value(policy.connectionsMax ?? .max)
                    $0.maxPendingRequests = Google_Protobuf_UInt32Value(policy.pendingRequestsMax ?? .max)
                    $0.maxRequests = Google_Protobuf_UInt32Value(policy.requestsMax ?? .max)
                    $0.maxRetries = Google_Protobuf_UInt32Value(policy.retriesMax ?? .max)
                    if let budget = policy.retryBudget {
                        $0.retryBudget.budgetPercent.value = budget.percent
                        $0.retryBudget.minRetryConcurrency = Google_Protobuf_UInt32Value(budget.concurrencyMin)
                    }
                    $0.trackRemaining = true
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
