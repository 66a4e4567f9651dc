import SwiftProtobuf
import Testing
import XDSAPI

/// What a connection would meet, by Envoy's rules: each criterion keeps the chains that fit it best, and there is no way
/// back.
struct ListenerReading {
    let listener: Envoy_Config_Listener_V3_Listener

    /// `offered` are the names in the hello of TLS; `nil`: plain text.
    func chain(port: UInt32, offered: [String]?) -> Envoy_Config_Listener_V3_FilterChain? {
        var chains = self.listener.filterChains
        func keep(
            _ asks: (Envoy_Config_Listener_V3_FilterChainMatch) -> Bool,
            _ fits: (Envoy_Config_Listener_V3_FilterChainMatch) -> Bool
        ) {
            let close = chains.filter { asks($0.filterChainMatch) && fits($0.filterChainMatch) }
            chains = close.isEmpty ? chains.filter { !asks($0.filterChainMatch) } : close
        }
        keep({ $0.hasDestinationPort }, { $0.destinationPort.value == port })
        keep({ !$0.transportProtocol.isEmpty }, { $0.transportProtocol == (offered == nil ? "raw_buffer" : "tls") })
        keep(
            { !$0.applicationProtocols.isEmpty },
            { match in (offered ?? []).contains { match.applicationProtocols.contains($0) } }
        )
        return chains.first ?? (self.listener.hasDefaultFilterChain ? self.listener.defaultFilterChain : nil)
    }

    /// Whether the first bytes of a connection to `port` are waited for.
    func inspects(port: UInt32) -> Bool {
        self.listener.listenerFilters.contains {
            $0.name.hasSuffix("_inspector") && !($0.hasFilterDisabled && Self.holds($0.filterDisabled, port))
        }
    }

    private static func holds(
        _ predicate: Envoy_Config_Listener_V3_ListenerFilterChainMatchPredicate,
        _ port: UInt32
    ) -> Bool {
        switch predicate.rule {
        case .orMatch(let set): set.rules.contains { self.holds($0, port) }
        case .andMatch(let set): set.rules.allSatisfy { self.holds($0, port) }
        case .notMatch(let inner): !self.holds(inner, port)
        case .anyMatch(let value): value
        case .destinationPortRange(let range): range.start <= Int32(port) && Int32(port) < range.end
        case nil: false
        }
    }
}

extension Envoy_Config_Listener_V3_FilterChain {
    var isTCP: Bool { self.filters.last?.name == "envoy.filters.network.tcp_proxy" }

    func downstreamTLS() throws -> Envoy_Extensions_TransportSockets_Tls_V3_DownstreamTlsContext {
        try .init(unpackingAny: self.transportSocket.typedConfig)
    }

    func manager() throws -> Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpConnectionManager {
        try .init(unpackingAny: try #require(self.filters.last).typedConfig)
    }
}

extension Envoy_Config_Cluster_V3_Cluster {
    func upstreamTLS() throws -> Envoy_Extensions_TransportSockets_Tls_V3_UpstreamTlsContext {
        try .init(unpackingAny: self.transportSocket.typedConfig)
    }

    /// The context for endpoints that are marked as taking mutual TLS.
    func automaticTLS() throws -> Envoy_Extensions_TransportSockets_Tls_V3_UpstreamTlsContext {
        let match = try #require(
            self.transportSocketMatches.first { $0.match.fields["tlsMode"]?.stringValue == "istio" }
        )
        return try .init(unpackingAny: match.transportSocket.typedConfig)
    }

    func httpOptions() throws -> Envoy_Extensions_Upstreams_Http_V3_HttpProtocolOptions {
        let name = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        return try .init(unpackingAny: try #require(self.typedExtensionProtocolOptions[name]))
    }

    /// Set only where something is asked of the protocol.
    func speaksHTTP2() throws -> Bool {
        if case .http2ProtocolOptions = try self.httpOptions().explicitHTTPConfig.protocolConfig { true } else { false }
    }
}
