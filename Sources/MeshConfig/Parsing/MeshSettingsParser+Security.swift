import IstioAPI
import MeshModel
import SwiftProtobuf

/// Identities, mutual TLS and services that decide about requests.
extension MeshSettingsParser {
    private typealias Settings = Istio_Mesh_V1alpha1_MeshConfig

    static func addSecurity(
        _ mesh: Istio_Mesh_V1alpha1_MeshConfig,
        to settings: inout MeshSettings,
        _ field: String,
        _ findings: inout Findings
    ) {
        if !mesh.trustDomain.isEmpty {
            if self.isTrustDomain(mesh.trustDomain) {
                settings.trustDomain = mesh.trustDomain
            } else {
                findings.error("\(field).trustDomain", "`\(mesh.trustDomain)` cannot be a part of an identity")
            }
        }
        for (index, alias) in mesh.trustDomainAliases.enumerated() {
            if self.isTrustDomain(alias) {
                settings.trustDomainAliases.append(alias)
            } else {
                findings.error("\(field).trustDomainAliases[\(index)]", "`\(alias)` cannot be a part of an identity")
            }
        }
        if mesh.hasEnableAutoMtls { settings.automaticMutualTLS = mesh.enableAutoMtls.value }
        switch mesh.meshMTls.minProtocolVersion {
        case .tlsAuto: ()
        case .tlsv12: settings.meshTLSVersionMin = .v1_2
        case .tlsv13: settings.meshTLSVersionMin = .v1_3
        case .UNRECOGNIZED(let number):
            findings.error("\(field).meshMTLS.minProtocolVersion", "\(number) is neither TLSV1_2 nor TLSV1_3")
        }
        for (index, provider) in mesh.extensionProviders.enumerated() {
            let place = "\(field).extensionProviders[\(index)]"
            guard let parsed = self.provider(provider, place, &findings) else { continue }
            if settings.authorizationProviders.updateValue(parsed, forKey: parsed.name) != nil {
                findings.error("\(place).name", "`\(parsed.name)` stands here twice")
            }
        }
    }

    /// Providers that do not decide about requests, such as those of traces, are none of ours.
    private static func provider(
        _ provider: Istio_Mesh_V1alpha1_MeshConfig.ExtensionProvider,
        _ field: String,
        _ findings: inout Findings
    ) -> AuthorizationProvider? {
        var result: AuthorizationProvider?
        switch provider.provider {
        case nil: return nil
        case .envoyExtAuthzGrpc(let grpc):
            let place = "\(field).envoyExtAuthzGrpc"
            result = self.provider(provider.name, .grpc, grpc.service, grpc.port, place, &findings)
            result?.failsOpen = grpc.failOpen
            if grpc.hasIncludeRequestBodyInCheck {
                result?.body = self.body(grpc.includeRequestBodyInCheck, place, &findings)
            }
            result?.statusOnError = self.status(grpc.statusOnError, place, &findings)
            result?.timeout = self.timeout(grpc.timeout, grpc.hasTimeout, place, &findings)
        case .envoyExtAuthzHTTP(let http):
            let place = "\(field).envoyExtAuthzHttp"
            let wire = AuthorizationProvider.Wire.http(pathPrefix: http.pathPrefix)
            result = self.provider(provider.name, wire, http.service, http.port, place, &findings)
            result?.failsOpen = http.failOpen
            if http.hasIncludeRequestBodyInCheck {
                result?.body = self.body(http.includeRequestBodyInCheck, place, &findings)
            }
            result?.statusOnError = self.status(http.statusOnError, place, &findings)
            result?.timeout = self.timeout(http.timeout, http.hasTimeout, place, &findings)
            let names = http.includeRequestHeadersInCheck + http.includeHeadersInCheck
            result?.headersToCheck = names.map { $0.lowercased() }
            result?.headersToUpstream = http.headersToUpstreamOnAllow.map { $0.lowercased() }
            result?.headersToDownstream = http.headersToDownstreamOnDeny.map { $0.lowercased() }
            if !http.includeAdditionalHeadersInCheck.isEmpty {
                findings.warning("\(place).includeAdditionalHeadersInCheck", "is not supported yet and has no effect")
            }
            if !http.headersToDownstreamOnAllow.isEmpty {
                findings.warning("\(place).headersToDownstreamOnAllow", "is not supported yet and has no effect")
            }
        }
        return result
    }

    /// So much of a body our proxy holds for services; Envoy knows no bound.
    private static let bodyBytesMax: UInt32 = 1 << 20

    private static func body(
        _ body: Settings.ExtensionProvider.EnvoyExternalAuthorizationRequestBody,
        _ place: String,
        _ findings: inout Findings
    ) -> AuthorizationProvider.Body? {
        let field = "\(place).includeRequestBodyInCheck.maxRequestBytes"
        guard body.maxRequestBytes > 0 else {
            findings.error(field, "must be at least 1; leave includeRequestBodyInCheck out to send no body")
            return nil
        }
        if body.maxRequestBytes > Self.bodyBytesMax {
            findings.warning(
                field,
                "Lateen's proxy holds no more than \(Self.bodyBytesMax) bytes: what is longer counts as too long"
            )
        }
        return AuthorizationProvider.Body(
            bytesMax: body.maxRequestBytes,
            mayBePartial: body.allowPartialMessage,
            isPackedAsBytes: body.packAsBytes
        )
    }

    private static func provider(
        _ name: String,
        _ wire: AuthorizationProvider.Wire,
        _ service: String,
        _ port: UInt32,
        _ field: String,
        _ findings: inout Findings
    ) -> AuthorizationProvider? {
        if name.isEmpty { findings.error(field, "needs a name beside it") }
        let host = service.split(separator: "/", maxSplits: 1).last.flatMap { HostName(String($0)) }
        if host == nil || host?.isWildcard == true {
            let found = service.isEmpty ? "is needed" : "`\(service)` is neither HOST nor NAMESPACE/HOST"
            findings.error("\(field).service", found)
            return nil
        }
        guard let port = Port(port) else {
            findings.error("\(field).port", "\(port) is no port: 1 to 65535")
            return nil
        }
        return AuthorizationProvider(name: name, wire: wire, service: service, port: port)
    }

    private static func status(_ text: String, _ field: String, _ findings: inout Findings) -> UInt32 {
        if text.isEmpty { return 403 }
        guard let status = UInt32(text), (200...599).contains(status) else {
            findings.error("\(field).statusOnError", "`\(text)` is no status of HTTP")
            return 403
        }
        return status
    }

    /// Istio's default is ten minutes, which says "no limit of its own".
    private static func timeout(
        _ value: ProtoDuration,
        _ isSet: Bool,
        _ field: String,
        _ findings: inout Findings
    ) -> Duration {
        Fields.positiveDuration(value, isSet: isSet, field: "\(field).timeout", &findings) ?? .seconds(600)
    }

    private static func isTrustDomain(_ text: String) -> Bool {
        WorkloadID(trustDomain: text, namespace: "a", serviceAccount: "a") != nil
    }
}
