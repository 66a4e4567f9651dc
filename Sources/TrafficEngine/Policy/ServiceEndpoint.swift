internal import MeshModel

/// Where a service that is asked about requests can be reached, and how connections to it are secured.
package struct ServiceEndpoint: Hashable, Sendable {
    package var address: NetworkAddress
    package var cluster: ClusterID
    /// Index into the cluster's `transports`.
    package var transport: Int
    /// The name that the address was looked up for; a certificate may have to stand for it.
    package var hostname: String?

    /// At most so many are tried for one question.
    package static let countMax = 3

    package init(address: NetworkAddress, cluster: ClusterID, transport: Int = 0, hostname: String? = nil) {
        self.address = address
        self.cluster = cluster
        self.transport = transport
        self.hostname = hostname
    }
}
