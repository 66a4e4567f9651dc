internal import MeshModel
internal import SwiftProtobuf
internal import TrafficEngine
internal import XDSAPI

/// The policies in front of a router or TCP proxy, filter by filter.
///
/// An RBAC filter that only notes which of its rules matches, for an `ext_authz` filter behind it (Istio's CUSTOM),
/// becomes that filter's condition.
struct PolicyChainBuilder {
    private(set) var http: [HTTPPolicy] = []
    private(set) var mixer: MixerPolicy?
    private(set) var connection: [ConnectionPolicy] = []
    /// Whose proxy it is, for what that says of itself.
    private let workload: OwnWorkload?
    /// Shadow rules by the metadata key in which they note what matched.
    private var notes: [String: Note] = [:]

    private struct Note {
        var entries: [RulePolicy.Entry]
        var showsDenials: Bool
    }

    init(workload: OwnWorkload?) { self.workload = workload }

    /// Takes an HTTP filter if it is a policy.
    mutating func takeHTTP(
        name: String,
        _ message: Google_Protobuf_Any,
        at path: String,
        _ registry: inout ClusterRegistry,
        _ findings: inout Findings
    ) -> Bool {
        switch message.typeURL {
        case TypeURL.httpRBAC:
            typealias Filter = Envoy_Extensions_Filters_Http_Rbac_V3_RBAC
            guard let filter = message.unpacked(Filter.self, at: path, &findings) else { return true }
            let policies = self.rules(
                filter.hasRules ? filter.rules : nil,
                shadow: filter.hasShadowRules ? filter.shadowRules : nil,
                notedUnder: filter.shadowRulesStatPrefix,
                name: name,
                at: path,
                &findings
            )
            self.http += policies.map { .rules($0) }
        case TypeURL.jwtAuthentication:
            typealias Filter = Envoy_Extensions_Filters_Http_JwtAuthn_V3_JwtAuthentication
            guard let filter = message.unpacked(Filter.self, at: path, &findings) else { return true }
            if let policy = TokenPolicyBuilder.build(filter, at: path, &findings) { self.http.append(.tokens(policy)) }
        case TypeURL.httpExternalAuthorization:
            typealias Filter = Envoy_Extensions_Filters_Http_ExtAuthz_V3_ExtAuthz
            guard let filter = message.unpacked(Filter.self, at: path, &findings),
                let (provider, cluster) = ProviderBuilder.build(filter, at: path, &findings)
            else { return true }
            let gate = filter.hasFilterEnabledMetadata ? filter.filterEnabledMetadata : nil
            self.external(provider, cluster, gate, PolicyMetadata.httpRules, at: path, &registry, &findings)
                .map { self.http.append(.external($0)) }
        case TypeURL.mixer:
            typealias Filter = Istio_Mixer_V1_Config_Client_HttpClientConfig
            guard let filter = message.unpacked(Filter.self, at: path, &findings) else { return true }
            if self.mixer != nil { findings.add(path, "a second filter of this type is not supported") }
            self.mixer = MixerPolicyBuilder.build(filter, by: self.workload, at: path, &registry, &findings)
        default: return false
        }
        return true
    }

    /// Takes a network filter if it is a policy.
    mutating func takeNetwork(
        name: String,
        _ message: Google_Protobuf_Any,
        at path: String,
        _ registry: inout ClusterRegistry,
        _ findings: inout Findings
    ) -> Bool {
        switch message.typeURL {
        case TypeURL.networkRBAC:
            typealias Filter = Envoy_Extensions_Filters_Network_Rbac_V3_RBAC
            guard let filter = message.unpacked(Filter.self, at: path, &findings) else { return true }
            let policies = self.rules(
                filter.hasRules ? filter.rules : nil,
                shadow: filter.hasShadowRules ? filter.shadowRules : nil,
                notedUnder: filter.shadowRulesStatPrefix,
                name: name,
                at: path,
                &findings
            )
            self.connection += policies.map { .rules($0) }
        case TypeURL.networkExternalAuthorization:
            typealias Filter = Envoy_Extensions_Filters_Network_ExtAuthz_V3_ExtAuthz
            guard let filter = message.unpacked(Filter.self, at: path, &findings),
                let (provider, cluster) = ProviderBuilder.build(filter, at: path, &findings)
            else { return true }
            let gate = filter.hasFilterEnabledMetadata ? filter.filterEnabledMetadata : nil
            self.external(provider, cluster, gate, PolicyMetadata.networkRules, at: path, &registry, &findings)
                .map { self.connection.append(.external($0)) }
        case TypeURL.mixerOfConnections:
            typealias Filter = Istio_Mixer_V1_Config_Client_TcpClientConfig
            guard let filter = message.unpacked(Filter.self, at: path, &findings) else { return true }
            if self.mixer != nil { findings.add(path, "a second filter of this type is not supported") }
            self.mixer = MixerPolicyBuilder.build(filter, by: self.workload, at: path, &registry, &findings)
        default: return false
        }
        return true
    }

