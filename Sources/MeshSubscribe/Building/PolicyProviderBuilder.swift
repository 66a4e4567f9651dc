internal import MeshModel
internal import SwiftProtobuf
internal import TrafficEngine
internal import XDSAPI

/// Services that decide about requests, out of Envoy's `ext_authz` filters.
enum ProviderBuilder {
    /// Envoy's default where no timeout is given.
    private static let timeout: Duration = .milliseconds(200)

    static func build(
        _ message: Envoy_Extensions_Filters_Http_ExtAuthz_V3_ExtAuthz,
        at path: String,
        _ findings: inout Findings
    ) -> (AuthorizationProvider, cluster: String)? {
        let result: (AuthorizationProvider, cluster: String)?
        switch message.services {
        case .grpcService(let service): result = Self.grpc(service, at: joined(path, "grpc_service"), &findings)
        case .httpService(let service): result = Self.http(service, at: joined(path, "http_service"), &findings)
        case nil:
            findings.add(path, "one of grpc_service, http_service is needed")
            return nil
        }
        guard let (found, cluster) = result else { return nil }
        var provider = found
        provider.failsOpen = message.failureModeAllow
        if message.hasStatusOnError { provider.statusOnError = UInt32(message.statusOnError.code.rawValue) }
        if message.hasWithRequestBody {
            let body = message.withRequestBody
            if body.maxRequestBytes == 0 {
                findings.add(joined(path, "with_request_body.max_request_bytes"), "must be at least 1")
            }
            provider.body = AuthorizationProvider.Body(
                bytesMax: body.maxRequestBytes,
                mayBePartial: body.allowPartialMessage,
                isPackedAsBytes: body.packAsBytes
            )
        }
        provider.headersToCheck = Self.words(message.allowedHeaders, at: joined(path, "allowed_headers"), &findings)
        return (provider, cluster)
    }

    static func build(
        _ message: Envoy_Extensions_Filters_Network_ExtAuthz_V3_ExtAuthz,
        at path: String,
        _ findings: inout Findings
    ) -> (AuthorizationProvider, cluster: String)? {
        guard let (found, cluster) = Self.grpc(message.grpcService, at: joined(path, "grpc_service"), &findings)
        else { return nil }
        var provider = found
        provider.failsOpen = message.failureModeAllow
        return (provider, cluster)
    }

    private static func grpc(
        _ service: Envoy_Config_Core_V3_GrpcService,
        at path: String,
        _ findings: inout Findings
    ) -> (AuthorizationProvider, cluster: String)? {
        let cluster = service.envoyGrpc.clusterName
        guard var provider = Self.provider(cluster, .grpc, at: joined(path, "envoy_grpc.cluster_name"), &findings)
        else { return nil }
        provider.timeout = service.hasTimeout ? service.timeout.value : Self.timeout
        return (provider, cluster)
    }

    private static func http(
        _ service: Envoy_Extensions_Filters_Http_ExtAuthz_V3_HttpService,
        at path: String,
        _ findings: inout Findings
    ) -> (AuthorizationProvider, cluster: String)? {
        let cluster = service.serverUri.cluster
        let wire = AuthorizationProvider.Wire.http(pathPrefix: service.pathPrefix)
        guard var provider = Self.provider(cluster, wire, at: joined(path, "server_uri.cluster"), &findings)
        else { return nil }
        provider.timeout = service.serverUri.hasTimeout ? service.serverUri.timeout.value : Self.timeout
        let response = service.authorizationResponse
        let responsePath = joined(path, "authorization_response")
        provider.headersToUpstream = Self.words(
            response.allowedUpstreamHeaders,
            at: joined(responsePath, "allowed_upstream_headers"),
            &findings
        )
        provider.headersToDownstream = Self.words(
            response.allowedClientHeaders,
            at: joined(responsePath, "allowed_client_headers"),
            &findings
        )
        return (provider, cluster)
    }

    /// Named after its cluster, `outbound|PORT||HOST` or any other.
    private static func provider(
        _ cluster: String,
        _ wire: AuthorizationProvider.Wire,
        at path: String,
        _ findings: inout Findings
    ) -> AuthorizationProvider? {
        let parts = cluster.split(separator: "|", omittingEmptySubsequences: false)
        let number = parts.count == 4 ? Int(parts[1]) ?? 80 : 80
        guard !cluster.isEmpty, let port = Port(number) else {
            findings.add(path, "a cluster's name is needed")
            return nil
        }
        let host = parts.count == 4 ? String(parts[3]) : cluster
        return AuthorizationProvider(name: host, wire: wire, service: host, port: port)
    }

    /// Names of headers as Istio writes them, with `*` at an end.
    private static func words(
        _ list: Envoy_Type_Matcher_V3_ListStringMatcher,
        at path: String,
        _ findings: inout Findings
    ) -> [String] {
        list.patterns.enumerated().compactMap { index, pattern in
            switch pattern.matchPattern {
            case .exact(let text): return text.lowercased()
            case .prefix(let text): return text.lowercased() + "*"
            case .suffix(let text): return "*" + text.lowercased()
            case .safeRegex(let regex) where regex.regex == ".+": return "*"
            case .safeRegex, .contains, nil:
                findings.add("\(path).patterns[\(index)]", "one of exact, prefix, suffix is needed")
                return nil
            }
        }
    }
}
