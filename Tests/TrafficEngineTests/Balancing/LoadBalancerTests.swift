import MeshModel
import Testing
import TrafficEngine

@Suite struct LoadBalancerTests {
    private func endpoints(_ weights: UInt32..., unhealthy: Set<Int> = []) -> [ClusterEndpoint] {
        weights.enumerated().map { index, weight in
            ClusterEndpoint(
                address: NetworkAddress(ip: .v4(UInt32(index)), port: 80),
                weight: weight,
                isHealthy: !unhealthy.contains(index)
            )
        }
    }

    private func counts(_ balancer: inout LoadBalancer, _ picks: Int) -> [Int] {
        var counts = [Int](repeating: 0, count: balancer.endpoints.count)
        for _ in 0..<picks {
            if let index = balancer.pick() { counts[index] += 1 }
        }
        return counts
    }

    @Test("Round robin gives every endpoint its turn, wherever it starts", arguments: [1, 2, 3, 99])
    func roundRobin(_ seed: UInt64) {
        var balancer = LoadBalancer(.roundRobin, endpoints: self.endpoints(1, 1, 1), seed: seed)

        #expect(self.counts(&balancer, 300) == [100, 100, 100])
    }

    @Test("Weighted round robin follows the weights in every stretch")
    func weightedRoundRobin() {
        var balancer = LoadBalancer(.roundRobin, endpoints: self.endpoints(1, 2, 7), seed: 5)

        for _ in 0..<10 {
            let counts = self.counts(&balancer, 100)
            #expect(zip(counts, [10, 20, 70]).allSatisfy { abs($0 - $1) <= 1 })
        }
    }

    @Test("Unhealthy endpoints get nothing", arguments: [Cluster.Balancing.roundRobin, .leastRequest, .random])
    func skipsUnhealthy(_ balancing: Cluster.Balancing) {
        var balancer = LoadBalancer(balancing, endpoints: self.endpoints(1, 1, 1, unhealthy: [1]), seed: 1)

        let counts = self.counts(&balancer, 100)

        #expect(counts[1] == 0)
        #expect(counts[0] + counts[2] == 100)
    }

    @Test("Nothing healthy means nothing", arguments: [Cluster.Balancing.roundRobin, .leastRequest, .random])
    func none(_ balancing: Cluster.Balancing) {
        var empty = LoadBalancer(balancing, endpoints: [], seed: 1)
        var ill = LoadBalancer(balancing, endpoints: self.endpoints(1, 1, unhealthy: [0, 1]), seed: 1)

        #expect(empty.pick() == nil)
        #expect(ill.pick() == nil)
    }

    @Test("Of two endpoints the busier one gets nothing")
    func leastRequest() {
        var balancer = LoadBalancer(.leastRequest, endpoints: self.endpoints(1, 1), seed: 3)
        for _ in 0..<5 { balancer.began(0) }

        #expect(self.counts(&balancer, 50) == [0, 50])

        for _ in 0..<5 { balancer.ended(0) }
        #expect(self.counts(&balancer, 1000).allSatisfy { $0 > 400 })
    }

    @Test("Least request keeps counts in proportion to weights under load")
    func weightedLeastRequest() {
        var balancer = LoadBalancer(.leastRequest, endpoints: self.endpoints(1, 3), seed: 4)

        for _ in 0..<400 {
            if let index = balancer.pick() { balancer.began(index) }
        }

        #expect((80...120).contains(balancer.requestsInFlight(0)))
    }

    @Test("Random follows weights")
    func random() {
        var balancer = LoadBalancer(.random, endpoints: self.endpoints(1, 4), seed: 6)

        #expect((1800...2200).contains(self.counts(&balancer, 10_000)[0]))
    }

    @Test("Counts of requests in flight stay with their addresses when the list changes")
    func replace() {
        let all = self.endpoints(1, 1, 1)
        var balancer = LoadBalancer(.leastRequest, endpoints: all, seed: 7)
        balancer.began(2)

        balancer.replace(endpoints: [all[2], all[0]])

        #expect(balancer.requestsInFlight(0) == 1)
        #expect(self.counts(&balancer, 20) == [0, 20])
        balancer.ended(address: all[2].address)
        balancer.ended(address: all[1].address)
        #expect(balancer.requestsInFlight(0) == 0)
    }

    @Test("An end too many or for an unknown index does no harm")
    func tooManyEnds() {
        var balancer = LoadBalancer(.leastRequest, endpoints: self.endpoints(1), seed: 7)

        balancer.ended(0)
        balancer.ended(9)
        balancer.began(-1)

        #expect(balancer.requestsInFlight(0) == 0)
        #expect(balancer.pick() == 0)
    }
}
