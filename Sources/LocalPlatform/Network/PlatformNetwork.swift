/// The addresses of one platform. The first one of a machine always has the same; each further cluster has a network of
/// its own, and what all of them share is a wire between their machines.
package struct PlatformNetwork: Hashable, Sendable {
    package static let podBridge = "lateen0"
    package static let outsideBridge = "lateen1"
    package static let outsideGateway = "10.215.0.1"
    package static let outsideRange = "10.215.0.0/24"
    package static let clusterDomain = "cluster.local"
    package static let apiPort = 16443
    package static let nodeName = "lateen"
    /// Host names that lie outside the mesh are in this zone; RFC 6761 reserves it.
    package static let outsideZone = "outside.test"

    /// The name of the cluster that `lateen up` starts when it is told no other.
    package static let firstCluster = "main"
    /// How many clusters find room in the ranges.
    package static let indexes = 0...15

    /// The name of the cluster, and of its network.
    package let cluster: String
    /// 0: the first cluster, on the machine itself; others are numbered in the order in which they were first made.
    package let index: Int

    package init(cluster: String = Self.firstCluster, index: Int = 0) {
        self.cluster = cluster
        self.index = min(max(index, Self.indexes.lowerBound), Self.indexes.upperBound)
    }

    /// Whether a text can name a cluster: a DNS label, short enough for all names that are made of it.
    package static func isClusterName(_ text: String) -> Bool {
        let letters = text.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 }
        return letters && (1...30).contains(text.utf8.count) && text.first != "-" && text.last != "-"
    }

    package var isFirst: Bool { self.index == 0 }

    /// Prefix of the network namespaces of pods and outside hosts.
    package var namespacePrefix: String { Self.namespacePrefix(of: self.cluster) }

    package static func namespacePrefix(of cluster: String) -> String {
        cluster == Self.firstCluster ? "lateen-" : "\(self.machineNamespacePrefix)\(cluster)."
    }

    // Pods have 10.213.0.0/16 in the first cluster, 10.217.0.0/16 in the next, then 10.219.0.0/16 and so on; services
    // the range after it.
    private var podByte: Int { self.isFirst ? 213 : 215 + 2 * self.index }
    package var podRange: String { "10.\(self.podByte).0.0/16" }
    /// The machine's address on the bridge of the pods.
    package var gateway: String { "10.\(self.podByte).0.1" }
    package var serviceRange: String { "10.\(self.podByte + 1).0.0/16" }
    package var kubernetesService: String { "10.\(self.podByte + 1).0.1" }
    package var clusterDNS: String { "10.\(self.podByte + 1).0.10" }

    /// Pods get 10.213.1.0 to 10.213.255.254.
    var podAddresses: ClosedRange<UInt32> {
        let base = UInt32(10) << 24 | UInt32(self.podByte) << 16
        return (base | 0x0100)...(base | 0xFFFE)
    }

    // MARK: Between clusters

    /// The wire between machines. Its name tells packets that come from another machine: not `lateen…`.
    package static let wire = "latwire0"
    /// The machines' addresses on the wire, and those of their Services for clients outside (type LoadBalancer).
    package static let wireRange = "10.216.0.0/16"
    /// Machines of other clusters than the first are network namespaces with this prefix.
    package static let machineNamespacePrefix = "lateen."

    /// The machine's address on the wire, where others reach its API server.
    package var machineAddress: String { "10.216.0.\(self.index + 1)" }
    /// Addresses of Services for clients outside of the cluster.
    package var loadBalancerRange: String { "10.216.\(self.index + 1).0/24" }
    /// The namespace that is the machine of this cluster; the first one has the machine itself.
    package var machineNamespace: String { "\(Self.machineNamespacePrefix)\(self.cluster)" }

    /// Region and zone of the cluster's node.
    package var region: String { self.cluster }
    package var zone: String { "\(self.cluster)-a" }
}
