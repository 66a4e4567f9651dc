import MeshModel
import SwiftProtobuf
import XDSAPI

/// The filters for CUSTOM policies: for each provider an RBAC filter that only notes which rule matches, and an
/// `ext_authz` filter that asks the provider if one did (Istio's way).
struct CustomFilters {
    /// Begins the metadata in which the matching rule is noted.
    static let metadataPrefix = "istio_ext_authz_"
    static let metadataKey = "istio_ext_authz_shadow_effective_policy_id"

    private let settings: MeshSettings
    /// By provider, in the order of the policies.
    private let byProvider: [(provider: String, rules: [AuthorizationRules])]
    private let translator: RuleTranslator

    init(_ rules: [AuthorizationRules], settings: MeshSettings) {
        self.settings = settings
        self.translator = RuleTranslator(trustDomains: [settings.trustDomain] + settings.trustDomainAliases)
        var found: [(provider: String, rules: [AuthorizationRules])] = []
        // A dry run would have to ask the provider about every request for nothing: there is none.
        for rule in rules where !rule.isDryRun {
            guard case .custom(let provider) = rule.action else { continue }
            if let index = found.firstIndex(where: { $0.provider == provider }) {
                found[index].rules.append(rule)
            } else {
                found.append((provider, [rule]))
            }
        }
        self.byProvider = found
    }

    var http: [PolicyFilters.HTTPFilter] {
        self.byProvider.flatMap { provider, rules -> [PolicyFilters.HTTPFilter] in
            guard let known = self.settings.authorizationProviders[provider] else {
                let filter = Envoy_Extensions_Filters_Http_Rbac_V3_RBAC.with {
                    $0.rules = self.denyAll(rules, isTCP: false)
                }
                return [Self.filter(self.rbacName("http"), filter)]
            }
            let gate = Envoy_Extensions_Filters_Http_Rbac_V3_RBAC.with {
                $0.shadowRules = self.matched(rules, provider, isTCP: false)
                $0.shadowRulesStatPrefix = Self.metadataPrefix
            }
            let ask = self.external(known)
            return [Self.filter(self.rbacName("http"), gate), Self.filter("envoy.filters.http.ext_authz", ask)]
        }
    }

    var network: [PolicyFilters.NetworkFilter] {
        self.byProvider.flatMap { provider, rules -> [PolicyFilters.NetworkFilter] in
            // A provider that speaks HTTP knows requests only: like one that is missing, it denies connections.
            guard let known = self.settings.authorizationProviders[provider], known.wire == .grpc else {
                let filter = Envoy_Extensions_Filters_Network_Rbac_V3_RBAC.with {
                    $0.statPrefix = "tcp."
                    $0.rules = self.denyAll(rules, isTCP: true)
                }
                return [Self.networkFilter(self.rbacName("network"), filter)]
            }
            let gate = Envoy_Extensions_Filters_Network_Rbac_V3_RBAC.with {
                $0.statPrefix = "tcp."
                $0.shadowRules = self.matched(rules, provider, isTCP: true)
                $0.shadowRulesStatPrefix = Self.metadataPrefix
            }
            let ask = Envoy_Extensions_Filters_Network_ExtAuthz_V3_ExtAuthz.with {
                $0.statPrefix = "tcp."
                $0.grpcService = Self.grpc(known)
                $0.failureModeAllow = known.failsOpen
                $0.transportApiVersion = .v3
                $0.filterEnabledMetadata = Self.gate(provider, filter: "envoy.filters.network.rbac")
            }
            return [
                Self.networkFilter(self.rbacName("network"), gate),
                Self.networkFilter("envoy.filters.network.ext_authz", ask),
            ]
        }
    }

    private func rbacName(_ kind: String) -> String {
        "envoy.filters.\(kind).rbac" + (self.settings.showsDenials ? "" : PolicyFilters.quietSuffix)
    }

    /// A provider that nobody configured cannot say yes.
    private func denyAll(_ rules: [AuthorizationRules], isTCP: Bool) -> Envoy_Config_Rbac_V3_RBAC {
        .with {
            $0.action = .deny
            for rule in rules {
                $0.policies.merge(self.translator.policies(rule, isTCP: isTCP)) { first, _ in first }
            }
        }
    }

