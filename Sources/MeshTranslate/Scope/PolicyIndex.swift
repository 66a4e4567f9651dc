package import MeshModel

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
package struct PolicyIndex {
    /// The rules of one namespace; each list is in order of age.
    private struct Rules {
        var exact: [HostName: [DestinationPolicy]] = [:]
        var wildcards: [DestinationPolicy] = []

        /// All rules with the most specific host; `*.foo.com` adds nothing to what is said about `a.foo.com`.
        func mostSpecific(for host: HostName) -> [DestinationPolicy] {
            if let exact = self.exact[host] { return exact }
            let covering = self.wildcards.filter { $0.host.covers(host) }
            let longest = covering.map(\.host.text.utf8.count).max()
            return covering.filter { $0.host.text.utf8.count == longest }
        }
    }

    private var byNamespace: [String: Rules] = [:]
    private let clientNamespace: String
    private let rootNamespace: String

    /// - Parameters:
    ///   - all: of the mesh, in order of age.
    ///   - client: the namespace of those who dial.
    ///   - root: the namespace whose rules hold for all.
    package init(_ all: [DestinationPolicy], client: String, root: String) {
        self.clientNamespace = client
        self.rootNamespace = root
        for policy in all {
            let namespace = policy.source.id.namespace
            guard namespace == client || policy.visibility.includes(client) else { continue }
            self.byNamespace[namespace, default: Rules()].exact[policy.host, default: []].append(policy)
            if policy.host.isWildcard { self.byNamespace[namespace]?.wildcards.append(policy) }
        }
    }

    func policy(for service: Service) -> EffectivePolicy {
        self.merged(self.rules(for: service.host, of: service.namespace))
    }

    /// The rules that together decide about a host.
    ///
    /// - Parameters:
    ///   - host: of a service, or what a client dials.
    ///   - namespace: of the service; `nil`: there is none.
    /// - Returns: the oldest first.
    package func rules(for host: HostName, of namespace: String?) -> [DestinationPolicy] {
        for namespace in [self.clientNamespace, namespace, self.rootNamespace] {
            let found = namespace.flatMap { self.byNamespace[$0]?.mostSpecific(for: host) } ?? []
            if !found.isEmpty { return found }
        }
        return []
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
    /// This over `base`, block by block: the connection pool is one block, the load balancer with its localities
    /// another, then outlier detection, TLS and the retry budget.
    fileprivate func overlaid(on base: TrafficPolicy) -> TrafficPolicy {
        var result = self.pool == TrafficPolicy() ? base.pool : self.pool
        let hasBalancer = self.loadBalancing != nil || self.locality != nil
        result.loadBalancing = hasBalancer ? self.loadBalancing : base.loadBalancing
        result.locality = hasBalancer ? self.locality : base.locality
        result.outlierDetection = self.outlierDetection ?? base.outlierDetection
        result.tls = self.tls ?? base.tls
        result.retryBudget = self.retryBudget ?? base.retryBudget
        return result
    }

    private var pool: TrafficPolicy {
        var pool = self
        pool.loadBalancing = nil
        pool.locality = nil
        pool.outlierDetection = nil
        pool.tls = nil
        pool.retryBudget = nil
        pool.ports = [:]
        return pool
    }
}
