import IstioAPI
import KubernetesAPI
import MeshModel

/// A QuotaSpec, before it is known which services it is for.
struct QuotaSpecFacts: Hashable, Sendable {
    var rules: [QuotaBinding.Rule]
}

/// A QuotaSpecBinding, before the QuotaSpecs are found that it names.
struct QuotaBindingFacts: Hashable, Sendable {
    var source: ObjectReference
    var createdAt: Int64
    var hosts: [HostName]
    var specs: [NamedReference]
}

/// Reads QuotaSpecs and QuotaSpecBindings.
enum QuotaParser {
    private typealias Spec = Istio_Mixer_V1_Config_Client_QuotaSpec
    private typealias Binding = Istio_Mixer_V1_Config_Client_QuotaSpecBinding

    static func parse(spec object: KubernetesObject) -> Parsed<QuotaSpecFacts> {
        var findings = Findings("QuotaSpec", object)
        guard let spec = Fields.spec(Spec.self, of: object, &findings, isStrict: true) else {
            return Parsed(object, value: nil, diagnoses: findings.diagnoses)
        }
        let rules = spec.rules.enumerated().map { index, rule in
            QuotaBinding.Rule(
                matches: rule.match.enumerated().map {
                    self.match($1, "spec.rules[\(index)].match[\($0)]", &findings)
                },
                charges: self.charges(rule.quotas, "spec.rules[\(index)].quotas", &findings)
            )
        }
        let value = findings.hasErrors ? nil : QuotaSpecFacts(rules: rules)
        return Parsed(object, value: value, diagnoses: findings.diagnoses)
    }

    private static func match(
        _ match: Istio_Mixer_V1_Config_Client_AttributeMatch,
        _ field: String,
        _ findings: inout Findings
    ) -> QuotaBinding.Rule.Match {
        var result: QuotaBinding.Rule.Match = [:]
        for (name, text) in match.clause.sorted(by: { $0.key < $1.key }) {
            let field = "\(field).clause.\(name)"
            switch text.matchType {
            case .exact(let value): result[name] = .exact(value)
            case .prefix(let value): result[name] = .prefix(value)
            case .regex(let value):
                if let problem = RegexCheck.problem(with: value) { findings.error(field, "`\(value)` \(problem)") }
                result[name] = .regex(value)
            case nil: findings.error(field, "one of exact, prefix, regex is needed")
            }
        }
        return result
    }

    private static func charges(
        _ quotas: [Istio_Mixer_V1_Config_Client_Quota],
        _ field: String,
        _ findings: inout Findings
    ) -> [String: Int64] {
        var charges: [String: Int64] = [:]
        for (index, quota) in quotas.enumerated() {
            if quota.quota.isEmpty { findings.error("\(field)[\(index)].quota", "a name is needed") }
            guard (0...Self.chargeMax).contains(quota.charge) else {
                findings.error("\(field)[\(index)].charge", "\(quota.charge) is not between 0 and \(Self.chargeMax)")
                continue
            }
            charges[quota.quota, default: 0] += quota.charge
        }
        return charges
    }

    /// Far more than any request is worth, and sums of them fit.
    private static let chargeMax: Int64 = 1 << 40

    static func parse(binding object: KubernetesObject, domain: String) -> Parsed<QuotaBindingFacts> {
        var findings = Findings("QuotaSpecBinding", object)
        guard let binding = Fields.spec(Binding.self, of: object, &findings, isStrict: true) else {
            return Parsed(object, value: nil, diagnoses: findings.diagnoses)
        }
        let source = ObjectReference(kind: "QuotaSpecBinding", id: ObjectID(object))
        let namespace = source.id.namespace
        let hosts = ServiceReferences.hosts(binding.services, namespace: namespace, domain: domain, &findings)
        let specs = binding.quotaSpecs.enumerated().map {
            NamedReference(field: "spec.quotaSpecs[\($0)]", name: $1.name, namespace: $1.namespace, owner: namespace)
        }
        let facts = QuotaBindingFacts(source: source, createdAt: object.createdAt, hosts: hosts, specs: specs)
        return Parsed(object, value: facts, diagnoses: findings.diagnoses)
    }
}
