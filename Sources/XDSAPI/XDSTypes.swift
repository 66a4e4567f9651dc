package import SwiftProtobuf

/// The messages that may stand inside an `Any`.
package enum XDSTypes {
    /// Every message type that a configuration of ours, or of a stock Envoy that we can read, may carry in an `Any`.
    package static let all: [any SwiftProtobuf.Message.Type] = [
        // Resources.
        Envoy_Config_Listener_V3_Listener.self,
        Envoy_Config_Route_V3_RouteConfiguration.self,
        Envoy_Config_Cluster_V3_Cluster.self,
        Envoy_Config_Endpoint_V3_ClusterLoadAssignment.self,
        Envoy_Extensions_TransportSockets_Tls_V3_Secret.self,
        Istio_Networking_Nds_V1_NameTable.self,
        // Extensions.
        Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager.self,
        Envoy_Extensions_Filters_Network_TcpProxy_V3_TcpProxy.self,
        Envoy_Extensions_Filters_Network_Rbac_V3_RBAC.self,
        Envoy_Extensions_Filters_Network_ExtAuthz_V3_ExtAuthz.self,
        Envoy_Extensions_Filters_Network_SniCluster_V3_SniCluster.self,
        Envoy_Extensions_Filters_Http_Router_V3_Router.self,
        Envoy_Extensions_Filters_Http_Cors_V3_Cors.self,
        Envoy_Extensions_Filters_Http_Cors_V3_CorsPolicy.self,
        Envoy_Extensions_Filters_Http_Rbac_V3_RBAC.self,
        Envoy_Extensions_Filters_Http_Rbac_V3_RBACPerRoute.self,
        Envoy_Extensions_Filters_Http_JwtAuthn_V3_JwtAuthentication.self,
        Envoy_Extensions_Filters_Http_JwtAuthn_V3_PerRouteConfig.self,
        Envoy_Extensions_Filters_Http_ExtAuthz_V3_ExtAuthz.self,
        Envoy_Extensions_Filters_Http_ExtAuthz_V3_ExtAuthzPerRoute.self,
        Istio_Mixer_V1_Config_Client_HttpClientConfig.self,
        Istio_Mixer_V1_Config_Client_TcpClientConfig.self,
        Envoy_Extensions_Filters_Listener_OriginalDst_V3_OriginalDst.self,
        Envoy_Extensions_Filters_Listener_TlsInspector_V3_TlsInspector.self,
        Envoy_Extensions_Filters_Listener_HttpInspector_V3_HttpInspector.self,
        Envoy_Extensions_AccessLoggers_File_V3_FileAccessLog.self,
        Envoy_Extensions_AccessLoggers_Stream_V3_StdoutAccessLog.self,
        Envoy_Extensions_AccessLoggers_Stream_V3_StderrAccessLog.self,
        Envoy_Extensions_Upstreams_Http_V3_HttpProtocolOptions.self,
        Envoy_Extensions_Clusters_Dns_V3_DnsCluster.self,
        Envoy_Extensions_TransportSockets_RawBuffer_V3_RawBuffer.self,
        Envoy_Extensions_TransportSockets_Tls_V3_DownstreamTlsContext.self,
        Envoy_Extensions_TransportSockets_Tls_V3_UpstreamTlsContext.self,
        // Administration.
        Envoy_Admin_V3_BootstrapConfigDump.self,
        Envoy_Admin_V3_ListenersConfigDump.self,
        Envoy_Admin_V3_ClustersConfigDump.self,
        Envoy_Admin_V3_RoutesConfigDump.self,
        Envoy_Admin_V3_EndpointsConfigDump.self,
        Envoy_Admin_V3_SecretsConfigDump.self,
    ]

    /// Makes every such message known to SwiftProtobuf, so that proto3 JSON with `@type` can be read and written.
    ///
    /// The registry is global to the process and registering twice does no harm; call this wherever JSON starts.
    package static func register() {
        for type in all {
            Google_Protobuf_Any.register(messageType: type)
        }
    }
}
