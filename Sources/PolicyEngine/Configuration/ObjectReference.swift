/// How objects name each other: `NAME`, `NAME.NAMESPACE`, `NAME.KIND` or `NAME.KIND.NAMESPACE`.
package struct ObjectReference: Sendable, Hashable, CustomStringConvertible {
    package let name: String
    /// What stands between name and namespace, or behind the name: a kind or a namespace.
    private let qualifier: String?
    private let namespace: String?
    /// The namespace of the object that holds the reference.
    private let home: String

    package init(_ text: String, from home: String) {
        let parts = text.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
        self.name = parts.first ?? ""
        self.qualifier = parts.count > 1 ? parts[1] : nil
        self.namespace = parts.count > 2 ? parts[2] : nil
        self.home = home
    }

    /// Whether an object is meant; of its kinds any may stand in the reference (`handler`, and that of its adapter).
    package func matches(name: String, namespace: String, kinds: [String]) -> Bool {
        guard name == self.name else { return false }
        guard let qualifier else { return namespace == self.home }
        if let wanted = self.namespace { return namespace == wanted && kinds.contains(qualifier) }
        return namespace == qualifier || (namespace == self.home && kinds.contains(qualifier))
    }

    func matches(_ instance: CompiledInstance) -> Bool {
        self.matches(name: instance.name, namespace: instance.namespace, kinds: ["instance", instance.schema.name])
    }

    func matches(_ instance: InstanceData) -> Bool {
        self.matches(name: instance.name, namespace: instance.namespace, kinds: ["instance", instance.template])
    }

    package var description: String {
        ([self.name] + [self.qualifier, self.namespace].compactMap { $0 }).joined(separator: ".")
    }
}
