/// One of the addresses that the name of a headless service leads to, whatever ports it serves.
package struct ServiceInstance: Hashable, Sendable, Comparable {
    package var address: IPAddress
    /// First label of a name that the instance has for itself, below the service's: `mysql-0` of a stateful set.
    package var hostName: String?

    package init(address: IPAddress, hostName: String? = nil) {
        self.address = address
        self.hostName = hostName
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.address, left.hostName ?? "") < (right.address, right.hostName ?? "")
    }
}
