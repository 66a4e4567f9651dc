import KubernetesAPI
import MeshModel

/// Finds the Secrets that Gateways and DestinationRules name.
///
/// A proxy gets certificates from Secrets of its own namespace only. So a Gateway's Secret is looked for where the pods
/// are that it selects, and a DestinationRule's there as well, since gateways follow it, and in its own namespace.
struct Credentials {
    private let objects: MeshObjects
    /// Namespaces of the pods that each Gateway selects; its own where it selects none.
    private let namespacesByGateway: [ObjectReference: Set<String>]

    init(objects: MeshObjects, workloads: some Collection<Workload>) {
        self.objects = objects
        var namespaces: [ObjectReference: Set<String>] = [:]
        for gateway in objects.gateways.values.compactMap(\.value) {
            let selected =
                gateway.selector.isEmpty
                ? []
                : workloads.filter { workload in
                    gateway.selector.allSatisfy { workload.labels[$0.key] == $0.value }
                }
            namespaces[gateway.source] =
                selected.isEmpty ? [gateway.source.id.namespace] : Set(selected.map(\.id.namespace))
        }
        self.namespacesByGateway = namespaces
    }

    /// Names of Secrets in rules.
    static func names(in objects: MeshObjects) -> Set<String> {
        let gateways = objects.gateways.values.compactMap(\.value)
        let rules = objects.destinationRules.values.compactMap(\.value)
        return Set(gateways.flatMap(Self.names)).union(rules.flatMap(Self.names))
    }

    /// Every Secret that is named and there, and what is wrong with those that are.
    func found() -> (credentials: [ObjectID: TLSCredential], diagnoses: [Diagnosis]) {
        var wanted: Set<ObjectID> = []
        for gateway in self.objects.gateways.values.compactMap(\.value) {
            for name in Self.names(of: gateway) { wanted.formUnion(self.places(of: name, for: gateway)) }
        }
        let gateways = self.namespacesByGateway.values.reduce(into: Set<String>()) { $0.formUnion($1) }
        for rule in self.objects.destinationRules.values.compactMap(\.value) {
            for name in Self.names(of: rule) {
                for namespace in gateways.union([rule.source.id.namespace]) {
                    wanted.insert(ObjectID(namespace: namespace, name: name))
                }
            }
        }
        var credentials: [ObjectID: TLSCredential] = [:]
        var diagnoses: [Diagnosis] = []
        for id in wanted {
            let main = self.objects.secrets[ObjectKey(namespace: id.namespace, name: id.name)]
            let roots = self.objects.secrets[
                ObjectKey(namespace: id.namespace, name: "\(id.name)\(SecretParser.rootsSuffix)")
            ]
            diagnoses += (main?.diagnoses ?? []) + (roots?.diagnoses ?? [])
            guard var credential = main?.value ?? roots?.value else { continue }
            // The split form, which keeps the roots where fewer people may read keys.
            if credential.roots.isEmpty, let other = roots?.value { credential.roots = other.roots }
            if credential.revocationList.isEmpty, let other = roots?.value {
                credential.revocationList = other.revocationList
            }
            credentials[id] = credential
        }
        return (credentials, diagnoses)
    }

    /// Where a Secret of a Gateway must be.
    func places(of name: String, for gateway: GatewayRules) -> [ObjectID] {
        (self.namespacesByGateway[gateway.source] ?? []).sorted().map { ObjectID(namespace: $0, name: name) }
    }

    private static func names(of gateway: GatewayRules) -> [String] {
        gateway.servers.compactMap(\.tls?.credentialName)
    }

    private static func names(of rule: DestinationPolicy) -> [String] {
        ([rule.policy] + rule.subsets.compactMap(\.policy)).flatMap { policy in
            ([policy] + policy.ports.values).compactMap(\.tls?.credentialName)
        }
    }
}
