package import MeshModel

/// One name that the proxy's DNS answers by itself.
package struct NameTableEntry: Sendable, Hashable {
    package struct NamedPort: Sendable, Hashable {
        package var name: String
        /// `tcp` or `udp`.
        package var transport: String
        package var port: UInt16

        package init(name: String, transport: String, port: UInt16) {
            self.name = name
            self.transport = transport
            self.port = port
        }
    }

    /// Without a final dot; its first label may be `*`.
    package var name: String
    package var addresses: [IPAddress]
    /// `Kubernetes` or `External`.
    package var registry: String
    package var namespace: String
    package var shortName: String
    package var ports: [NamedPort] = []
    /// The name that this one stands for.
    package var alias: String?
    /// Addresses of the names below this one that are instances of it, by their first label.
    package var instances: [String: [IPAddress]] = [:]

    package init(name: String, addresses: [IPAddress], registry: String, namespace: String, shortName: String) {
        self.name = name
        self.addresses = addresses
        self.registry = registry
        self.namespace = namespace
        self.shortName = shortName
    }
}

/// What is new in the name table.
package struct NameTableUpdate: Sendable, Hashable {
    /// Names that came or changed, by name.
    package var changed: [String: NameTableEntry] = [:]
    /// Names that are gone.
    package var removed: Set<String> = []

    package init(changed: [String: NameTableEntry] = [:], removed: Set<String> = []) {
        self.changed = changed
        self.removed = removed
    }

    package var isEmpty: Bool { self.changed.isEmpty && self.removed.isEmpty }

    /// Adds what came later.
    package mutating func append(_ other: NameTableUpdate) {
        for name in other.removed { self.changed[name] = nil }
        self.removed.subtract(other.changed.keys)
        self.removed.formUnion(other.removed)
        self.changed.merge(other.changed) { $1 }
    }
}
