package import MeshModel

/// All that a proxy does at one moment, immutable; a new one replaces it as a whole.
///
/// Parts that did not change keep their identity (`===`) from one state to the next, so a loop can tell what to
/// rebuild: an endpoint change replaces one `Cluster` and nothing else.
package struct ProxyState: Sendable {
    /// Grows with every state.
    package var revision: UInt64
    package var listeners: [Listener]
    /// By `ClusterID.index`; `nil` where the cluster has gone or was never received.
    package var clusters: [Cluster?]
    /// Route tables that connection managers name (RDS), by name.
    package var routeTables: [String: RouteTable]
    /// What `ServerTLS` and `ClientTLS` name: the workload's own identity and what the control plane sent (SDS).
    package var secrets: [String: TLSSecret]

    package init(
        revision: UInt64 = 0,
        listeners: [Listener] = [],
        clusters: [Cluster?] = [],
        routeTables: [String: RouteTable] = [:],
        secrets: [String: TLSSecret] = [:]
    ) {
        self.secrets = secrets
        self.revision = revision
        self.listeners = listeners
        self.clusters = clusters
        self.routeTables = routeTables
    }

    package func cluster(_ id: ClusterID) -> Cluster? {
        id.index < self.clusters.count ? self.clusters[id.index] : nil
    }
}

/// A cluster's name, interned for the life of the process, so that the hot path indexes an array.
package struct ClusterID: Hashable, Sendable {
    package let index: Int

    package init(index: Int) { self.index = index }
}

/// An IP address and a port.
package struct NetworkAddress: Hashable, Sendable, CustomStringConvertible {
    package var ip: IPAddress
    package var port: UInt16

    package init(ip: IPAddress, port: UInt16) {
        self.ip = ip
        self.port = port
    }

    package var description: String {
        switch self.ip {
        case .v4: "\(self.ip):\(self.port)"
        case .v6: "[\(self.ip)]:\(self.port)"
        }
    }
}
