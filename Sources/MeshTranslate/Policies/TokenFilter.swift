import MeshModel
import SwiftProtobuf
import XDSAPI

/// The `jwt_authn` filter for the RequestAuthentications of a workload.
struct TokenFilter {
    private typealias Provider = Envoy_Extensions_Filters_Http_JwtAuthn_V3_JwtProvider
    private typealias Requirement = Envoy_Extensions_Filters_Http_JwtAuthn_V3_JwtRequirement

    /// As Istio's control plane does.
    private static let keyLifetime: Duration = .seconds(300)

    private let rules: [RequestAuthenticationRules]
    private let snapshot: MeshSnapshot

    init(_ rules: [RequestAuthenticationRules], snapshot: MeshSnapshot) {
        self.rules = rules
        self.snapshot = snapshot
    }

    /// One, or none if nothing is said about tokens.
    var filters: [PolicyFilters.HTTPFilter] {
        let issuers = self.rules.flatMap(\.issuers)
        guard !issuers.isEmpty else { return [] }
        var message = Envoy_Extensions_Filters_Http_JwtAuthn_V3_JwtAuthentication()
        message.bypassCorsPreflight = true
        var names: [String] = []
        for (index, issuer) in issuers.enumerated() {
            let name = "origins-\(index)"
            names.append(name)
            message.providers[name] = self.provider(issuer)
        }
        let isRequired = self.rules.contains(where: \.isRequired)
        message.rules = [
            .with {
                $0.match.prefix = "/"
                $0.requires = Self.requirement(names, isRequired: isRequired)
            }
        ]
        return [
            .with {
                $0.name = TokenPrincipal.filter
                $0.typedConfig = .packing(message)
            }
        ]
    }

    /// A token may be missing, but one that is there must be good.
    ///
    /// With several issuers: one of them vouches for the token, or each has nothing to look at or vouches; the second
    /// is for requests with tokens in several places.
    private static func requirement(_ names: [String], isRequired: Bool) -> Requirement {
        let named = names.map { name in Requirement.with { $0.providerName = name } }
        if isRequired { return Self.any(named) }
        let missing = Requirement.with { $0.allowMissing = Google_Protobuf_Empty() }
        let optional = named.map { Self.any([$0, missing]) }
        guard optional.count > 1 else { return optional[0] }
        return Self.any(named + [.with { $0.requiresAll.requirements = optional }])
    }

    private static func any(_ requirements: [Requirement]) -> Requirement {
        .with { $0.requiresAny.requirements = requirements }
    }

    private func provider(_ issuer: RequestAuthenticationRules.Issuer) -> Provider {
        .with {
            $0.issuer = issuer.issuer
            $0.audiences = issuer.audiences
            $0.forward = issuer.forwardsToken
            $0.forwardPayloadHeader = issuer.payloadHeader ?? ""
            $0.payloadInMetadata = TokenPrincipal.payloadKey
            $0.normalizePayloadInMetadata.spaceDelimitedClaims = ["scope", "permission"]
            $0.fromHeaders = issuer.fromHeaders.map { header in
                .with {
                    $0.name = header.name
                    $0.valuePrefix = header.prefix
                }
            }
            $0.fromParams = issuer.fromParameters
            $0.fromCookies = issuer.fromCookies
            $0.claimToHeaders = issuer.claimHeaders.map { claim in
                .with {
                    $0.headerName = claim.header
                    $0.claimName = claim.claim
                }
            }
            if let keys = issuer.keys {
                $0.localJwks.inlineString = keys
            } else {
                self.setRemoteKeys(issuer, &$0)
            }
        }
    }

    /// Keys are fetched through the cluster of their host by Envoy, from their address by our own proxies. Without
    /// an address the issuer's OpenID document says where they are; only our own proxies can follow it.
    private func setRemoteKeys(_ issuer: RequestAuthenticationRules.Issuer, _ provider: inout Provider) {
        let base = issuer.issuer.hasSuffix("/") ? String(issuer.issuer.dropLast()) : issuer.issuer
        let uri = issuer.keysURI ?? "\(base)/.well-known/openid-configuration"
        provider.remoteJwks.httpUri.uri = uri
        provider.remoteJwks.httpUri.cluster = Self.cluster(of: uri)
        provider.remoteJwks.httpUri.timeout = Google_Protobuf_Duration(issuer.timeout)
        provider.remoteJwks.cacheDuration = Google_Protobuf_Duration(Self.keyLifetime)
    }

    /// The cluster of the host in a URI; it exists if the host is a service or a ServiceEntry.
    static func cluster(of uri: String) -> String {
        let isSecure = uri.hasPrefix("https://")
        let rest = uri.drop { $0 != ":" }.dropFirst(3)
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let parts = authority.split(separator: ":", maxSplits: 1)
        let port = parts.count > 1 ? String(parts[1]) : isSecure ? "443" : "80"
        return "outbound|\(port)||\(parts.first.map(String.init)?.lowercased() ?? "")"
    }
}
