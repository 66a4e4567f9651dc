internal import SwiftProtobuf
internal import XDSAPI

/// The extension messages that may stand in each place.
enum ExtensionPoint {
    case networkFilter, httpFilter, listenerFilter, accessLog, transportSocket, clusterType, upstreamOptions

    var typeURLs: [String] {
        switch self {
        case .networkFilter:
            [
                TypeURL.httpConnectionManager, TypeURL.tcpProxy, TypeURL.serverNameCluster, TypeURL.networkRBAC,
                TypeURL.networkExternalAuthorization, TypeURL.mixerOfConnections,
            ]
        case .httpFilter:
            [
                TypeURL.cors, TypeURL.jwtAuthentication, TypeURL.httpExternalAuthorization, TypeURL.httpRBAC,
                TypeURL.mixer, TypeURL.router,
            ]
        case .listenerFilter: [TypeURL.originalDestination, TypeURL.tlsInspector, TypeURL.httpInspector]
        case .accessLog: [TypeURL.fileAccessLog, TypeURL.stdoutAccessLog, TypeURL.stderrAccessLog]
        case .transportSocket: [TypeURL.upstreamTLSContext, TypeURL.downstreamTLSContext, TypeURL.rawBuffer]
        case .clusterType: [TypeURL.dnsCluster]
        case .upstreamOptions: [TypeURL.upstreamHTTPProtocolOptions]
        }
    }

    /// The place that a field of a message is.
    init?(message: String) {
        switch message {
        case "envoy.config.listener.v3.Filter": self = .networkFilter
        case "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter": self = .httpFilter
        case "envoy.config.listener.v3.ListenerFilter": self = .listenerFilter
        case "envoy.config.accesslog.v3.AccessLog": self = .accessLog
        case "envoy.config.core.v3.TransportSocket": self = .transportSocket
        case "envoy.config.cluster.v3.Cluster.CustomClusterType": self = .clusterType
        case "envoy.config.cluster.v3.Cluster": self = .upstreamOptions
        default: return nil
        }
    }

    /// What is said of an extension that we do not have; `name` is what the configuration calls it.
    func refusal(name: String, typeURL: String) -> String {
        let known = self.typeURLs.map(Self.shortName).joined(separator: ", ")
        let given = name.isEmpty ? Self.shortName(typeURL) : name
        if typeURL.isEmpty { return "\(given) has no typed_config; supported: \(known)" }
        return "\(given) is not supported; supported: \(known)"
    }

    /// The message's name without what all have in common.
    private static func shortName(_ typeURL: String) -> String {
        String(typeURL.split(separator: "/").last ?? Substring(typeURL))
    }
}

extension Google_Protobuf_Any {
    /// The message in it, checked for unsupported fields; `nil` with a finding if it cannot be read.
    func unpacked<M: SwiftProtobuf.Message>(
        _ type: M.Type,
        at path: String,
        _ findings: inout Findings
    ) -> M? {
        do {
            let message = try M(unpackingAny: self)
            findings.append(FieldAudit.findings(in: message, at: path))
            return message
        } catch {
            findings.add(path, "is no valid \(M.protoMessageName)")
            return nil
        }
    }
}

extension Google_Protobuf_Duration {
    var value: Duration { .seconds(self.seconds) + .nanoseconds(Int64(self.nanos)) }

    /// `nil` for zero, which means "no limit" wherever a timeout may be zero.
    var limit: Duration? { self.value > .zero ? self.value : nil }
}
