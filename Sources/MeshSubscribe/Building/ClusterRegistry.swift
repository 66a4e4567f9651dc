package import TrafficEngine

/// Gives each cluster name a number for the life of the process, so that the hot path indexes an array.
///
/// Numbers are never given back: names come from configuration and return when the configuration does.
package struct ClusterRegistry: Sendable {
    private var indices: [String: Int] = [:]

    package init() {}

    package var count: Int { self.indices.count }

    /// The number of a cluster, whether it exists or not: a route may name a cluster that comes later.
    package mutating func id(of name: String) -> ClusterID {
        if let index = self.indices[name] { return ClusterID(index: index) }
        let index = self.indices.count
        self.indices[name] = index
        return ClusterID(index: index)
    }
}
