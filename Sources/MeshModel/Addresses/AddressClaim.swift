/// An address that a host was given, as a ServiceEntry's `status.addresses` keeps it.
package struct AddressGrant: Hashable, Sendable {
    package var host: HostName
    package var address: IPAddress

    package init(host: HostName, address: IPAddress) {
        self.host = host
        self.address = address
    }
}

/// What one ServiceEntry says about addresses for its hosts.
package struct AddressClaim: Hashable, Sendable {
    /// The entry.
    package var entry: ObjectID
    /// Seconds since 1970; the older of two entries wins a conflict.
    package var createdAt: Int64
    /// In the order written.
    package var hosts: [HostName]
    /// Those that are to have an address: they have none of their own.
    package var wanting: Set<HostName>
    /// What `status.addresses` says.
    package var held: [AddressGrant]

    package init(
        entry: ObjectID,
        createdAt: Int64,
        hosts: [HostName],
        wanting: Set<HostName>,
        held: [AddressGrant] = []
    ) {
        self.entry = entry
        self.createdAt = createdAt
        self.hosts = hosts
        self.wanting = wanting
        self.held = held
    }
}
