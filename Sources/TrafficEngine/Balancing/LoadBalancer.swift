/// Chooses an endpoint for each attempt.
///
/// One per event loop and cluster: not shared, nothing locked. Endpoints that are not healthy are never chosen. A pick
/// allocates nothing; the lists that depend on the endpoints are rebuilt in `replace`.
package struct LoadBalancer: Sendable {
    package private(set) var endpoints: [ClusterEndpoint]
    private var requestsInFlight: [UInt32]
    private var choice: Choice
    private let balancing: Cluster.Balancing
    private var generator: SeededGenerator

    /// What the next pick is made from; indices are of `endpoints`.
    private enum Choice {
        case none
        case single(Int)
        case inTurn(healthy: [Int], next: Int)
        /// Turns in proportion to weights.
        case scheduled(TurnSchedule)
        case anyOf(healthy: [Int])
        /// Sums of weights, one for each healthy endpoint.
        case anyOfWeighted(healthy: [Int], sums: [UInt64])
        case lessBusy(healthy: [Int])
        case lessBusyWeighted(healthy: [Int], sums: [UInt64])
    }

    package init(_ balancing: Cluster.Balancing, endpoints: [ClusterEndpoint], seed: UInt64) {
        self.balancing = balancing
        self.endpoints = endpoints
        self.requestsInFlight = Array(repeating: 0, count: endpoints.count)
        self.generator = SeededGenerator(seed: seed)
        self.choice = .none
        self.choose()
    }

    /// The index of a healthy endpoint; `nil` if there is none.
    package mutating func pick() -> Int? {
        switch self.choice {
        case .none: return nil
        case .single(let index): return index
        case .inTurn(let healthy, let next):
            let index = healthy[next]
            self.choice = .inTurn(healthy: healthy, next: next + 1 == healthy.count ? 0 : next + 1)
            return index
        case .scheduled(var schedule):
            self.choice = .none  // moved out, so that the heap is changed in place
            let index = schedule.next()
            self.choice = .scheduled(schedule)
            return index
        case .anyOf(let healthy):
            return healthy[self.generator.below(healthy.count)]
        case .anyOfWeighted(let healthy, let sums):
            return healthy[Self.drawn(sums, &self.generator)]
        case .lessBusy(let healthy):
            let first = self.generator.below(healthy.count)
            // Another than the first: with two endpoints both are always looked at.
            let second = (first + 1 + self.generator.below(healthy.count - 1)) % healthy.count
            return self.lessBusy(healthy[first], healthy[second])
        case .lessBusyWeighted(let healthy, let sums):
            let first = Self.drawn(sums, &self.generator)
            let second = Self.drawn(sums, &self.generator)
            return self.lessBusy(healthy[first], healthy[second])
        }
    }

    /// A request (or a connection) was given to the endpoint at `index`.
    package mutating func began(_ index: Int) {
        guard self.requestsInFlight.indices.contains(index) else { return }
        self.requestsInFlight[index] &+= 1
    }

    /// It ended. Only for an index that was picked since the last `replace`; else say its address.
    package mutating func ended(_ index: Int) {
        guard self.requestsInFlight.indices.contains(index), self.requestsInFlight[index] > 0 else { return }
        self.requestsInFlight[index] -= 1
    }

    /// A request to `address` ended; right across a change of endpoints, and ignored if the address has gone.
    package mutating func ended(address: NetworkAddress) {
        guard let index = self.index(of: address) else { return }
        self.ended(index)
    }

    package func index(of address: NetworkAddress) -> Int? {
        self.endpoints.firstIndex { $0.address == address }
    }

    package func requestsInFlight(_ index: Int) -> Int { Int(self.requestsInFlight[index]) }

    /// Takes a new list; counts of requests in flight stay with their addresses.
    package mutating func replace(endpoints: [ClusterEndpoint]) {
        var counts: [NetworkAddress: UInt32] = [:]
        for (endpoint, count) in zip(self.endpoints, self.requestsInFlight) where count > 0 {
            counts[endpoint.address, default: 0] += count
        }
        self.endpoints = endpoints
        self.requestsInFlight = endpoints.map { counts.removeValue(forKey: $0.address) ?? 0 }
        self.choose()
    }

    private mutating func choose() {
        let healthy = self.endpoints.indices.filter { self.endpoints[$0].isHealthy }
        guard let first = healthy.first else {
            self.choice = .none
            return
        }
        guard healthy.count > 1 else {
            self.choice = .single(first)
            return
        }
        let weights = healthy.map { max(1, self.endpoints[$0].weight) }
        let isEven = weights.allSatisfy { $0 == weights[0] }
        switch self.balancing {
        case .roundRobin where isEven:
            // Start anywhere: loops and proxies that started together shall not all begin with the same endpoint.
            self.choice = .inTurn(healthy: healthy, next: self.generator.below(healthy.count))
        case .roundRobin:
            self.choice = .scheduled(TurnSchedule(indices: healthy, weights: weights, &self.generator))
        case .random:
            self.choice =
                isEven ? .anyOf(healthy: healthy) : .anyOfWeighted(healthy: healthy, sums: Self.sums(weights))
        case .leastRequest:
            self.choice =
                isEven ? .lessBusy(healthy: healthy) : .lessBusyWeighted(healthy: healthy, sums: Self.sums(weights))
        }
    }

    /// The one with fewer requests in flight for its weight; the first of equals, which was drawn by weight.
    private func lessBusy(_ first: Int, _ second: Int) -> Int {
        let loadOfFirst = UInt64(self.requestsInFlight[first]) &* UInt64(max(1, self.endpoints[second].weight))
        let loadOfSecond = UInt64(self.requestsInFlight[second]) &* UInt64(max(1, self.endpoints[first].weight))
        return loadOfSecond < loadOfFirst ? second : first
    }

    private static func sums(_ weights: [UInt32]) -> [UInt64] {
        var total: UInt64 = 0
        return weights.map { weight in
            total += UInt64(weight)
            return total
        }
    }

    /// A place among `sums` (at least one), by weight.
    private static func drawn(_ sums: [UInt64], _ generator: inout SeededGenerator) -> Int {
        let point = generator.below(sums[sums.count - 1])
        var low = 0
        var high = sums.count - 1
        while low < high {
            let middle = (low + high) / 2
            if point < sums[middle] { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
