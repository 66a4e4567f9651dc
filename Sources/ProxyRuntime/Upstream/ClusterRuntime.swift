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
    private(set) var balancer: LoadBalancer
    /// Leaves failing endpoints out; `nil`: the cluster does not ask for it.
    private var outliers: OutlierWatch?
    /// In the order of the balancer's endpoints.
    private var pools: [EndpointPool] = []
    /// The pools of a cluster that has a room, by what places are in.
    private var pods: [RevisionPod: EndpointPool] = [:]
    /// Pools of original destinations, made when they are first asked for.
    private var destinations: [DestinationKey: EndpointPool] = [:]
    /// Original destinations that stand for names; `nil`: nobody has dialled one.
    private var named: NamedDestinations?
    /// What the names of a DNS cluster stood for last; `nil`: not looked up yet.
    private var resolved: [ClusterEndpoint]?
    /// Requests and connections that wait for the first answer of a DNS cluster.
    private var waiters: [any ClusterWaiter] = []
    /// Where requests wait while there is no endpoint that can take them, or the proxy's own pod cannot; `nil`: they do not.
    private(set) var room: WaitingRoom?
    /// A limit that holds for all loops, divided by their number.
    private(set) var limits: ClusterLimits

    init(_ cluster: Cluster, worker: Worker) {
        self.cluster = cluster
        self.worker = worker
        self.limits = Self.share(cluster.limits, worker)
        self.balancer = LoadBalancer(Self.options(cluster), endpoints: [], seed: worker.random())
        self.outliers = cluster.outlierDetection.map { OutlierWatch($0, worker: worker) }
        self.outliers?.onReturn = { [weak self] in self?.refreshBalancer() }
        self.room = worker.rooms.room(of: cluster, on: worker.loop)
        self.useEndpoints()
    }

    private static func options(_ cluster: Cluster) -> LoadBalancer.Options {
        LoadBalancer.Options(
            cluster.balancing,
            panicThreshold: cluster.panicThreshold,
            weighsLocalities: cluster.weighsLocalities
        )
    }

    /// An attempt at an endpoint has ended like this.
    func judge(_ pool: EndpointPool, _ outcome: OutlierDetector.Outcome) {
        guard let outliers = self.outliers, outliers.ended(pool.address, outcome) else { return }
        self.counts.endpointsEjected += 1
        self.refreshBalancer()
    }

    private func refreshBalancer() {
        guard let outliers = self.outliers else { return }
        self.balancer.refresh { outliers.isEjected($0) }
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
        self.room = self.worker.rooms.room(of: cluster, on: self.worker.loop)
        if Self.options(old) != Self.options(cluster) {
            self.balancer = LoadBalancer(
                Self.options(cluster),
                endpoints: self.balancer.endpoints,
                seed: self.worker.random()
            )
        }
        if old.outlierDetection != cluster.outlierDetection {
            self.outliers?.stop()
            self.outliers = cluster.outlierDetection.map { OutlierWatch($0, worker: self.worker) }
            self.outliers?.onReturn = { [weak self] in self?.refreshBalancer() }
        }
        if old.transports != cluster.transports { self.forgetPools() }
        if case .dns = cluster.discovery, case .dns = old.discovery, old.discovery == cluster.discovery {
            if self.pools.isEmpty { self.useEndpoints() }
            return
        }
        if case .dns = cluster.discovery { self.resolved = nil }
        self.useEndpoints()
        guard !self.isEmpty, !self.waiters.isEmpty else { return }
        // Not before the loop has all of the new state.
        self.worker.loop.assumeIsolated().execute { [weak self] in self?.wakeWaiters() }
    }

    /// It is told its endpoints, and there are none.
    var isEmpty: Bool {
        if case .endpoints = self.cluster.discovery { self.balancer.endpoints.isEmpty } else { false }
    }

    private func wakeWaiters() {
        let waiters = self.waiters
        self.waiters.removeAll()
        for waiter in waiters { waiter.clusterReady() }
    }

    /// The cluster has gone: idle connections are closed, the others may finish.
    func retire() {
        self.forgetPools()
        self.pods = [:]
        self.room = nil
        self.outliers?.stop()
        self.outliers = nil
        self.balancer.replace(endpoints: [])
        self.named?.retire()
        self.named = nil
        self.wakeWaiters()
    }

    /// Connections that are secured otherwise than the cluster says now must not carry another request.
    private func forgetPools() {
        for pool in self.pools { pool.retire() }
        for pool in self.destinations.values { pool.retire() }
        self.pools.removeAll()
        self.destinations.removeAll()
    }

    /// Names of a DNS cluster were looked up; an empty answer leaves the last good one in place, unless a server said
    /// that there is none.
    func resolved(_ endpoints: [ClusterEndpoint], isDenied: Bool) {
        if !endpoints.isEmpty || isDenied || self.resolved == nil {
            self.resolved = endpoints
            self.useEndpoints()
        }
        self.wakeWaiters()
    }

    private func useEndpoints() {
        let endpoints: [ClusterEndpoint]
        switch self.cluster.discovery {
        case .endpoints(let list): endpoints = list
        case .dns: endpoints = self.resolved ?? []
        case .originalDestination: endpoints = []
        }
        self.outliers?.replace(endpoints)
        self.balancer.replace(endpoints: endpoints)
        self.refreshBalancer()
        var old: [PoolKey: EndpointPool] = [:]
        for pool in self.pools { old[PoolKey(address: pool.address, transport: pool.transport)] = pool }
        self.pools = endpoints.enumerated().map { index, endpoint in
            let key = PoolKey(address: endpoint.address, transport: endpoint.transport)
            let pool =
                old.removeValue(forKey: key)
                ?? EndpointPool(
                    endpoint.address,
                    transport: endpoint.transport,
                    hostname: endpoint.hostname,
                    cluster: self
                )
            pool.index = index
            return pool
        }
        for pool in old.values { pool.retire() }
        self.pods = [:]
        guard self.room != nil else { return }
        for (pod, pool) in zip(PodShare.pods(of: endpoints), self.pools) { self.pods[pod] = pool }
    }

    /// Where a place leads; `nil`: this loop does not know the pod, or leaves it out for a while.
    func pool(of place: PodPlaces.Place) -> EndpointPool? {
        guard let pool = self.pods[place.pod], !(self.outliers?.isEjected(pool.address) ?? false) else { return nil }
        return pool
    }

    /// The pod that a key belongs to, in clusters that keep a key with an endpoint.
    func preferredPod(hash: UInt64?) -> RevisionPod? {
        guard let hash, let index = self.balancer.pick(hash: hash) else { return nil }
        let pool = self.pools[index]
        return self.pods.first { $0.value === pool }?.key
    }

    enum Choice {
        case pool(EndpointPool)
        case failed(EndReason)
        /// A DNS cluster whose first answer has not come; `wait` for it.
        case unresolved
    }

    /// An endpoint for one attempt. A retry goes elsewhere than the attempt before if it can. `hash`: of the request's
    /// key, for clusters that keep a key with an endpoint.
    func choose(for client: ClientFacts, avoiding previous: EndpointPool? = nil, hash: UInt64? = nil) -> Choice {
        if self.isOriginalDestination {
            // It would connect to the very listener that the client came in by, for ever (facts #62).
            guard client.isRedirected else { return .failed(.loopDetected) }
            if let name = client.mintedName { return self.choose(name, port: client.destination.port) }
            return .pool(self.pool(of: DestinationKey(address: client.destination, name: nil)))
        }
        for attempt in 0..<3 {
            guard let index = self.balancer.pick(hash: hash, attempt: attempt) else { break }
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

    /// The client dialled an address that the proxy gave to this name.
    private func choose(_ name: String, port: UInt16) -> Choice {
        let named = self.named ?? NamedDestinations(worker: self.worker)
        self.named = named
        switch named.choose(name) {
        case .address(let ip):
            return .pool(self.pool(of: DestinationKey(address: NetworkAddress(ip: ip, port: port), name: name)))
        case .unresolved: return .unresolved
        case .none:
            self.counts.noneHealthy += 1
            return .failed(.upstreamNameUnresolved)
        }
    }

    func wait(_ waiter: any ClusterWaiter, for client: ClientFacts) {
        if let name = client.mintedName, let named = self.named, self.isOriginalDestination {
            named.wait(waiter, for: name)
        } else {
            self.waiters.append(waiter)
        }
    }

    func stopWaiting(_ waiter: any ClusterWaiter, for client: ClientFacts) {
        if let name = client.mintedName { self.named?.stopWaiting(waiter, for: name) }
        self.waiters.removeAll { $0 === waiter }
    }

    func began(_ pool: EndpointPool) { if pool.index >= 0 { self.balancer.began(pool.index) } }

    func ended(_ pool: EndpointPool) { if pool.index >= 0 { self.balancer.ended(pool.index) } }

    /// Whether one more exchange may be tried again.
    var mayRetry: Bool {
        if let budget = self.limits.retryBudget {
            return budget.allowsAnother(besides: self.retriesActive, requests: self.counts.requestsActive)
        }
        return self.limits.retriesMax == .max || self.retriesActive < Int(self.limits.retriesMax)
    }

    /// Whether one more connection may be opened; `isFirst`: the endpoint has none yet, and one is always allowed.
    func mayConnect(isFirst: Bool) -> Bool {
        if isFirst || self.limits.connectionsMax == .max { return true }
        if self.counts.connectionsActive + self.connecting < Int(self.limits.connectionsMax) { return true }
        self.counts.connectionsOverflowed += 1
        return false
    }

    private func pool(of destination: DestinationKey) -> EndpointPool {
        if let pool = self.destinations[destination] { return pool }
        // Bounded: destinations without connections make room.
        if self.destinations.count >= 1024 {
            for (key, pool) in self.destinations where pool.isUnused { self.destinations[key] = nil }
        }
        // No mark is known of an address that was dialled: what has none uses the last transport.
        let pool = EndpointPool(
            destination.address,
            transport: self.cluster.transports.count - 1,
            hostname: destination.name,
            cluster: self
        )
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
        if let budget = limits.retryBudget { own.retryBudget?.concurrencyMin = share(budget.concurrencyMin) }
        return own
    }

    /// Endpoints that may be used, or any if none may, in their order from a random one on.
    ///
    /// Looks at the endpoints twice and copies only what it returns.
    func usableEndpoints(max countMax: Int, from random: UInt64) -> [ServiceEndpoint] {
        let endpoints = self.balancer.endpoints
        let healthyCount = endpoints.reduce(0) { $0 + (self.isUsable($1) ? 1 : 0) }
        let count = healthyCount > 0 ? healthyCount : endpoints.count
        guard count > 0 else { return [] }
        let start = Int(random % UInt64(count))
        let wanted = min(count, countMax)
        var found: [ServiceEndpoint] = []
        // Those that come around to the start again stand behind the others.
        var early: [ServiceEndpoint] = []
        var number = 0
        for endpoint in endpoints where healthyCount == 0 || self.isUsable(endpoint) {
            if number >= start {
                found.append(self.service(at: endpoint))
            } else if number < start + wanted - count {
                early.append(self.service(at: endpoint))
            }
            number += 1
            if found.count == wanted { return found }
        }
        return found + early
    }

    private func service(at endpoint: ClusterEndpoint) -> ServiceEndpoint {
        ServiceEndpoint(
            address: endpoint.address,
            cluster: self.cluster.id,
            transport: endpoint.transport,
            hostname: endpoint.hostname
        )
    }

    private func isUsable(_ endpoint: ClusterEndpoint) -> Bool {
        endpoint.isHealthy && !(self.outliers?.isEjected(endpoint.address) ?? false)
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
                isHealthy: self.isUsable(endpoint),
                counts: pool.counts
            )
        }
        statistics.endpoints += self.destinations.values.map {
            EndpointStatistics(address: $0.address, weight: 1, isHealthy: true, counts: $0.counts)
        }
        return statistics
    }
}

/// What tells pools of a cluster apart.
struct PoolKey: Hashable {
    var address: NetworkAddress
    var transport: Int
}

/// What tells pools of original destinations apart: two names may be at one address, and TLS tells them apart.
private struct DestinationKey: Hashable {
    var address: NetworkAddress
    /// `nil`: the address itself was meant.
    var name: String?
}

/// Waits for the first addresses of a DNS cluster.
protocol ClusterWaiter: AnyObject {
    func clusterReady()
}
