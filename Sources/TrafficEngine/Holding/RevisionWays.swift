package import MeshModel

/// The clusters that lead to one revision's pods, or to the ports of one of them.
package struct RevisionWays: Sendable {
    private var clusters: [(cluster: Cluster, activation: RevisionActivation)] = []
    /// Requests that a pod takes at once: of the clusters that set a limit the lowest; 0: none does.
    package private(set) var concurrencyMax = 0

    package init() {}

    package mutating func add(_ cluster: Cluster, _ activation: RevisionActivation) {
        self.clusters.append((cluster, activation))
        let limit = activation.concurrencyMax
        if limit > 0 { self.concurrencyMax = self.concurrencyMax == 0 ? limit : min(self.concurrencyMax, limit) }
    }

    /// Whether it is made of the very same clusters, so that nothing follows from one that did not from the other.
    package func isSame(as other: RevisionWays) -> Bool {
        self.clusters.count == other.clusters.count
            && zip(self.clusters, other.clusters).allSatisfy { $0.cluster === $1.cluster }
    }

    /// The pods that take requests, by cluster; `answering`: they do, though they are not called ready. In the pod itself
    /// there is nothing to choose from, and all of its ports have the same places.
    package func shares(answering: Set<RevisionPod>) -> [ClusterID: [PodShare]] {
        self.clusters.reduce(into: [:]) { shares, way in
            shares[way.cluster.id] =
                switch way.activation.side {
                case .callers: PodShare.shares(of: way.cluster, answering: answering)
                case .pod: [PodShare(pod: .own)]
                }
        }
    }

    /// Where requests of a cluster find the pod.
    package func address(of pod: RevisionPod, by cluster: ClusterID) -> NetworkAddress? {
        guard let way = self.clusters.first(where: { $0.cluster.id == cluster }),
            case .endpoints(let endpoints) = way.cluster.discovery
        else { return nil }
        return zip(endpoints, PodShare.pods(of: endpoints)).first { $1 == pod }?.0.address
    }

    /// Pods that are ready, and those that may be asked whether they are. What stands behind TLS takes every connection.
    package var pods: (ready: Set<RevisionPod>, others: [RevisionPod: NetworkAddress]) {
        var ready: Set<RevisionPod> = []
        var others: [RevisionPod: NetworkAddress] = [:]
        for (cluster, activation) in self.clusters {
            guard activation.side == .callers, case .endpoints(let endpoints) = cluster.discovery else { continue }
            for (endpoint, pod) in zip(endpoints, PodShare.pods(of: endpoints)) {
                if endpoint.isHealthy {
                    ready.insert(pod)
                } else if activation.asksPods, cluster.isPlain(endpoint) {
                    others[pod] = endpoint.address
                }
            }
        }
        for pod in ready { others[pod] = nil }
        return (ready, others)
    }
}

extension Cluster {
    fileprivate func isPlain(_ endpoint: ClusterEndpoint) -> Bool {
        self.transports.indices.contains(endpoint.transport) && self.transports[endpoint.transport] == nil
    }
}
