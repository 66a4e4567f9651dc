import MeshModel
import Testing
import TrafficEngine

@Suite struct PodShareTests {
    private func endpoint(
        _ number: UInt32,
        port: UInt16 = 8080,
        weight: UInt32 = 1,
        isHealthy: Bool = true,
        priority: UInt32 = 0,
        locality: Int = 0,
        localityWeight: UInt32 = 0
    ) -> ClusterEndpoint {
        ClusterEndpoint(
            address: NetworkAddress(ip: .v4(0x0A00_0000 + number), port: port),
            weight: weight,
            isHealthy: isHealthy,
            priority: priority,
            locality: locality,
            localityWeight: localityWeight
        )
    }

    private func shares(
        _ endpoints: [ClusterEndpoint],
        weighsLocalities: Bool = false,
        asksPods: Bool = false,
        answering: [RevisionPod] = []
    ) -> [UInt32: Double] {
        let cluster = Cluster(
            id: ClusterID(index: 0),
            name: "hello",
            discovery: .endpoints(endpoints),
            weighsLocalities: weighsLocalities,
            activation: RevisionActivation(
                revision: ObjectID(namespace: "default", name: "hello-00001"),
                concurrencyMax: 0,
                asksPods: asksPods
            )
        )
        return PodShare.shares(of: cluster, answering: Set(answering)).reduce(into: [:]) { shares, share in
            guard case .v4(let bits) = share.pod.ip else { return }
            shares[bits & 0xFF] = share.weight
        }
    }

    @Test("Pods share by weight; one that is not ready has no part, however few are")
    func weights() {
        #expect(self.shares([self.endpoint(1), self.endpoint(2, weight: 3)]) == [1: 25, 2: 75])
        #expect(self.shares([self.endpoint(1), self.endpoint(2, isHealthy: false)]) == [1: 100])
        #expect(self.shares([self.endpoint(1, isHealthy: false)]) == [:])
        #expect(self.shares([]) == [:])
    }

    @Test("Pods of the next level of priority are used when too few of the first are ready")
    func levels() {
        let first = [self.endpoint(1), self.endpoint(2)]
        #expect(self.shares(first + [self.endpoint(3, priority: 1)]) == [1: 50, 2: 50])

        let ill = [self.endpoint(1, isHealthy: false), self.endpoint(3, priority: 1)]
        #expect(self.shares(ill) == [3: 100])
    }

    @Test("Pods that start do not make their level look broken, and have their part once they have answered")
    func starting() {
        let starting = [self.endpoint(2, isHealthy: false), self.endpoint(3, isHealthy: false)]
        let endpoints = [self.endpoint(1)] + starting + [self.endpoint(4, priority: 1)]
        #expect(self.shares(endpoints, asksPods: true) == [1: 100])
        #expect(self.shares(endpoints)[4] ?? 0 > 0)

        let pods = PodShare.pods(of: endpoints)
        #expect(self.shares(endpoints, asksPods: true, answering: [pods[1]]) == [1: 50, 2: 50])
        #expect(self.shares(starting, asksPods: true, answering: [pods[1], pods[2]]) == [2: 50, 3: 50])
    }

    @Test("Localities have their weights, and those without one nothing")
    func localities() {
        let endpoints = [
            self.endpoint(1, locality: 0, localityWeight: 80), self.endpoint(2, locality: 1, localityWeight: 20),
            self.endpoint(3, locality: 1, localityWeight: 20), self.endpoint(4, locality: 2),
        ]
        #expect(self.shares(endpoints, weighsLocalities: true) == [1: 80, 2: 10, 3: 10])
    }

    @Test("Ports of one address in a cluster are programs of their own; one pod has the same name in all clusters")
    func names() {
        let pods = PodShare.pods(of: [self.endpoint(1, port: 1), self.endpoint(2, port: 1), self.endpoint(1, port: 2)])
        #expect(pods.map(\.number) == [0, 0, 1])

        let others = PodShare.pods(of: [self.endpoint(2, port: 9090), self.endpoint(1, port: 9090)])
        #expect(others == [pods[1], pods[0]])
    }

    @Test("Clusters whose endpoints are not known here have no pods")
    func otherDiscovery() {
        let cluster = Cluster(id: ClusterID(index: 0), name: "any", discovery: .originalDestination)
        #expect(PodShare.shares(of: cluster).isEmpty)
    }
}
