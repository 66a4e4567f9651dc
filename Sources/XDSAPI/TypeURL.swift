package import SwiftProtobuf

/// Type URLs of the xDS protocol: how a resource says in an `Any` what it is.
package enum TypeURL {
    /// What stands before the full message name in every type URL of this protocol.
    package static let prefix = "type.googleapis.com/"

    // Resource types of the aggregated stream.
    package static let listener = url(of: Envoy_Config_Listener_V3_Listener.self)
    package static let routeConfiguration = url(of: Envoy_Config_Route_V3_RouteConfiguration.self)
    package static let cluster = url(of: Envoy_Config_Cluster_V3_Cluster.self)
    package static let clusterLoadAssignment = url(of: Envoy_Config_Endpoint_V3_ClusterLoadAssignment.self)
    package static let secret = url(of: Envoy_Extensions_TransportSockets_Tls_V3_Secret.self)
    package static let nameTable = url(of: Istio_Networking_Nds_V1_NameTable.self)

    /// A resource with its own name and version around it.
    package static let resource = url(of: Envoy_Service_Discovery_V3_Resource.self)

    // Network filters.
    package static let httpConnectionManager = url(
        of: Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager.self
    )
    package static let tcpProxy = url(of: Envoy_Extensions_Filters_Network_TcpProxy_V3_TcpProxy.self)
    package static let networkRBAC = url(of: Envoy_Extensions_Filters_Network_Rbac_V3_RBAC.self)
    package static let networkExternalAuthorization = url(
        of: Envoy_Extensions_Filters_Network_ExtAuthz_V3_ExtAuthz.self
    )
    package static let serverNameCluster = url(of: Envoy_Extensions_Filters_Network_SniCluster_V3_SniCluster.self)

    // HTTP filters.
    package static let router = url(of: Envoy_Extensions_Filters_Http_Router_V3_Router.self)
    package static let cors = url(of: Envoy_Extensions_Filters_Http_Cors_V3_Cors.self)
    package static let httpRBAC = url(of: Envoy_Extensions_Filters_Http_Rbac_V3_RBAC.self)
    package static let httpRBACPerRoute = url(of: Envoy_Extensions_Filters_Http_Rbac_V3_RBACPerRoute.self)
    package static let jwtAuthentication = url(of: Envoy_Extensions_Filters_Http_JwtAuthn_V3_JwtAuthentication.self)
    package static let httpExternalAuthorization = url(of: Envoy_Extensions_Filters_Http_ExtAuthz_V3_ExtAuthz.self)

    /// Istio's own, which stock Envoy does not know.
    package static let mixer = url(of: Istio_Mixer_V1_Config_Client_HttpClientConfig.self)
    /// The network filter of the same name.
    package static let mixerOfConnections = url(of: Istio_Mixer_V1_Config_Client_TcpClientConfig.self)

    // Listener filters.
    package static let originalDestination = url(
        of: Envoy_Extensions_Filters_Listener_OriginalDst_V3_OriginalDst.self
    )
    package static let tlsInspector = url(of: Envoy_Extensions_Filters_Listener_TlsInspector_V3_TlsInspector.self)
    package static let httpInspector = url(of: Envoy_Extensions_Filters_Listener_HttpInspector_V3_HttpInspector.self)

    // Access logs.
    package static let fileAccessLog = url(of: Envoy_Extensions_AccessLoggers_File_V3_FileAccessLog.self)
    package static let stdoutAccessLog = url(of: Envoy_Extensions_AccessLoggers_Stream_V3_StdoutAccessLog.self)
    package static let stderrAccessLog = url(of: Envoy_Extensions_AccessLoggers_Stream_V3_StderrAccessLog.self)

    // Upstream options, special clusters and transport sockets.
    package static let upstreamHTTPProtocolOptions = url(
        of: Envoy_Extensions_Upstreams_Http_V3_HttpProtocolOptions.self
    )
    package static let dnsCluster = url(of: Envoy_Extensions_Clusters_Dns_V3_DnsCluster.self)
    package static let rawBuffer = url(of: Envoy_Extensions_TransportSockets_RawBuffer_V3_RawBuffer.self)
    package static let downstreamTLSContext = url(
        of: Envoy_Extensions_TransportSockets_Tls_V3_DownstreamTlsContext.self
    )
    package static let upstreamTLSContext = url(of: Envoy_Extensions_TransportSockets_Tls_V3_UpstreamTlsContext.self)

    // Parts of the administration interface's `/config_dump`.
    package static let bootstrapConfigDump = url(of: Envoy_Admin_V3_BootstrapConfigDump.self)
    package static let listenersConfigDump = url(of: Envoy_Admin_V3_ListenersConfigDump.self)
    package static let clustersConfigDump = url(of: Envoy_Admin_V3_ClustersConfigDump.self)
    package static let routesConfigDump = url(of: Envoy_Admin_V3_RoutesConfigDump.self)
    package static let endpointsConfigDump = url(of: Envoy_Admin_V3_EndpointsConfigDump.self)
    package static let secretsConfigDump = url(of: Envoy_Admin_V3_SecretsConfigDump.self)

    /// The type URL of a message type.
    package static func url<M: SwiftProtobuf.Message>(of type: M.Type) -> String { prefix + M.protoMessageName }
}
