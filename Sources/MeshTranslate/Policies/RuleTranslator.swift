import MeshModel
import SwiftProtobuf
import XDSAPI

/// Turns the rules of an AuthorizationPolicy into entries of Envoy's RBAC.
///
/// On TCP nothing is known of requests. An ALLOW rule that asks for such things is left out there, so less is allowed;
/// of other rules only those conditions are left out, so more is denied (Istio's documented behaviour).
struct RuleTranslator {
    typealias Policy = Envoy_Config_Rbac_V3_Policy
    typealias Permission = Envoy_Config_Rbac_V3_Permission
    typealias Principal = Envoy_Config_Rbac_V3_Principal

    /// The mesh's own trust domain, then its aliases.
    let trustDomains: [String]

    /// A condition that nothing is known about on TCP.
    struct NeedsRequest: Error {}

    /// Entries by name, `ns[…]-policy[…]-rule[…]`.
    ///
    /// An ALLOW policy without rules gives an entry that never matches, so that it stays visible by name.
    func policies(_ rules: AuthorizationRules, isTCP: Bool, prefix: String = "") -> [String: Policy] {
        func name(_ index: Int) -> String {
            "\(prefix)ns[\(rules.source.id.namespace)]-policy[\(rules.source.id.name)]-rule[\(index)]"
        }
        var policies: [String: Policy] = [:]
        if rules.rules.isEmpty, rules.action == .allow { policies[name(0)] = Self.never }
        for (index, rule) in rules.rules.enumerated() {
            guard let policy = self.policy(rule, of: rules, isTCP: isTCP) else { continue }
            policies[name(index)] = policy
        }
        return policies
    }

    private static let never = Policy.with {
        $0.permissions = [.with { $0.notRule = .with { $0.any = true } }]
        $0.principals = [.with { $0.notID = .with { $0.any = true } }]
    }

    /// `nil`: the rule allows nothing on TCP.
    private func policy(_ rule: AuthorizationRules.Rule, of rules: AuthorizationRules, isTCP: Bool) -> Policy? {
        let conditions = ConditionTranslator(
            trustDomains: self.trustDomains,
            namespace: rules.source.id.namespace,
            isTCP: isTCP,
            isStrict: rules.action == .allow
        )
        do {
            let base = try conditions.groups(of: rule.conditions)
            let operations = rule.operations.isEmpty ? [AuthorizationRules.Operation()] : rule.operations
            let sources = rule.sources.isEmpty ? [AuthorizationRules.Source()] : rule.sources
            let permissions = operations.compactMap { operation in
                Self.orNil { () throws(NeedsRequest) in try conditions.permissions(operation) }.map {
                    Self.all($0 + base.permissions)
                }
            }
            let principals = sources.compactMap { source in
                Self.orNil { () throws(NeedsRequest) in try conditions.principals(source) }.map {
                    Self.all($0 + base.principals)
                }
            }
            guard !permissions.isEmpty, !principals.isEmpty else { return nil }
            return .with {
                $0.permissions = permissions
                $0.principals = principals
            }
        } catch {
            return nil
        }
    }

    private static func orNil<T>(_ body: () throws(NeedsRequest) -> T) -> T? {
        do throws(NeedsRequest) { return try body() } catch { return nil }
    }

    private static func all(_ permissions: [Permission]) -> Permission {
        permissions.isEmpty ? .with { $0.any = true } : .with { $0.andRules.rules = permissions }
    }

    private static func all(_ principals: [Principal]) -> Principal {
        principals.isEmpty ? .with { $0.any = true } : .with { $0.andIds.ids = principals }
    }
}
