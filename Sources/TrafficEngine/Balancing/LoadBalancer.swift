/// Chooses an endpoint for each attempt.
///
/// One per event loop and cluster: not shared, nothing locked. Endpoints that are not healthy are not chosen, unless so
/// many of them are not that all are used again (`panicThreshold`). A pick allocates nothing; the lists that depend on
/// the endpoints are rebuilt in `replace` and `refresh`.
package struct LoadBalancer: Sendable {
    package private(set) var endpoints: [ClusterEndpoint]
    private var requestsInFlight: [UInt32]
    private var groups: [Group] = []
    /// Sums of the shares of `groups`, the last is the whole; empty with one group.
    private var shares: [Double] = []
    /// Endpoints that are left out for a while.
    private var ejected: Set<NetworkAddress> = []
    private let options: Options
    private var generator: SeededGenerator

    package struct Options: Hashable, Sendable {
        package var balancing: Cluster.Balancing
        /// Percent; below it all endpoints of a level are used. 0: never.
        package var panicThreshold: Double
        package var weighsLocalities: Bool

        package init(
            _ balancing: Cluster.Balancing,
            panicThreshold: Double = 0,
            weighsLocalities: Bool = false
        ) {
            self.balancing = balancing
            self.panicThreshold = panicThreshold
            self.weighsLocalities = weighsLocalities
        }
    }

    /// Endpoints among which the algorithm chooses: those of one locality of one level of priority, or all.
    private struct Group {
        var choice: Choice
        var hashes: HashTable?
    }

    /// What the next pick is made from; indices are of `endpoints`.
    private enum Choice {
        case single(Int)
        case inTurn(healthy: [Int], next: Int)
        /// Turns in proportion to weights.
        case scheduled(TurnSchedule)
        case anyOf(healthy: [Int])
        /// Sums of weights, one for each healthy endpoint.
        case anyOfWeighted(healthy: [Int], sums: [UInt64])
        case lessBusy(healthy: [Int])
        case lessBusyWeighted(healthy: [Int], sums: [UInt64])
        /// Being changed.
        case none
    }

    package init(_ balancing: Cluster.Balancing, endpoints: [ClusterEndpoint], seed: UInt64) {
        self.init(Options(balancing), endpoints: endpoints, seed: seed)
    }

    package init(_ options: Options, endpoints: [ClusterEndpoint], seed: UInt64) {
        self.options = options
        self.endpoints = endpoints
        self.requestsInFlight = Array(repeating: 0, count: endpoints.count)
        self.generator = SeededGenerator(seed: seed)
        self.choose()
    }

    /// Whether picks go by a hash.
    package var wantsHash: Bool {
        switch self.options.balancing {
        case .ring, .maglev: true
        case .roundRobin, .leastRequest, .random: false
        }
    }

    /// Picks an endpoint that may be used.
    ///
    /// - Parameters:
    ///   - hash: of the request's key, for algorithms that go by one; `nil` picks at random.
    ///   - attempt: 0 for the first; a retry with the same hash goes elsewhere.
    /// - Returns: an index of `endpoints`; `nil` if none may be used.
    package mutating func pick(hash: UInt64? = nil, attempt: Int = 0) -> Int? {
        guard !self.groups.isEmpty else { return nil }
        let group = self.shares.isEmpty ? 0 : self.drawnGroup(hash)
        if let hash, let table = self.groups[group].hashes { return table.index(of: hash, attempt: attempt) }
        return self.pick(in: group)
    }

    private mutating func pick(in group: Int) -> Int? {
        switch self.groups[group].choice {
        case .none: return nil
        case .single(let index): return index
        case .inTurn(let healthy, let next):
            let index = healthy[next]
            self.groups[group].choice = .inTurn(healthy: healthy, next: next + 1 == healthy.count ? 0 : next + 1)
            return index
        case .scheduled(var schedule):
            self.groups[group].choice = .none  // moved out, so that the heap is changed in place
            let index = schedule.next()
            self.groups[group].choice = .scheduled(schedule)
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

    /// A group by its share; with a hash the same key stays in the same group.
    private mutating func drawnGroup(_ hash: UInt64?) -> Int {
        let number = hash ?? self.generator.next()
        let point = Double(number >> 11) / Double(UInt64(1) << 53) * (self.shares.last ?? 1)
        return self.shares.firstIndex { point < $0 } ?? self.shares.count - 1
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

    /// Leaves out the endpoints for which `isEjected` holds, and takes the others in again.
    package mutating func refresh(isEjected: (NetworkAddress) -> Bool) {
        self.ejected = Set(self.endpoints.map(\.address).filter(isEjected))
        self.choose()
    }

    private mutating func choose() {
        let levels = EndpointLevels(
            self.endpoints,
            panicThreshold: self.options.panicThreshold,
            weighsLocalities: self.options.weighsLocalities,
            isUsable: { self.endpoints[$0].isHealthy && !self.ejected.contains(self.endpoints[$0].address) }
        ).levels
        self.groups = []
        self.shares = []
        var sum = 0.0
        for level in levels {
            let whole = level.groups.reduce(0) { $0 + $1.weight }
            for group in level.groups where whole > 0 {
                self.groups.append(self.group(of: group.members))
                sum += level.load * group.weight / whole
                self.shares.append(sum)
            }
        }
        if self.groups.count <= 1 { self.shares = [] }
    }

    private mutating func group(of healthy: [Int]) -> Group {
        let hashes = healthy.count > 1 ? self.hashTable(healthy) : nil
        guard healthy.count > 1 else { return Group(choice: healthy.first.map { .single($0) } ?? .none) }
        let weights = healthy.map { max(1, self.endpoints[$0].weight) }
        let isEven = weights.allSatisfy { $0 == weights[0] }
        let choice: Choice
        switch self.options.balancing {
        case .roundRobin where isEven:
            // Start anywhere: loops and proxies that started together shall not all begin with the same endpoint.
            choice = .inTurn(healthy: healthy, next: self.generator.below(healthy.count))
        case .roundRobin:
            choice = .scheduled(TurnSchedule(indices: healthy, weights: weights, &self.generator))
        case .random, .ring, .maglev:
            choice = isEven ? .anyOf(healthy: healthy) : .anyOfWeighted(healthy: healthy, sums: Self.sums(weights))
        case .leastRequest:
            choice =
                isEven ? .lessBusy(healthy: healthy) : .lessBusyWeighted(healthy: healthy, sums: Self.sums(weights))
        }
        return Group(choice: choice, hashes: hashes)
    }

    private func hashTable(_ healthy: [Int]) -> HashTable? {
        let members = healthy.map { index in
            HashTable.Member(
                key: Array(self.endpoints[index].address.description.utf8),
                weight: self.endpoints[index].weight,
                index: index
            )
        }
        switch self.options.balancing {
        case .ring(let sizeMin, let sizeMax): return HashTable(ring: members, sizeMin: sizeMin, sizeMax: sizeMax)
        case .maglev(let tableSize): return HashTable(maglev: members, size: tableSize)
        case .roundRobin, .leastRequest, .random: return nil
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
