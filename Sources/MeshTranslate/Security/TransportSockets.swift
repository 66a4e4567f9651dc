import MeshModel
import SwiftProtobuf
import XDSAPI

typealias TransportSocket = Envoy_Config_Core_V3_TransportSocket
typealias CommonTLS = Envoy_Extensions_TransportSockets_Tls_V3_CommonTlsContext
typealias NameMatcher = Envoy_Extensions_TransportSockets_Tls_V3_SubjectAltNameMatcher

extension Envoy_Config_Core_V3_TransportSocket {
    static let raw = TransportSocket.with {
        $0.name = "envoy.transport_sockets.raw_buffer"
        $0.typedConfig = .packing(Envoy_Extensions_TransportSockets_RawBuffer_V3_RawBuffer())
    }

    static func tls(_ context: Envoy_Extensions_TransportSockets_Tls_V3_UpstreamTlsContext) -> TransportSocket {
        .with {
            $0.name = "envoy.transport_sockets.tls"
            $0.typedConfig = .packing(context)
        }
    }

    static func tls(_ context: Envoy_Extensions_TransportSockets_Tls_V3_DownstreamTlsContext) -> TransportSocket {
        .with {
            $0.name = "envoy.transport_sockets.tls"
            $0.typedConfig = .packing(context)
        }
    }
}

extension Envoy_Extensions_TransportSockets_Tls_V3_SubjectAltNameMatcher {
    static func uri(_ text: String) -> NameMatcher {
        .with {
            $0.sanType = .uri
            $0.matcher.exact = text
        }
    }

    static func uri(prefix: String) -> NameMatcher {
        .with {
            $0.sanType = .uri
            $0.matcher.prefix = prefix
        }
    }

    static func dns(_ name: String) -> NameMatcher {
        .with {
            $0.sanType = .dns
            $0.matcher.exact = name
        }
    }

    /// What a person wrote as a subject alternative name: a URI, an address or a DNS name, told by its form.
    static func named(_ text: String) -> NameMatcher {
        if text.contains("://") { return .uri(text) }
        guard IPAddress(text) != nil else { return .dns(text) }
        return .with {
            $0.sanType = .ipAddress
            $0.matcher.exact = text
        }
    }
}

extension Envoy_Extensions_TransportSockets_Tls_V3_SdsSecretConfig {
    /// A secret that comes by the stream that everything comes by.
    static func aggregated(_ name: String) -> Envoy_Extensions_TransportSockets_Tls_V3_SdsSecretConfig {
        .with {
            $0.name = name
            $0.sdsConfig = .aggregated
        }
    }
}

extension Envoy_Extensions_TransportSockets_Tls_V3_TlsParameters {
    /// Names the newest version, too: Envoy's clients would stop at 1.2 by themselves.
    init(from oldest: TLSVersion, to newest: TLSVersion = .v1_3) {
        self.init()
        self.tlsMinimumProtocolVersion = Self.version(oldest)
        self.tlsMaximumProtocolVersion = Self.version(newest)
    }

    private static func version(_ version: TLSVersion) -> TlsProtocol {
        switch version {
        case .v1_0: .tlsv10
        case .v1_1: .tlsv11
        case .v1_2: .tlsv12
        case .v1_3: .tlsv13
        }
    }
}
