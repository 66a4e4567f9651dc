import KubernetesAPI
import MeshModel

/// Puts HTTPAPISpecBindings and the HTTPAPISpecs that they name together.
struct APIJoin {
    let bindings: [APIBinding]
    let diagnoses: [Diagnosis]

    init(_ objects: MeshObjects) {
        var bindings: [APIBinding] = []
        var diagnoses: [Diagnosis] = []
        for facts in objects.apiBindings.values.compactMap(\.value) {
            var specs: [APISpec] = []
            for reference in facts.specs {
                if let spec = objects.apiSpecs[reference.key]?.value {
                    specs.append(spec)
                } else {
                    diagnoses.append(reference.absence(of: "HTTPAPISpec", namedBy: facts.source))
                }
            }
            if APISpec.fitting(specs).count < specs.count {
                let limits = "\(APISpec.operationsMax) patterns or \(APISpec.regexesMax) regular expressions"
                diagnoses.append(
                    Diagnosis(
                        severity: .error,
                        object: facts.source,
                        field: "spec.apiSpecs",
                        message: "have together more than \(limits); what is beyond is left out"
                    )
                )
            }
            guard !specs.isEmpty else { continue }
            bindings.append(
                APIBinding(source: facts.source, createdAt: facts.createdAt, hosts: facts.hosts, specs: specs)
            )
        }
        self.bindings = bindings.sorted { ($0.createdAt, $0.source.id) < ($1.createdAt, $1.source.id) }
        self.diagnoses = diagnoses
    }
}
