import MeshModel

/// The DestinationRules for one cluster, and which of them says what.
struct RulesForCluster {
    private let rules: [DestinationPolicy]
    private let port: Port?
    private let subset: String

    init(_ rules: [DestinationPolicy], of cluster: ClusterParts?) {
        self.rules = rules
        self.port = cluster?.portNumber
        self.subset = cluster?.subset ?? ""
    }

    /// The one that makes the cluster's subset; without a subset, the first that has settings.
    var deciding: ObjectReference? {
        let first = self.withSubset ?? self.rules.first { $0.policy != TrafficPolicy() }
        return (first ?? self.rules.first)?.source
    }

    /// The one that says how connections are secured; `nil`: none does, the mesh's own settings hold.
    var securing: ObjectReference? { self.rules.first { self.speaksOfTLS($0) }?.source }

    /// The one that makes the subset, and the subset.
    var withSubset: DestinationPolicy? {
        self.subset.isEmpty ? nil : self.rules.first { $0.subsets.contains { $0.name == self.subset } }
    }

    private func speaksOfTLS(_ rule: DestinationPolicy) -> Bool {
        let own = rule.subsets.filter { $0.name == self.subset }.compactMap(\.policy)
        return ([rule.policy] + own).contains { policy in
            // Settings of a port replace all others (facts #40).
            (self.port.flatMap { policy.ports[$0] } ?? policy).tls != nil
        }
    }
}
