package import MeshModel

/// A host of the mesh as the control plane names it; from it the table works out every name that leads to it.
package struct DNSHost: Hashable, Sendable {
    /// Where the host comes from.
    package enum Registry: Hashable, Sendable {
        /// A Service: also known as `name.namespace.svc`, `name.namespace`, and `name` in its own namespace.
        case kubernetes(name: String, namespace: String)
        /// A ServiceEntry, or a record that somebody wrote: known by its whole name only.
        case external
    }

    /// A port with a name, for SRV records.
    package struct NamedPort: Hashable, Sendable {
        package var name: String
        /// `tcp` or `udp`.
        package var transport: String
        package var port: UInt16

        package init(name: String, transport: String = "tcp", port: UInt16) {
            self.name = name
            self.transport = transport
            self.port = port
        }
    }

    /// The whole name; its first label may be `*`.
    package var name: String
    /// What the name leads to; for a headless service its ready endpoints.
    package var addresses: [IPAddress]
    package var registry: Registry
    package var ports: [NamedPort]
    /// Another name that this one stands for (ExternalName); `addresses` must be empty then.
    package var alias: String?
    /// Names below this one that lead to a single address each: `mysql-0` of a stateful set.
    package var instances: [String: IPAddress]

    package init(
        name: String,
        addresses: [IPAddress],
        registry: Registry = .external,
        ports: [NamedPort] = [],
        alias: String? = nil,
        instances: [String: IPAddress] = [:]
    ) {
        self.name = name
        self.addresses = addresses
        self.registry = registry
        self.ports = ports
        self.alias = alias
        self.instances = instances
    }
}

/// From where names are looked at.
package struct DNSViewpoint: Hashable, Sendable {
    /// `cluster.local`.
    package var clusterDomain: String
    /// The asker's namespace; `nil` for a server of the whole cluster: no short names then.
    package var namespace: String?
    /// The search list of the asker's `resolv.conf`: names with one of these appended are answered at once.
    package var search: [String]
    /// How many seconds answers may be kept.
    package var ttl: UInt32

    package init(
        clusterDomain: String = "cluster.local",
        namespace: String? = nil,
        search: [String] = [],
        ttl: UInt32 = DNSTable.ttl
    ) {
        self.clusterDomain = clusterDomain
        self.namespace = namespace
        self.search = search
        self.ttl = ttl
    }
}
