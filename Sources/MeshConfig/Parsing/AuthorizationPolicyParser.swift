import IstioAPI
import KubernetesAPI
import MeshModel

/// Reads AuthorizationPolicies.
///
/// A policy with a mistake closes what it was meant to guard: it allows nothing to its workloads until it is corrected.
/// Left out, a misspelled DENY would let everybody in, and nobody would notice.
enum AuthorizationPolicyParser {
    /// Istio's annotation for trying a policy out.
    private static let dryRunAnnotation = "istio.io/dry-run"
    private static let consequence =
        "until it is corrected, its last good state is in force; without one, nothing is allowed to its workloads"

    static func parse(_ object: KubernetesObject) -> Parsed<AuthorizationRules> {
        var findings = Findings("AuthorizationPolicy", object)
        var rules = AuthorizationRules(
            source: ObjectReference(kind: "AuthorizationPolicy", id: ObjectID(object)),
            createdAt: object.createdAt,
            isDryRun: object.annotations[self.dryRunAnnotation] == "true"
        )
        guard
            let spec = Fields.spec(
                Istio_Security_V1beta1_AuthorizationPolicy.self,
                of: object,
                &findings,
                isStrict: true
            )
        else {
            rules.selector = object.spec[path: "selector", "matchLabels"]?.stringMap ?? [:]
            findings.warning("spec", self.consequence)
            return Parsed(object, value: rules, diagnoses: findings.diagnoses)
        }
        rules.selector = spec.selector.matchLabels
        if !spec.targetRefs.isEmpty {
            // Such a policy is for proxies that there are none of, and not for the workloads around it.
            findings.error("spec.targetRefs", "is not supported: use a selector")
            return Parsed(object, value: nil, diagnoses: findings.diagnoses)
        }
        var reader = AuthorizationPolicyReader(namespace: object.namespace ?? "", findings: findings)
        let action = reader.action(spec)
        let parsed = spec.rules.enumerated().map { reader.rule($1, "spec.rules[\($0)]") }
        if let action, !reader.findings.hasErrors {
            rules.action = action
            rules.rules = parsed
        } else if action == .audit {
            return Parsed(object, value: nil, diagnoses: reader.findings.diagnoses)
        } else {
            reader.findings.warning("spec", self.consequence)
        }
        return Parsed(object, value: rules, diagnoses: reader.findings.diagnoses)
    }
}

struct AuthorizationPolicyReader {
    let namespace: String
    var findings: Findings

    mutating func action(_ spec: Istio_Security_V1beta1_AuthorizationPolicy) -> AuthorizationRules.Action? {
        if spec.action != .custom, spec.actionDetail != nil {
            self.findings.error("spec.provider", "needs action CUSTOM")
        }
        switch spec.action {
        case .allow: return .allow
        case .deny: return .deny
        case .audit: return .audit
        case .custom:
            if spec.provider.name.isEmpty {
                self.findings.error("spec.provider.name", "is needed with action CUSTOM")
                return nil
            }
            return .custom(provider: spec.provider.name)
        case .UNRECOGNIZED(let number):
            self.findings.error("spec.action", "\(number) is none of ALLOW, DENY, AUDIT, CUSTOM")
            return nil
        }
    }

    mutating func rule(_ rule: Istio_Security_V1beta1_Rule, _ field: String) -> AuthorizationRules.Rule {
        var result = AuthorizationRules.Rule()
        for (index, from) in rule.from.enumerated() {
            let place = "\(field).from[\(index)].source"
            if from.source == Istio_Security_V1beta1_Source() {
                self.findings.error(place, "is empty: leave `from` out for every source")
            }
            result.sources.append(self.source(from.source, place))
        }
        for (index, to) in rule.to.enumerated() {
            let place = "\(field).to[\(index)].operation"
            if to.operation == Istio_Security_V1beta1_Operation() {
                self.findings.error(place, "is empty: leave `to` out for every operation")
            }
            result.operations.append(self.operation(to.operation, place))
        }
        for (index, condition) in rule.when.enumerated() {
            result.conditions.append(self.condition(condition, "\(field).when[\(index)]"))
        }
        return result
    }

    // MARK: Sources

    private mutating func source(
        _ source: Istio_Security_V1beta1_Source,
        _ field: String
    ) -> AuthorizationRules.Source {
        var result = AuthorizationRules.Source()
        result.principals = self.principals(source.principals, "\(field).principals")
        result.notPrincipals = self.principals(source.notPrincipals, "\(field).notPrincipals")
        result.requestPrincipals = self.patterns(source.requestPrincipals, "\(field).requestPrincipals")
        result.notRequestPrincipals = self.patterns(source.notRequestPrincipals, "\(field).notRequestPrincipals")
        result.namespaces = self.patterns(source.namespaces, "\(field).namespaces")
        result.notNamespaces = self.patterns(source.notNamespaces, "\(field).notNamespaces")
        result.serviceAccounts = self.accounts(source.serviceAccounts, "\(field).serviceAccounts")
        result.notServiceAccounts = self.accounts(source.notServiceAccounts, "\(field).notServiceAccounts")
        if !result.serviceAccounts.isEmpty || !result.notServiceAccounts.isEmpty,
            [source.principals, source.notPrincipals, source.namespaces, source.notNamespaces].contains(where: {
                !$0.isEmpty
            })
        {
            self.findings.error("\(field).serviceAccounts", "not together with principals or namespaces")
        }
        result.ipBlocks = Fields.blocks(source.ipBlocks, field: "\(field).ipBlocks", &self.findings)
        result.notIPBlocks = Fields.blocks(source.notIpBlocks, field: "\(field).notIpBlocks", &self.findings)
        result.remoteIPBlocks = Fields.blocks(
            source.remoteIpBlocks,
            field: "\(field).remoteIpBlocks",
            &self.findings
        )
        result.notRemoteIPBlocks = Fields.blocks(
            source.notRemoteIpBlocks,
            field: "\(field).notRemoteIpBlocks",
            &self.findings
        )
        return result
    }

    private mutating func principals(_ texts: [String], _ field: String) -> [String] {
        for (index, text) in texts.enumerated() where text.hasPrefix("spiffe://") {
            self.findings.error("\(field)[\(index)]", "stands without `spiffe://`: cluster.local/ns/default/sa/name")
        }
        return self.patterns(texts, field)
    }

    /// `account` is one of the policy's namespace.
    private mutating func accounts(_ texts: [String], _ field: String) -> [String] {
        texts.enumerated().compactMap { index, text in
            let parts = text.split(separator: "/", omittingEmptySubsequences: false)
            guard (1...2).contains(parts.count), !text.contains("*"), parts.allSatisfy({ !$0.isEmpty }) else {
                self.findings.error("\(field)[\(index)]", "`\(text)` is not NAMESPACE/ACCOUNT or ACCOUNT")
                return nil
            }
            return parts.count == 2 ? text : "\(self.namespace)/\(text)"
        }
    }

    /// Texts that may have a `*` at one end.
    mutating func patterns(_ texts: [String], _ field: String) -> [String] {
        for (index, text) in texts.enumerated() {
            if text.isEmpty {
                self.findings.error("\(field)[\(index)]", "is empty")
            } else if text != "*",
                text.count(where: { $0 == "*" }) > (text.hasPrefix("*") || text.hasSuffix("*") ? 1 : 0)
            {
                self.findings.error("\(field)[\(index)]", "`\(text)`: a `*` may stand at the beginning or at the end")
            }
        }
        return texts
    }
}
