package import MeshModel

/// A pod of a revision, as all clusters know it: ports of one pod are different endpoints, and the same pod.
package struct RevisionPod: Hashable, Sendable {
    package var ip: IPAddress
    /// Tells programs apart that a cluster has at the same address, in the order of its endpoints.
    package var number: Int

    package init(ip: IPAddress, number: Int = 0) {
        self.ip = ip
        self.number = number
    }
}

extension RevisionPod {
    /// The one that a proxy stands in, whatever its addresses and ports are.
    package static let own = RevisionPod(ip: .v4(0))
}

/// A pod that a cluster sends requests to.
package struct PodShare: Hashable, Sendable {
    package var pod: RevisionPod
    /// Of the cluster's requests, in any unit: a pod with twice the weight of another gets two while that gets one.
    package var weight: Double

    package init(pod: RevisionPod, weight: Double = 1) {
        self.pod = pod
        self.weight = weight
    }
}

extension PodShare {
    /// The pod of each endpoint, in their order.
    package static func pods(of endpoints: [ClusterEndpoint]) -> [RevisionPod] {
        var counts: [IPAddress: Int] = [:]
        return endpoints.map { endpoint in
            let number = counts[endpoint.address.ip, default: 0]
            counts[endpoint.address.ip] = number + 1
            return RevisionPod(ip: endpoint.address.ip, number: number)
        }
    }

    /// The pods that take requests of this cluster now, by the same levels of priority, localities and weights as
    /// balancing goes by. Of those that are not ready only such are among them as have answered; those that have not do not
    /// make their level look broken.
    package static func shares(of cluster: Cluster, answering: Set<RevisionPod> = []) -> [PodShare] {
        guard case .endpoints(let all) = cluster.discovery else { return [] }
        let asksPods = cluster.activation?.asksPods ?? false
        let known = zip(all, Self.pods(of: all)).filter { !asksPods || $0.isHealthy || answering.contains($1) }
        let (endpoints, pods) = (known.map(\.0), known.map(\.1))
        let levels = EndpointLevels(
            endpoints,
            panicThreshold: 0,
            weighsLocalities: cluster.weighsLocalities,
            isUsable: { endpoints[$0].isHealthy || answering.contains(pods[$0]) }
        ).levels
        return levels.flatMap { level -> [PodShare] in
            let whole = level.groups.reduce(0) { $0 + $1.weight }
            return level.groups.flatMap { group -> [PodShare] in
                let weights = group.members.map { Double(max(1, endpoints[$0].weight)) }
                let part = level.load * group.weight / whole / weights.reduce(0, +)
                return zip(group.members, weights).map { PodShare(pod: pods[$0], weight: part * $1) }
            }
        }
    }
}
