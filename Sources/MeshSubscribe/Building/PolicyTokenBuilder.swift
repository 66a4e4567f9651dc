internal import MeshModel
internal import SwiftProtobuf
internal import TrafficEngine
internal import XDSAPI

/// Which tokens are looked for, out of Envoy's `jwt_authn` filter.
struct TokenPolicyBuilder {
    typealias Message = Envoy_Extensions_Filters_Http_JwtAuthn_V3_JwtAuthentication
    private typealias Requirement = Envoy_Extensions_Filters_Http_JwtAuthn_V3_JwtRequirement

    private var names: [String] = []
    private var allowsMissing = false

    /// `nil`: nothing is required, or there is a finding.
    static func build(_ message: Message, at path: String, _ findings: inout Findings) -> TokenPolicy? {
        guard let rule = message.rules.first else { return nil }
        let rulePath = "\(joined(path, "rules"))[0]"
        guard message.rules.count == 1, case .prefix("/") = rule.match.pathSpecifier, rule.match.headers.isEmpty,
            rule.match.queryParameters.isEmpty
        else {
            findings.add(joined(path, "rules"), "exactly one rule for the prefix `/` is supported")
            return nil
        }
        var builder = TokenPolicyBuilder()
        switch rule.requirementType {
        case .requires(let requirement):
            builder.add(requirement, at: joined(rulePath, "requires"), isTop: true, &findings)
        case .requirementName(let name):
            guard let requirement = message.requirementMap[name] else {
                findings.add(joined(rulePath, "requirement_name"), "`\(name)` is not in requirement_map")
                return nil
            }
            builder.add(requirement, at: "\(joined(path, "requirement_map"))[\(name)]", isTop: true, &findings)
        case nil: return nil
        }
        var providers: [TokenPolicy.Provider] = []
        for name in builder.names {
            let providerPath = "\(joined(path, "providers"))[\(name)]"
            guard let provider = message.providers[name] else {
                findings.add(providerPath, "the rule asks for this provider and it is not there")
                continue
            }
            findings.append(FieldAudit.findings(in: provider, at: providerPath))
            if let provider = Self.provider(provider, name: name, at: providerPath, &findings) {
                providers.append(provider)
            }
        }
        return TokenPolicy(providers: providers, allowsMissing: builder.allowsMissing)
    }

    /// Providers of a requirement: any of them, each of which may also have nothing to look at.
    private mutating func add(
        _ requirement: Requirement,
        at path: String,
        isTop: Bool,
        _ findings: inout Findings
    ) {
        switch requirement.requiresType {
        case .providerName(let name): if !self.names.contains(name) { self.names.append(name) }
        case .allowMissing: self.allowsMissing = true
        case .requiresAny(let list):
            for (index, requirement) in list.requirements.enumerated() {
                let path = "\(joined(path, "requires_any.requirements"))[\(index)]"
                self.add(requirement, at: path, isTop: false, &findings)
            }
        case .requiresAll(let list):
            // Istio's form for tokens in several places. A list of tokens that must all be there is another matter.
            guard list.requirements.allSatisfy(Self.isOptional) else {
                findings.add(joined(path, "requires_all"), "only providers that allow_missing are supported in it")
                return
            }
            for (index, requirement) in list.requirements.enumerated() {
                let path = "\(joined(path, "requires_all.requirements"))[\(index)]"
                self.add(requirement, at: path, isTop: false, &findings)
            }
        case .providerAndAudiences, .allowMissingOrFailed, nil:
            findings.add(path, "one of provider_name, requires_any, requires_all, allow_missing is needed")
        }
    }

    private static func isOptional(_ requirement: Requirement) -> Bool {
        guard case .requiresAny(let list) = requirement.requiresType else { return false }
        return list.requirements.contains { if case .allowMissing = $0.requiresType { true } else { false } }
    }

    private static func provider(
        _ message: Envoy_Extensions_Filters_Http_JwtAuthn_V3_JwtProvider,
        name: String,
        at path: String,
        _ findings: inout Findings
    ) -> TokenPolicy.Provider? {
        guard let keys = Self.keys(message, at: path, &findings) else { return nil }
        if !message.payloadInMetadata.isEmpty, message.payloadInMetadata != PolicyMetadata.payloadKey {
            findings.add(joined(path, "payload_in_metadata"), "only `\(PolicyMetadata.payloadKey)` is supported")
        }
        var provider = TokenPolicy.Provider(name: name, issuer: message.issuer, keys: keys)
        provider.audiences = message.audiences
        provider.fromHeaders = message.fromHeaders.map {
            RequestAuthenticationRules.Header(name: $0.name, prefix: $0.valuePrefix)
        }
        provider.fromParameters = message.fromParams
        provider.fromCookies = message.fromCookies
        provider.forwardsToken = message.forward
        provider.payloadHeader = message.forwardPayloadHeader.isEmpty ? nil : message.forwardPayloadHeader
        provider.claimHeaders = message.claimToHeaders.map {
            RequestAuthenticationRules.ClaimHeader(header: $0.headerName, claim: $0.claimName)
        }
        provider.spaceDelimitedClaims = message.normalizePayloadInMetadata.spaceDelimitedClaims
        return provider
    }

    private static func keys(
        _ message: Envoy_Extensions_Filters_Http_JwtAuthn_V3_JwtProvider,
        at path: String,
        _ findings: inout Findings
    ) -> TokenPolicy.Provider.Keys? {
        switch message.jwksSourceSpecifier {
        case .localJwks(let source):
            switch source.specifier {
            case .inlineString(let text): return .inline(text)
            case .inlineBytes(let bytes): return .inline(String(decoding: bytes, as: UTF8.self))
            case .filename, .environmentVariable, nil:
                findings.add(joined(path, "local_jwks"), "one of inline_string, inline_bytes is needed")
                return nil
            }
        case .remoteJwks(let remote):
            return .remote(
                uri: remote.httpUri.uri,
                cluster: remote.httpUri.cluster,
                timeout: remote.httpUri.hasTimeout ? remote.httpUri.timeout.value : .seconds(5),
                // Envoy's default is ten minutes.
                cacheDuration: remote.hasCacheDuration ? remote.cacheDuration.value : .seconds(600)
            )
        case nil:
            findings.add(path, "one of remote_jwks, local_jwks is needed")
            return nil
        }
    }
}
