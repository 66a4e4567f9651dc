import SwiftProtobuf
import XDSAPI

typealias ListenerMessage = Envoy_Config_Listener_V3_Listener
typealias ClusterMessage = Envoy_Config_Cluster_V3_Cluster
typealias RouteMessage = Envoy_Config_Route_V3_RouteConfiguration
typealias EndpointsMessage = Envoy_Config_Endpoint_V3_ClusterLoadAssignment
typealias ManagerMessage = Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager
typealias TCPProxyMessage = Envoy_Extensions_Filters_Network_TcpProxy_V3_TcpProxy

/// Resources as a control plane of this mesh sends them.
enum Messages {
    static func any(_ message: some SwiftProtobuf.Message) throws -> Google_Protobuf_Any {
        try Google_Protobuf_Any(message: message)
    }

    static func tcpFilter(_ cluster: String) throws -> Envoy_Config_Listener_V3_Filter {
        let proxy = TCPProxyMessage.with {
            $0.statPrefix = cluster
            $0.cluster = cluster
        }
        return try .with {
            $0.name = "envoy.filters.network.tcp_proxy"
            $0.typedConfig = try Self.any(proxy)
        }
    }

    static func httpFilter(routes: String) throws -> Envoy_Config_Listener_V3_Filter {
        let manager = try ManagerMessage.with {
            $0.statPrefix = "outbound"
            $0.rds.routeConfigName = routes
            $0.rds.configSource.ads = .init()
            $0.httpFilters = [
                try .with {
                    $0.name = "envoy.filters.http.router"
                    $0.typedConfig = try Self.any(Envoy_Extensions_Filters_Http_Router_V3_Router())
                }
            ]
        }
        return try .with {
            $0.name = "envoy.filters.network.http_connection_manager"
            $0.typedConfig = try Self.any(manager)
        }
    }

    static func listener(_ name: String, port: UInt32, _ filter: Envoy_Config_Listener_V3_Filter) -> ListenerMessage {
        .with {
            $0.name = name
            $0.address.socketAddress.address = "0.0.0.0"
            $0.address.socketAddress.portValue = port
            $0.filterChains = [.with { $0.filters = [filter] }]
        }
    }

    static func edsCluster(_ name: String) -> ClusterMessage {
        .with {
            $0.name = name
            $0.type = .eds
            $0.edsClusterConfig.edsConfig.ads = .init()
            $0.lbPolicy = .leastRequest
        }
    }

    static func endpoints(_ cluster: String, _ addresses: String...) -> EndpointsMessage {
        .with {
            $0.clusterName = cluster
            $0.endpoints = [
                .with {
                    $0.lbEndpoints = addresses.map { address in
                        .with {
                            $0.endpoint.address.socketAddress.address = address
                            $0.endpoint.address.socketAddress.portValue = 80
                        }
                    }
                }
            ]
        }
    }

    static func routes(_ name: String, cluster: String, domain: String = "*") -> RouteMessage {
        .with {
            $0.name = name
            $0.virtualHosts = [
                .with {
                    $0.name = "vhost"
                    $0.domains = [domain]
                    $0.routes = [
                        .with {
                            $0.match.prefix = "/"
                            $0.route.cluster = cluster
                        }
                    ]
                }
            ]
        }
    }
}
