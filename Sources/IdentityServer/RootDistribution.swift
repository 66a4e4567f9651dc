/// Which namespaces lack the bundle of roots; a value.
package struct RootDistribution: Sendable {
    package static let name = "istio-ca-root-cert"
    package static let key = "root-cert.pem"
    /// No workload of the mesh runs there.
    package static let left: Set<String> = ["kube-node-lease", "kube-public", "kube-system"]

    /// Of a namespace's ConfigMap; `nil` if it has none.
    package private(set) var bundles: [String: String] = [:]
    package private(set) var namespaces: Set<String> = []
    package var bundle: String?

    package init() {}

    package enum Step: Hashable, Sendable {
        case create(namespace: String)
        case repair(namespace: String)
    }

    package mutating func namespaceSeen(_ name: String, isEnding: Bool) {
        if isEnding || Self.left.contains(name) {
            self.namespaces.remove(name)
        } else {
            self.namespaces.insert(name)
        }
    }

    package mutating func namespaceGone(_ name: String) {
        self.namespaces.remove(name)
        self.bundles.removeValue(forKey: name)
    }

    package mutating func namespacesListed(_ all: [(name: String, isEnding: Bool)]) {
        self.namespaces = []
        for namespace in all { self.namespaceSeen(namespace.name, isEnding: namespace.isEnding) }
    }

    package mutating func configMapSeen(in namespace: String, bundle: String?) {
        self.bundles[namespace] = bundle ?? ""
    }
    package mutating func configMapGone(in namespace: String) { self.bundles.removeValue(forKey: namespace) }
    package mutating func configMapsListed(_ all: [(namespace: String, bundle: String?)]) {
        self.bundles = [:]
        for map in all { self.configMapSeen(in: map.namespace, bundle: map.bundle) }
    }

    /// What must be written, in order of names.
    package var steps: [Step] {
        guard let bundle = self.bundle else { return [] }
        return self.namespaces.sorted().compactMap { namespace in
            switch self.bundles[namespace] {
            case nil: .create(namespace: namespace)
            case bundle: nil
            default: .repair(namespace: namespace)
            }
        }
    }

    /// Whether every namespace is known to have exactly this bundle.
    package func isDistributed(_ bundle: String) -> Bool {
        !self.namespaces.isEmpty && self.namespaces.allSatisfy { self.bundles[$0] == bundle }
    }
}