    // MARK: Rules

    /// Istio's prefix for shadow rules that only note.
    private static let notingPrefix = "istio_ext_authz_"

    private mutating func rules(
        _ rules: Envoy_Config_Rbac_V3_RBAC?,
        shadow: Envoy_Config_Rbac_V3_RBAC?,
        notedUnder prefix: String,
        name: String,
        at path: String,
        _ findings: inout Findings
    ) -> [RulePolicy] {
        // Our control plane says in the name that clients shall not be told who denied.
        let showsDenials = !name.hasSuffix(".quiet")
        var policies: [RulePolicy] = []
        if let shadow {
            let built = Self.policy(shadow, isShadow: true, showsDenials, at: joined(path, "shadow_rules"), &findings)
            self.notes[prefix + PolicyMetadata.shadowPolicy] = Note(entries: built.entries, showsDenials: showsDenials)
            if prefix != Self.notingPrefix { policies.append(built) }
        }
        if let rules {
            policies.append(Self.policy(rules, isShadow: false, showsDenials, at: joined(path, "rules"), &findings))
        }
        return policies
    }

    private static func policy(
        _ message: Envoy_Config_Rbac_V3_RBAC,
        isShadow: Bool,
        _ showsDenials: Bool,
        at path: String,
        _ findings: inout Findings
    ) -> RulePolicy {
        var action = RulePolicy.Action.allow
        switch message.action {
        case .allow: action = .allow
        case .deny: action = .deny
        case .log: action = .log
        case .UNRECOGNIZED(let number): findings.add("\(path).action", "\(number) is no action")
        }
        var builder = PolicyConditionBuilder()
        var entries: [RulePolicy.Entry] = []
        for (name, policy) in message.policies.sorted(by: { $0.key < $1.key }) {
            let path = "\(path).policies[\(name)]"
            findings.append(FieldAudit.findings(in: policy, at: path))
            if policy.permissions.isEmpty || policy.principals.isEmpty {
                findings.add(path, "permissions and principals are both needed")
            }
            entries.append(
                RulePolicy.Entry(
                    name: name,
                    permissions: policy.permissions.enumerated().map {
                        builder.condition($1, at: "\(path).permissions[\($0)]")
                    },
                    principals: policy.principals.enumerated().map {
                        builder.condition($1, at: "\(path).principals[\($0)]")
                    }
                )
            )
        }
        findings.append(builder.findings.list)
        return RulePolicy(action: action, entries: entries, isShadow: isShadow, showsDenials: showsDenials)
    }

    // MARK: Services

    private func external(
        _ provider: AuthorizationProvider,
        _ cluster: String,
        _ gate: Envoy_Type_Matcher_V3_MetadataMatcher?,
        _ filter: String,
        at path: String,
        _ registry: inout ClusterRegistry,
        _ findings: inout Findings
    ) -> ExternalPolicy? {
        var condition: PolicyCondition?
        var name = provider.name
        var provider = provider
        var showsDenials = true
        if let gate {
            let path = joined(path, "filter_enabled_metadata")
            guard gate.filter == filter, gate.path.count == 1, let key = gate.path.first?.key,
                let note = self.notes[key], case .prefix(let prefix) = gate.value.stringMatch.matchPattern,
                !gate.invert
            else {
                findings.add(path, "only a prefix of what an RBAC filter in front noted is supported")
                return nil
            }
            let entries = note.entries.filter { $0.name.hasPrefix(prefix) }
            condition = .either(entries.map { .all([.either($0.permissions), .either($0.principals)]) })
            showsDenials = note.showsDenials
            if let first = entries.first.flatMap({ PolicyName($0.name) }) {
                name = "\(first.namespace)/\(first.name)"
                provider.name = first.provider ?? provider.name
            }
        }
        return ExternalPolicy(
            provider: provider,
            cluster: registry.id(of: cluster),
            clusterName: cluster,
            condition: condition,
            name: name,
            showsDenials: showsDenials
        )
    }
}
