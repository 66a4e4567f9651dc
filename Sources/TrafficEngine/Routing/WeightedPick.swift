extension ForwardAction {
    /// The cluster for one request; every value of `random` is equally likely.
    package func pick(random: UInt32) -> WeightedCluster { self.clusters[self.pickIndex(random: random)] }

    /// The place of that cluster in `clusters`, for callers that need no copy of it.
    package func pickIndex(random: UInt32) -> Int { weightedIndex(self.clusters, random: random) }
}

extension TCPProxy {
    /// The cluster for one connection; every value of `random` is equally likely.
    package func pick(random: UInt32) -> WeightedCluster { self.clusters[self.pickIndex(random: random)] }

    /// The place of that cluster in `clusters`.
    package func pickIndex(random: UInt32) -> Int { weightedIndex(self.clusters, random: random) }
}

/// The index that a random number falls on, weights side by side. One entry is taken whatever its weight.
private func weightedIndex(_ clusters: [WeightedCluster], random: UInt32) -> Int {
    if clusters.count == 1 { return 0 }
    var total: UInt64 = 0
    for index in clusters.indices { total += UInt64(clusters[index].weight) }
    var point = (UInt64(random) * min(total, UInt64(UInt32.max))) >> 32
    for index in clusters.indices {
        let weight = UInt64(clusters[index].weight)
        if point < weight { return index }
        point -= weight
    }
    return max(0, clusters.count - 1)
}
