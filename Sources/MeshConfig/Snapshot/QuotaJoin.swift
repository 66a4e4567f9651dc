import KubernetesAPI
import MeshModel

/// Puts QuotaSpecBindings and the QuotaSpecs that they name together.
struct QuotaJoin {
    let bindings: [QuotaBinding]
    let diagnoses: [Diagnosis]

    init(_ objects: MeshObjects) {
        var bindings: [QuotaBinding] = []
        var diagnoses: [Diagnosis] = []
        for facts in objects.quotaBindings.values.compactMap(\.value) {
            var rules: [QuotaBinding.Rule] = []
            for reference in facts.specs {
                if let spec = objects.quotaSpecs[reference.key]?.value {
                    rules += spec.rules
                } else {
                    diagnoses.append(reference.absence(of: "QuotaSpec", namedBy: facts.source))
                }
            }
            guard !rules.isEmpty else { continue }
            bindings.append(
                QuotaBinding(source: facts.source, createdAt: facts.createdAt, hosts: facts.hosts, rules: rules)
            )
        }
        self.bindings = bindings.sorted { ($0.createdAt, $0.source.id) < ($1.createdAt, $1.source.id) }
        self.diagnoses = diagnoses
    }
}
