import MeshModel

/// What all DestinationRules together say about one service.
struct EffectivePolicy {
    var policy = TrafficPolicy()
    var subsets: [DestinationPolicy.Subset] = []

    /// What holds for a port and perhaps a subset.
    ///
    /// Settings of a port replace all others (facts #40); a subset's replace block by block.
    func policy(port: Port, subset: DestinationPolicy.Subset? = nil) -> TrafficPolicy {
        let base = self.policy.ports[port] ?? self.policy
        guard let own = subset?.policy else { return base }
        return own.ports[port] ?? own.overlaid(on: base)
    }
}

/// Finds the DestinationRules for a service: the client's namespace first, then the service's, then the root
/// namespace; the first that has any decides (facts #41).
struct PolicyIndex {
    private let byNamespace: [String: [DestinationPolicy]]
    private let clientNamespace: String
    private let rootNamespace: String

    init(_ all: [DestinationPolicy], client: OutboundKey, root: String) {
        let visible = all.filter {
            $0.source.id.namespace == client.namespace || $0.visibility.includes(client.namespace)
        }
        self.byNamespace = Dictionary(grouping: visible, by: \.source.id.namespace)
        self.clientNamespace = client.namespace
        self.rootNamespace = root
    }

    func policy(for service: Service) -> EffectivePolicy {
        for namespace in [self.clientNamespace, service.namespace, self.rootNamespace] {
            let found = self.mostSpecific(self.byNamespace[namespace] ?? [], for: service.host)
            if !found.isEmpty { return self.merged(found) }
        }
        return EffectivePolicy()
    }

    /// All rules with the most specific host; `*.foo.com` adds nothing to what is said about `a.foo.com`.
    private func mostSpecific(_ policies: [DestinationPolicy], for host: HostName) -> [DestinationPolicy] {
        let exact = policies.filter { $0.host == host }
        if !exact.isEmpty { return exact }
        let covering = policies.filter { $0.host.covers(host) }
        let longest = covering.map(\.host.text.utf8.count).max()
        return covering.filter { $0.host.text.utf8.count == longest }
    }

    /// Oldest first: the first policy that says something wins, subsets of all are taken by name.
    private func merged(_ policies: [DestinationPolicy]) -> EffectivePolicy {
        var result = EffectivePolicy()
        result.policy = policies.map(\.policy).first { $0 != TrafficPolicy() } ?? TrafficPolicy()
        for subset in policies.flatMap(\.subsets) where !result.subsets.contains(where: { $0.name == subset.name }) {
            result.subsets.append(subset)
        }
        return result
    }
}

extension TrafficPolicy {
    /// This over `base`, block by block: the connection pool is one block, the load balancer another.
    fileprivate func overlaid(on base: TrafficPolicy) -> TrafficPolicy {
        var pool = self
        pool.loadBalancing = nil
        pool.ports = [:]
        var result = pool == TrafficPolicy() ? base : pool
        result.loadBalancing = self.loadBalancing ?? base.loadBalancing
        result.ports = [:]
        return result
    }
}
