import MeshModel
import Testing
import TrafficEngine

@Suite struct EndpointLevelsTests {
    /// Endpoints of one priority each: `healthy` of `all`.
    private func level(
        _ priority: UInt32,
        healthy: Int,
        of all: Int,
        locality: Int = 0,
        weight: UInt32 = 0
    )
        -> [ClusterEndpoint]
    {
        (0..<all).map { index in
            ClusterEndpoint(
                address: NetworkAddress(ip: .v4(priority * 1000 + UInt32(locality) * 100 + UInt32(index)), port: 80),
                isHealthy: index < healthy,
                priority: priority,
                locality: locality,
                localityWeight: weight
            )
        }
    }

    private func share(_ balancer: inout LoadBalancer, of priority: UInt32) -> Int {
        (0..<1000).count { _ in balancer.pick().map { balancer.endpoints[$0].priority == priority } ?? false } / 10
    }

    @Test("The first level takes everything as long as enough of it is healthy")
    func first() {
        let endpoints = self.level(0, healthy: 8, of: 10) + self.level(1, healthy: 10, of: 10)
        var balancer = LoadBalancer(.random, endpoints: endpoints, seed: 1)

        #expect(self.share(&balancer, of: 0) == 100)
    }

    @Test("What the first level cannot take goes to the next")
    func failsOver() {
        let endpoints = self.level(0, healthy: 5, of: 10) + self.level(1, healthy: 10, of: 10)
        var balancer = LoadBalancer(.random, endpoints: endpoints, seed: 1)

        #expect((65...75).contains(self.share(&balancer, of: 0)))  // 1.4 × 50 %
    }

    @Test("Without any healthy endpoint of its own a level gets nothing")
    func empty() {
        let endpoints = self.level(0, healthy: 0, of: 3) + self.level(1, healthy: 1, of: 1)
        var balancer = LoadBalancer(.random, endpoints: endpoints, seed: 1)

        #expect(self.share(&balancer, of: 1) == 100)
    }

    @Test("Below the panic threshold all endpoints are used, with a threshold of 0 never")
    func panic() {
        let endpoints = self.level(0, healthy: 1, of: 4)
        var calm = LoadBalancer(.init(.random, panicThreshold: 0), endpoints: endpoints, seed: 1)
        var panicking = LoadBalancer(.init(.random, panicThreshold: 50), endpoints: endpoints, seed: 1)

        #expect(Set((0..<200).map { _ in calm.pick() }) == [0])
        #expect(Set((0..<200).map { _ in panicking.pick() }) == [0, 1, 2, 3])
    }

    @Test("Localities share by their weights; one without a weight gets nothing")
    func localities() {
        let endpoints =
            self.level(0, healthy: 2, of: 2, locality: 0, weight: 80)
            + self.level(0, healthy: 2, of: 2, locality: 1, weight: 20) + self.level(0, healthy: 2, of: 2, locality: 2)
        var balancer = LoadBalancer(.init(.random, weighsLocalities: true), endpoints: endpoints, seed: 1)

        var counts = [0, 0, 0]
        for _ in 0..<2000 { if let index = balancer.pick() { counts[balancer.endpoints[index].locality] += 1 } }

        #expect((1500...1700).contains(counts[0]) && (300...500).contains(counts[1]) && counts[2] == 0)
    }

    @Test("An endpoint that is left out gets nothing until it is taken in again")
    func ejected() {
        let endpoints = self.level(0, healthy: 3, of: 3)
        var balancer = LoadBalancer(.roundRobin, endpoints: endpoints, seed: 1)

        balancer.refresh { $0 == endpoints[1].address }
        let without = Set((0..<50).map { _ in balancer.pick() })
        balancer.refresh { _ in false }

        #expect(without == [0, 2])
        #expect(Set((0..<50).map { _ in balancer.pick() }) == [0, 1, 2])
    }
}
