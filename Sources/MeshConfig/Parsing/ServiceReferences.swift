import IstioAPI
import KubernetesAPI
import MeshModel

/// What bindings of the policy engine's kinds have in common.
enum ServiceReferences {
    /// The hosts that a binding's services are; a short name means one of `namespace`.
    static func hosts(
        _ services: [Istio_Mixer_V1_Config_Client_IstioService],
        namespace: String,
        domain: String,
        _ findings: inout Findings
    ) -> [HostName] {
        var hosts: [HostName] = []
        for (index, service) in services.enumerated() {
            let text: String
            if !service.service.isEmpty {
                text = service.service
            } else {
                let place = service.namespace.isEmpty ? namespace : service.namespace
                text = "\(service.name).\(place).\(service.domain.isEmpty ? "svc.\(domain)" : service.domain)"
            }
            if let host = HostName(text) {
                hosts.append(host)
            } else {
                findings.error("spec.services[\(index)]", "`\(text)` is no host name")
            }
        }
        return hosts
    }
}

/// An object that another one names.
struct NamedReference: Hashable, Sendable {
    var field: String
    var id: ObjectID

    /// A name without a namespace means an object of `owner`.
    init(field: String, name: String, namespace: String, owner: String) {
        self.field = field
        self.id = ObjectID(namespace: namespace.isEmpty ? owner : namespace, name: name)
    }

    var key: ObjectKey { ObjectKey(namespace: self.id.namespace, name: self.id.name) }

    /// What is wrong with `source`, which names the object as one of `kind`, while there is no usable one.
    func absence(of kind: String, namedBy source: ObjectReference) -> Diagnosis {
        Diagnosis(
            severity: .error,
            object: source,
            field: self.field,
            message: "\(kind) \(self.id) does not exist, or is broken"
        )
    }
}
