import KubernetesAPI
import MeshModel

extension MeshObjects {
    /// Of each object that a snapshot is made from, apart from endpoints and Secrets, which change for other reasons.
    var resourceVersions: [ObjectReference: String] {
        var result: [ObjectReference: String] = [:]
        func add<Value>(_ kind: MeshKind, _ table: [ObjectKey: Parsed<Value>]) {
            for (key, parsed) in table {
                let id = ObjectID(namespace: key.namespace ?? "", name: key.name)
                result[ObjectReference(kind: kind.rawValue, id: id)] = parsed.resourceVersion
            }
        }
        add(.service, self.services)
        add(.serviceEntry, self.serviceEntries)
        add(.workloadGroup, self.workloadGroups)
        add(.virtualService, self.virtualServices)
        add(.destinationRule, self.destinationRules)
        add(.gateway, self.gateways)
        add(.sidecar, self.sidecars)
        add(.peerAuthentication, self.peerAuthentications)
        add(.requestAuthentication, self.requestAuthentications)
        add(.authorizationPolicy, self.authorizationPolicies)
        add(.policy, self.policies)
        add(.meshPolicy, self.meshPolicies)
        add(.quotaSpec, self.quotaSpecs)
        add(.quotaSpecBinding, self.quotaBindings)
        add(.apiSpec, self.apiSpecs)
        add(.apiSpecBinding, self.apiBindings)
        return result
    }
}
