/// The workload that a proxy belongs to, as far as it says so of itself.
package struct OwnWorkload: Hashable, Sendable {
    package var name: String
    package var namespace: String

    package init(name: String, namespace: String) {
        self.name = name
        self.namespace = namespace
    }

    /// Out of a node's id, `TYPE~IP~NAME.NAMESPACE~DOMAIN`; `nil`: it is of another form.
    package init?(nodeID: String) {
        let parts = nodeID.split(separator: "~", omittingEmptySubsequences: false)
        // Names may hold dots, namespaces may not.
        guard parts.count == 4, let dot = parts[2].lastIndex(of: "."), dot != parts[2].startIndex else { return nil }
        self.name = String(parts[2][..<dot])
        self.namespace = String(parts[2][parts[2].index(after: dot)...])
        if self.namespace.isEmpty { return nil }
    }

    /// As the policy engine knows it.
    var uid: String { "kubernetes://\(self.name).\(self.namespace)" }
}