    private func matched(_ rules: [AuthorizationRules], _ provider: String, isTCP: Bool) -> Envoy_Config_Rbac_V3_RBAC {
        .with {
            $0.action = .deny
            for rule in rules {
                let policies = self.translator.policies(rule, isTCP: isTCP, prefix: Self.prefix(provider))
                $0.policies.merge(policies) { first, _ in first }
            }
        }
    }

    private static func prefix(_ provider: String) -> String { "istio-ext-authz-\(provider)-" }

    /// Whether a rule of this provider was noted; with `ns[`, so that no provider's name is the beginning of another's.
    private static func gate(_ provider: String, filter: String) -> Envoy_Type_Matcher_V3_MetadataMatcher {
        .with {
            $0.filter = filter
            $0.path = [.with { $0.key = Self.metadataKey }]
            $0.value.stringMatch.prefix = Self.prefix(provider) + "ns["
        }
    }

    // MARK: The provider

    private static func cluster(_ provider: AuthorizationProvider) -> String {
        let host = provider.service.split(separator: "/").last.map(String.init) ?? provider.service
        return "outbound|\(provider.port)||\(host)"
    }

    private static func grpc(_ provider: AuthorizationProvider) -> Envoy_Config_Core_V3_GrpcService {
        .with {
            $0.envoyGrpc.clusterName = Self.cluster(provider)
            // By itself Envoy takes the cluster's name, and servers refuse an authority with such marks in it.
            $0.envoyGrpc.authority = Self.cluster(provider).replacing("|", with: "_.")
            $0.timeout = Google_Protobuf_Duration(provider.timeout)
        }
    }

    private func external(_ provider: AuthorizationProvider) -> Envoy_Extensions_Filters_Http_ExtAuthz_V3_ExtAuthz {
        .with {
            switch provider.wire {
            case .grpc: $0.grpcService = Self.grpc(provider)
            case .http(let pathPrefix): $0.httpService = Self.http(provider, pathPrefix: pathPrefix)
            }
            $0.transportApiVersion = .v3
            $0.failureModeAllow = provider.failsOpen
            $0.statusOnError.code = Envoy_Type_V3_StatusCode(rawValue: Int(provider.statusOnError)) ?? .forbidden
            if let body = provider.body {
                $0.withRequestBody.maxRequestBytes = body.bytesMax
                $0.withRequestBody.allowPartialMessage = body.mayBePartial
                $0.withRequestBody.packAsBytes = body.isPackedAsBytes
            }
            if !provider.headersToCheck.isEmpty { $0.allowedHeaders = Self.list(provider.headersToCheck) }
            $0.filterEnabledMetadata = Self.gate(provider.name, filter: "envoy.filters.http.rbac")
        }
    }

    private static func http(
        _ provider: AuthorizationProvider,
        pathPrefix: String
    ) -> Envoy_Extensions_Filters_Http_ExtAuthz_V3_HttpService {
        .with {
            let host = provider.service.split(separator: "/").last.map(String.init) ?? provider.service
            $0.serverUri.uri = "http://\(host):\(provider.port)"
            $0.serverUri.cluster = Self.cluster(provider)
            $0.serverUri.timeout = Google_Protobuf_Duration(provider.timeout)
            $0.pathPrefix = pathPrefix
            if !provider.headersToUpstream.isEmpty {
                $0.authorizationResponse.allowedUpstreamHeaders = Self.list(provider.headersToUpstream)
            }
            if !provider.headersToDownstream.isEmpty {
                $0.authorizationResponse.allowedClientHeaders = Self.list(provider.headersToDownstream)
            }
        }
    }

    private static func list(_ values: [String]) -> Envoy_Type_Matcher_V3_ListStringMatcher {
        .with { $0.patterns = values.map { PolicyMatch.text($0, ignoresCase: true) } }
    }

    private static func filter(_ name: String, _ message: some SwiftProtobuf.Message) -> PolicyFilters.HTTPFilter {
        .with {
            $0.name = name
            $0.typedConfig = .packing(message)
        }
    }

    private static func networkFilter(
        _ name: String,
        _ message: some SwiftProtobuf.Message
    ) -> PolicyFilters.NetworkFilter {
        .with {
            $0.name = name
            $0.typedConfig = .packing(message)
        }
    }
}
