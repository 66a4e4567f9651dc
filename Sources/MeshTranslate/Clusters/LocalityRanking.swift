import MeshModel

/// How much a proxy likes each locality (DestinationRule `localityLbSetting`).
///
/// Nearer localities come first only where outlier detection tells when they fail (facts #67): without it a proxy
/// would stay with a near endpoint that does not answer. Shares of traffic need no such thing.
struct LocalityRanking: Hashable {
    private let client: Locality
    private let labels: [String: String]
    private let policy: LocalityPolicy
    private let canFailOver: Bool

    /// - Parameters:
    ///   - client: where the proxy is.
    ///   - labels: of the proxy's workload.
    ///   - policy: `nil`: Istio's defaults.
    ///   - canFailOver: whether outlier detection is on.
    init(client: Locality, labels: [String: String], policy: LocalityPolicy?, canFailOver: Bool) {
        self.client = client
        self.labels = labels
        self.policy = policy ?? LocalityPolicy()
        self.canFailOver = canFailOver
    }

    /// Whether localities get shares of the traffic.
    var isWeighted: Bool { self.policy.isEnabled && self.distribution != nil }

    /// 0 is liked best; gaps are possible.
    func priority(of locality: Locality, labels: [String: String]) -> Int {
        guard self.policy.isEnabled, self.canFailOver, !self.isWeighted else { return 0 }
        let byLocality = self.client.isEmpty ? 0 : self.distance(to: locality)
        guard !self.policy.failOverLabels.isEmpty else { return byLocality }
        let byLabels = self.labelsMissed(locality, labels)
        return self.policy.failOvers.isEmpty ? byLabels : byLabels * 5 + byLocality
    }

    /// Percent of the traffic for each of `localities`, given with the weight of its endpoints; what one entry of
    /// the distribution gives to several is split by their weights. Without a share a locality gets nothing.
    func shares(of localities: [Locality: UInt64]) -> [Locality: UInt32] {
        guard let distribution = self.distribution else { return [:] }
        var shares: [Locality: UInt32] = [:]
        // The closest pattern has the locality.
        let patterns = distribution.to.keys.sorted { ($1.utf8.count, $0) < ($0.utf8.count, $1) }
        var left = localities
        for pattern in patterns {
            let matched = left.filter { Self.matches($0.key, pattern) }
            for locality in matched.keys { left[locality] = nil }
            let total = matched.values.reduce(0, +)
            let percent = UInt64(distribution.to[pattern] ?? 0)
            guard total > 0, percent > 0 else { continue }
            for (locality, weight) in matched {
                // In hundredths of a percent, so that small parts do not vanish.
                shares[locality] = UInt32(clamping: max(1, percent * 100 * weight / total))
            }
        }
        return shares
    }

    private var distribution: LocalityPolicy.Distribution? {
        guard self.policy.isEnabled, !self.client.isEmpty else { return nil }
        return self.policy.distributions.first { Self.matches(self.client, $0.from) }
    }

    /// 0 the same subzone, 1 zone, 2 region, 3 another region, 4 one that nothing fails over to.
    private func distance(to locality: Locality) -> Int {
        guard locality.region == self.client.region else {
            guard let rule = self.policy.failOvers.first(where: { $0.from == self.client.region }) else { return 3 }
            return rule.to == locality.region ? 3 : 4
        }
        guard locality.zone == self.client.zone else { return 2 }
        return locality.subzone == self.client.subzone ? 0 : 1
    }

    /// Labels from the first that differs on; all before it are the same for the proxy and the endpoint.
    private func labelsMissed(_ locality: Locality, _ labels: [String: String]) -> Int {
        let wanted = self.policy.failOverLabels
        let same = wanted.prefix { entry in
            let parts = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let theirs = Self.value(parts[0], locality, labels)
            return parts.count == 2 ? theirs == parts[1] : theirs == Self.value(parts[0], self.client, self.labels)
        }
        return wanted.count - same.count
    }

    private static func value(_ key: String, _ locality: Locality, _ labels: [String: String]) -> String? {
        switch key {
        case "topology.kubernetes.io/region": locality.region
        case "topology.kubernetes.io/zone": locality.zone
        case "topology.istio.io/subzone": locality.subzone
        default: labels[key]
        }
    }

    /// Whether `pattern`, `region/zone/subzone` with `*` for what is open and parts left out at the end, stands for a
    /// locality.
    private static func matches(_ locality: Locality, _ pattern: String) -> Bool {
        let parts = pattern.split(separator: "/", omittingEmptySubsequences: false)
        return zip(parts, [locality.region, locality.zone, locality.subzone]).allSatisfy { $0 == "*" || $0 == $1 }
    }
}
