internal import MeshModel
internal import NIOCore
internal import TrafficEngine

/// A cluster on one loop: balancer, pools, counters.
final class ClusterRuntime {
    private(set) var cluster: Cluster
    let worker: Worker
    var counts = ClusterCounts()
    var durations = DurationHistogram()
    /// Connections that are being made; with the active ones they count against the limit.
    var connecting = 0
    /// Exchanges that are in a second or later attempt.
    var retriesActive = 0
    private var balancer: LoadBalancer
    /// In the order of the balancer's endpoints.
    private var pools: [EndpointPool] = []
    /// Pools of original destinations, made when they are first asked for.
    private var destinations: [NetworkAddress: EndpointPool] = [:]
    /// What the names of a DNS cluster stood for last; `nil`: not looked up yet.
    private var resolved: [ClusterEndpoint]?
    /// Requests and connections that wait for the first answer of a DNS cluster.
    private var waiters: [any ClusterWaiter] = []
    /// A limit that holds for all loops, divided by their number.
    private(set) var limits: ClusterLimits

    init(_ cluster: Cluster, worker: Worker) {
        self.cluster = cluster
        self.worker = worker
        self.limits = Self.share(cluster.limits, worker)
        self.balancer = LoadBalancer(cluster.balancing, endpoints: [], seed: worker.random())
        self.useEndpoints()
    }

    var isOriginalDestination: Bool {
        if case .originalDestination = self.cluster.discovery { true } else { false }
    }

    private var isResolving: Bool {
        if case .dns = self.cluster.discovery { self.resolved == nil } else { false }
    }

    /// Takes the cluster as it is in a new state; connections and counters stay.
    func replace(_ cluster: Cluster) {
        let old = self.cluster
        self.cluster = cluster
        self.limits = Self.share(cluster.limits, self.worker)
        if old.balancing != cluster.balancing {
            self.balancer = LoadBalancer(
                cluster.balancing,
                endpoints: self.balancer.endpoints,
                seed: self.worker.random()
            )
        }
        if case .dns = cluster.discovery, case .dns = old.discovery, old.discovery == cluster.discovery { return }
        if case .dns = cluster.discovery { self.resolved = nil }
        self.useEndpoints()
    }

    /// The cluster has gone: idle connections are closed, the others may finish.
    func retire() {
        for pool in self.pools { pool.retire() }
        for pool in self.destinations.values { pool.retire() }
        self.pools.removeAll()
        self.destinations.removeAll()
        self.balancer.replace(endpoints: [])
        let waiters = self.waiters
        self.waiters.removeAll()
        for waiter in waiters { waiter.clusterReady() }
    }

    /// Names of a DNS cluster were looked up; an empty answer leaves the last good one in place.
    func resolved(_ endpoints: [ClusterEndpoint]) {
        if !endpoints.isEmpty || self.resolved == nil {
            self.resolved = endpoints
            self.useEndpoints()
        }
        let waiters = self.waiters
        self.waiters.removeAll()
        for waiter in waiters { waiter.clusterReady() }
    }

    private func useEndpoints() {
        let endpoints: [ClusterEndpoint]
        switch self.cluster.discovery {
        case .endpoints(let list): endpoints = list
        case .dns: endpoints = self.resolved ?? []
        case .originalDestination: endpoints = []
        }
        self.balancer.replace(endpoints: endpoints)
        var old: [NetworkAddress: EndpointPool] = [:]
        for pool in self.pools { old[pool.address] = pool }
        self.pools = endpoints.enumerated().map { index, endpoint in
            let pool = old.removeValue(forKey: endpoint.address) ?? EndpointPool(endpoint.address, cluster: self)
            pool.index = index
            return pool
        }
        for pool in old.values { pool.retire() }
    }

    enum Choice {
        case pool(EndpointPool)
        case failed(EndReason)
        /// A DNS cluster whose first answer has not come; `wait` for it.
        case unresolved
    }

    /// An endpoint for one attempt. A retry goes elsewhere than the attempt before if it can.
    func choose(for client: ClientFacts, avoiding previous: EndpointPool? = nil) -> Choice {
        if self.isOriginalDestination {
            // It would connect to the very listener that the client came in by, for ever (facts #62).
            guard client.isRedirected else { return .failed(.loopDetected) }
            return .pool(self.pool(of: client.destination))
        }
        for attempt in 0..<3 {
            guard let index = self.balancer.pick() else { break }
            let pool = self.pools[index]
            if let previous, pool === previous, attempt < 2, self.pools.count > 1 { continue }
            return .pool(pool)
        }
        if self.isResolving { return .unresolved }
        self.counts.noneHealthy += 1
        if case .dns = self.cluster.discovery, self.resolved?.isEmpty ?? true {
            return .failed(.upstreamNameUnresolved)
        }
        return .failed(.noHealthyEndpoint)
    }

    func wait(_ waiter: any ClusterWaiter) { self.waiters.append(waiter) }

    func stopWaiting(_ waiter: any ClusterWaiter) { self.waiters.removeAll { $0 === waiter } }

    func began(_ pool: EndpointPool) { if pool.index >= 0 { self.balancer.began(pool.index) } }

    func ended(_ pool: EndpointPool) { if pool.index >= 0 { self.balancer.ended(pool.index) } }

    /// Whether one more exchange may be tried again.
    var mayRetry: Bool { self.limits.retriesMax == .max || self.retriesActive < Int(self.limits.retriesMax) }

    /// Whether one more connection may be opened; `isFirst`: the endpoint has none yet, and one is always allowed.
    func mayConnect(isFirst: Bool) -> Bool {
        if isFirst || self.limits.connectionsMax == .max { return true }
        if self.counts.connectionsActive + self.connecting < Int(self.limits.connectionsMax) { return true }
        self.counts.connectionsOverflowed += 1
        return false
    }

    private func pool(of destination: NetworkAddress) -> EndpointPool {
        if let pool = self.destinations[destination] { return pool }
        // Bounded: destinations without connections make room.
        if self.destinations.count >= 1024 {
            for (address, pool) in self.destinations where pool.isUnused { self.destinations[address] = nil }
        }
        let pool = EndpointPool(destination, cluster: self)
        self.destinations[destination] = pool
        return pool
    }

    /// The share of one loop in a cluster's limits, rounded up.
    private static func share(_ limits: ClusterLimits, _ worker: Worker) -> ClusterLimits {
        let loops = UInt32(clamping: worker.options.concurrency)
        func share(_ limit: UInt32) -> UInt32 { limit == .max ? limit : limit / loops + (limit % loops == 0 ? 0 : 1) }
        var own = limits
        own.connectionsMax = share(limits.connectionsMax)
        own.pendingRequestsMax = share(limits.pendingRequestsMax)
        own.requestsMax = share(limits.requestsMax)
        own.retriesMax = share(limits.retriesMax)
        return own
    }

    var statistics: ClusterStatistics {
        var statistics = ClusterStatistics()
        statistics.counts = self.counts
        statistics.durations = self.durations
        let known = zip(self.balancer.endpoints, self.pools)
        statistics.endpoints = known.map { endpoint, pool in
            EndpointStatistics(
                address: endpoint.address,
                weight: endpoint.weight,
                isHealthy: endpoint.isHealthy,
                counts: pool.counts
            )
        }
        statistics.endpoints += self.destinations.values.map {
            EndpointStatistics(address: $0.address, weight: 1, isHealthy: true, counts: $0.counts)
        }
        return statistics
    }
}

/// Waits for the first addresses of a DNS cluster.
protocol ClusterWaiter: AnyObject {
    func clusterReady()
}
