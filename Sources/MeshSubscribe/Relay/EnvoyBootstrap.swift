internal import Foundation
package import MeshModel

/// The file with which an Envoy is started beside an agent: all of its configuration comes from the agent's socket.
package struct EnvoyBootstrap: Sendable {
    package var node: NodeIdentity
    /// Of the agent's Unix domain socket.
    package var socket: String
    package var adminPort: UInt16
    /// Where Prometheus may ask, and where metrics are offered.
    package var statusAddress: IPAddress
    package var prometheusPort: UInt16

    package init(
        node: NodeIdentity,
        socket: String,
        adminPort: UInt16 = MeshPorts.admin,
        statusAddress: IPAddress,
        prometheusPort: UInt16 = MeshPorts.prometheus
    ) {
        self.node = node
        self.socket = socket
        self.adminPort = adminPort
        self.statusAddress = statusAddress
        self.prometheusPort = prometheusPort
    }

    /// JSON.
    package func json() throws -> String {
        let value: [String: Any] = [
            "node": ["id": self.node.id, "cluster": self.node.cluster, "metadata": ["NAMESPACE": self.node.namespace]],
            "admin": ["address": Self.address("127.0.0.1", self.adminPort)],
            "dynamic_resources": [
                "ads_config": [
                    "api_type": "GRPC", "transport_api_version": "V3",
                    "grpc_services": [["envoy_grpc": ["cluster_name": "xds-grpc"]]],
                ],
                "cds_config": ["ads": [:], "resource_api_version": "V3", "initial_fetch_timeout": "0s"],
                "lds_config": ["ads": [:], "resource_api_version": "V3", "initial_fetch_timeout": "0s"],
            ],
            "static_resources": [
                "clusters": [
                    Self.cluster("prometheus_stats", Self.address("127.0.0.1", self.adminPort)),
                    self.controlCluster(),
                ],
                "listeners": [self.prometheus()],
            ],
            // What Envoy calls deprecated or new must not differ from one installation to the next.
            "layered_runtime": ["layers": [["name": "admin", "admin_layer": [:]]]],
        ]
        let data = try JSONSerialization.data(
            withJSONObject: value,
            options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        )
        return String(decoding: data, as: UTF8.self) + "\n"
    }

    private static func address(_ host: String, _ port: UInt16) -> [String: Any] {
        ["socket_address": ["address": host, "port_value": Int(port)]]
    }

    private static func cluster(_ name: String, _ address: [String: Any]) -> [String: Any] {
        [
            "name": name, "type": "STATIC", "connect_timeout": "1s",
            "load_assignment": [
                "cluster_name": name,
                "endpoints": [["lb_endpoints": [["endpoint": ["address": address]]]]],
            ],
        ]
    }

    private func controlCluster() -> [String: Any] {
        var cluster = Self.cluster("xds-grpc", ["pipe": ["path": self.socket]])
        cluster["typed_extension_protocol_options"] = [
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": [
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": ["http2_protocol_options": [:]],
            ]
        ]
        return cluster
    }

    /// Metrics, and nothing else of the administration interface.
    private func prometheus() -> [String: Any] {
        let routes: [String: Any] = [
            "virtual_hosts": [
                [
                    "name": "backend", "domains": ["*"],
                    "routes": [["match": ["path": "/stats/prometheus"], "route": ["cluster": "prometheus_stats"]]],
                ]
            ]
        ]
        let router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
        let manager: [String: Any] = [
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3."
                + "HttpConnectionManager",
            "stat_prefix": "stats", "route_config": routes,
            "http_filters": [["name": "envoy.filters.http.router", "typed_config": ["@type": router]]],
        ]
        let filter: [String: Any] = [
            "name": "envoy.filters.network.http_connection_manager", "typed_config": manager,
        ]
        return [
            "name": "prometheus", "address": Self.address("\(self.statusAddress)", self.prometheusPort),
            "filter_chains": [["filters": [filter]]],
        ]
    }
}
