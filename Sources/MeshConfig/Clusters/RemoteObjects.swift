package import KubernetesAPI

/// What the other clusters have, as the connections to their API servers tell it.
///
/// A cluster counts once every kind of it has been listed: endpoints whose network is not known yet would be dialled
/// past their gateway, and pods that are not known yet would be taken for workloads without an identity.
package struct RemoteObjects: Sendable {
    private struct Cluster {
        /// Which of the connections to it speaks; what an earlier one still delivers is ignored.
        var connection: UInt64
        var objects: MeshObjects
        /// Kinds that no connection has listed yet.
        var unlisted = Set(RemoteCluster.kinds)
    }

    private var clusters: [String: Cluster] = [:]

    package init() {}

    /// Clusters of which everything was known once.
    package var usable: [RemoteCluster] {
        self.clusters.compactMap { name, cluster in
            cluster.unlisted.isEmpty ? RemoteCluster(name: name, objects: cluster.objects) : nil
        }
    }

    /// From now on `connection` says what the cluster has; what was known of it stays until it tells more.
    package mutating func connected(_ name: String, connection: UInt64, empty: MeshObjects) {
        if self.clusters[name] == nil {
            self.clusters[name] = Cluster(connection: connection, objects: empty)
        } else {
            self.clusters[name]?.connection = connection
        }
    }

    /// - Returns: what it means for the mesh; nothing, as long as the cluster does not count.
    package mutating func apply(
        _ kind: MeshKind,
        _ change: ObjectChange,
        of name: String,
        connection: UInt64
    ) -> MeshChange {
        guard self.clusters[name]?.connection == connection,
            let result = self.clusters[name]?.objects.apply(kind, change)
        else { return .nothing }
        return self.clusters[name]?.unlisted.isEmpty == true ? result : .nothing
    }

    /// All objects of a kind have been applied.
    ///
    /// - Returns: what it means for the mesh: everything, when the cluster counts from now on.
    package mutating func listed(_ kind: MeshKind, of name: String, connection: UInt64) -> MeshChange {
        guard self.clusters[name]?.connection == connection,
            self.clusters[name]?.unlisted.remove(kind) != nil
        else { return .nothing }
        return self.clusters[name]?.unlisted.isEmpty == true ? .full : .nothing
    }

    /// The cluster is no longer part of the mesh.
    package mutating func removed(_ name: String) -> MeshChange {
        self.clusters.removeValue(forKey: name)?.unlisted.isEmpty == true ? .full : .nothing
    }
}
