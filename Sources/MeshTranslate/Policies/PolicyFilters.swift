import MeshModel
import SwiftProtobuf
import XDSAPI

/// The filters that enforce AuthorizationPolicies and RequestAuthentications in front of one workload.
///
/// They stand in inbound chains of sidecars and in all chains of gateways. In HTTP chains tokens come first, so that
/// every rule may ask for claims, then CUSTOM, then the log of AUDIT, then DENY, then ALLOW; as Istio orders the last
/// four (facts 1a).
struct PolicyFilters {
    typealias HTTPFilter = Envoy_Extensions_Filters_Network_HttpConnectionManager_V3_HttpFilter
    typealias NetworkFilter = Envoy_Config_Listener_V3_Filter

    /// Behind the name of an RBAC filter: denials do not name their policy to clients. Envoy reads nothing from a
    /// filter's name, so this is how the mesh's setting reaches our proxies.
    static let quietSuffix = ".quiet"

    let http: [HTTPFilter]
    let network: [NetworkFilter]

    init(proxy: ProxyKey, snapshot: MeshSnapshot) {
        let workload = PolicyTarget(
            namespace: proxy.workload.namespace,
            labels: proxy.labels,
            rootNamespace: snapshot.settings.rootNamespace
        )
        let rules = snapshot.authorizationRules.filter {
            workload.isSelected(by: $0.source.id.namespace, $0.selector)
        }
        let tokens = snapshot.requestAuthentications.filter {
            workload.isSelected(by: $0.source.id.namespace, $0.selector)
        }
        let settings = snapshot.settings
        self.http =
            TokenFilter(tokens, snapshot: snapshot).filters
            + CustomFilters(rules, settings: settings).http + RuleFilters(rules, settings: settings).http
        self.network = CustomFilters(rules, settings: settings).network + RuleFilters(rules, settings: settings).network
    }

    var isEmpty: Bool { self.http.isEmpty && self.network.isEmpty }
}

/// The workload that policies may be meant for.
struct PolicyTarget {
    var namespace: String
    var labels: [String: String]
    var rootNamespace: String

    /// Policies of the root namespace are for all namespaces, others for their own; a selector narrows both.
    func isSelected(by policyNamespace: String, _ selector: [String: String]) -> Bool {
        (policyNamespace == self.namespace || policyNamespace == self.rootNamespace)
            && selector.allSatisfy { self.labels[$0.key] == $0.value }
    }
}

/// The RBAC filters for AUDIT, DENY and ALLOW policies.
struct RuleFilters {
    private typealias RBAC = Envoy_Config_Rbac_V3_RBAC

    private let rules: [AuthorizationRules]
    private let translator: RuleTranslator
    private let name: String

    init(_ rules: [AuthorizationRules], settings: MeshSettings) {
        self.rules = rules
        self.translator = RuleTranslator(trustDomains: [settings.trustDomain] + settings.trustDomainAliases)
        self.name = "rbac" + (settings.showsDenials ? "" : PolicyFilters.quietSuffix)
    }

    var http: [PolicyFilters.HTTPFilter] {
        self.filters(isTCP: false).map { filter in
            .with {
                $0.name = "envoy.filters.http.\(self.name)"
                $0.typedConfig = .packing(
                    Envoy_Extensions_Filters_Http_Rbac_V3_RBAC.with {
                        if let rules = filter.rules { $0.rules = rules }
                        if let shadow = filter.shadow {
                            $0.shadowRules = shadow
                            $0.shadowRulesStatPrefix = filter.shadowPrefix
                        }
                    }
                )
            }
        }
    }

    var network: [PolicyFilters.NetworkFilter] {
        self.filters(isTCP: true).map { filter in
            .with {
                $0.name = "envoy.filters.network.\(self.name)"
                $0.typedConfig = .packing(
                    Envoy_Extensions_Filters_Network_Rbac_V3_RBAC.with {
                        $0.statPrefix = "tcp."
                        if let rules = filter.rules { $0.rules = rules }
                        if let shadow = filter.shadow {
                            $0.shadowRules = shadow
                            $0.shadowRulesStatPrefix = filter.shadowPrefix
                        }
                    }
                )
            }
        }
    }

    private struct Filter {
        var rules: RBAC?
        var shadow: RBAC?
        var shadowPrefix: String
    }

    private func filters(isTCP: Bool) -> [Filter] {
        let actions: [(AuthorizationRules.Action, RBAC.Action, String)] = [
            (.audit, .log, "audit"), (.deny, .deny, "deny"), (.allow, .allow, "allow"),
        ]
        return actions.compactMap { action, filterAction, name in
            let matching = self.rules.filter { $0.action == action }
            guard !matching.isEmpty else { return nil }
            return Filter(
                rules: self.rbac(matching.filter { !$0.isDryRun }, filterAction, isTCP: isTCP),
                shadow: self.rbac(matching.filter(\.isDryRun), filterAction, isTCP: isTCP),
                // Istio's names, which dashboards know.
                shadowPrefix: "istio_dry_run_\(name)_"
            )
        }
    }

    private func rbac(_ policies: [AuthorizationRules], _ action: RBAC.Action, isTCP: Bool) -> RBAC? {
        guard !policies.isEmpty else { return nil }
        return .with {
            $0.action = action
            for policy in policies {
                $0.policies.merge(self.translator.policies(policy, isTCP: isTCP)) { first, _ in first }
            }
        }
    }
}
