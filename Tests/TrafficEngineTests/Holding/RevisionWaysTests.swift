import MeshModel
import Testing
import TrafficEngine

@Suite struct RevisionWaysTests {
    private let revision = ObjectID(namespace: "default", name: "hello-00001")

    private func endpoint(_ number: UInt32, isHealthy: Bool = true, transport: Int = 0) -> ClusterEndpoint {
        ClusterEndpoint(
            address: NetworkAddress(ip: .v4(0x0A00_0000 + number), port: 8080),
            isHealthy: isHealthy,
            transport: transport
        )
    }

    private func pod(_ number: UInt32) -> RevisionPod { RevisionPod(ip: .v4(0x0A00_0000 + number)) }

    private func add(
        _ endpoints: [ClusterEndpoint],
        _ index: Int = 0,
        concurrency: Int = 0,
        asksPods: Bool = true,
        to ways: inout RevisionWays
    ) {
        let activation = RevisionActivation(revision: self.revision, concurrencyMax: concurrency, asksPods: asksPods)
        let cluster = Cluster(
            id: ClusterID(index: index),
            name: "\(index)",
            discovery: .endpoints(endpoints),
            transports: [nil, ClientTLS(validation: PeerValidation(roots: .inline([])))],
            activation: activation
        )
        ways.add(cluster, activation)
    }

    @Test("Ways are the same if they are the same clusters, and not if these are alike")
    func same() {
        func cluster() -> (Cluster, RevisionActivation) {
            let activation = RevisionActivation(revision: self.revision, concurrencyMax: 0)
            return (
                Cluster(id: ClusterID(index: 0), name: "0", discovery: .endpoints([]), activation: activation),
                activation
            )
        }
        let one = cluster()
        let another = cluster()
        func ways(_ clusters: (Cluster, RevisionActivation)...) -> RevisionWays {
            clusters.reduce(into: RevisionWays()) { $0.add($1.0, $1.1) }
        }

        #expect(ways(one, another).isSame(as: ways(one, another)))
        #expect(!ways(one).isSame(as: ways(another)))
        #expect(!ways(one).isSame(as: ways(one, another)))
        #expect(!ways(one).isSame(as: RevisionWays()))
    }

    @Test("Pods that are not ready are asked if that says something: not behind TLS, and not if nobody said so")
    func pods() {
        var ways = RevisionWays()
        self.add([self.endpoint(1), self.endpoint(2, isHealthy: false)], to: &ways)
        self.add([self.endpoint(3, isHealthy: false, transport: 1)], 1, to: &ways)
        self.add([self.endpoint(4, isHealthy: false)], 2, asksPods: false, to: &ways)

        #expect(ways.pods.ready == [self.pod(1)])
        #expect(ways.pods.others == [self.pod(2): self.endpoint(2).address])
    }

    @Test("A pod is found where the way says that requests take")
    func address() {
        var ways = RevisionWays()
        let other = ClusterEndpoint(address: NetworkAddress(ip: .v4(0x0A00_0001), port: 9090))
        self.add([self.endpoint(1)], to: &ways)
        self.add([self.endpoint(2), other], 1, to: &ways)

        #expect(ways.address(of: self.pod(1), by: ClusterID(index: 0)) == self.endpoint(1).address)
        #expect(ways.address(of: self.pod(1), by: ClusterID(index: 1)) == other.address)
        #expect(ways.address(of: self.pod(2), by: ClusterID(index: 0)) == nil)
        #expect(ways.address(of: self.pod(1), by: ClusterID(index: 2)) == nil)
    }

    @Test("A pod that one way calls ready is ready")
    func readyOnce() {
        var ways = RevisionWays()
        self.add([self.endpoint(1, isHealthy: false)], to: &ways)
        self.add([self.endpoint(1)], 1, to: &ways)

        #expect(ways.pods.ready == [self.pod(1)])
        #expect(ways.pods.others.isEmpty)
    }

    @Test("Of several limits the lowest holds; none at all is no limit", arguments: [([0, 0], 0), ([7, 0, 5], 5)])
    func limit(limits: [Int], expected: Int) {
        var ways = RevisionWays()
        for (index, limit) in limits.enumerated() { self.add([], index, concurrency: limit, to: &ways) }

        #expect(ways.concurrencyMax == expected)
    }

    @Test("All ports of the pod that the proxy is in have the same places, wherever they lead")
    func ownPod() {
        var ways = RevisionWays()
        let activation = RevisionActivation(revision: self.revision, concurrencyMax: 3, side: .pod)
        for (index, discovery) in [Cluster.Discovery.originalDestination, .endpoints([self.endpoint(1)])].enumerated() {
            let cluster = Cluster(
                id: ClusterID(index: index),
                name: "\(index)",
                discovery: discovery,
                activation: activation
            )
            ways.add(cluster, activation)
        }

        #expect(
            ways.shares(answering: []).mapValues { $0.map(\.pod) } == [
                ClusterID(index: 0): [.own], ClusterID(index: 1): [.own],
            ]
        )
        #expect(ways.pods.ready.isEmpty && ways.pods.others.isEmpty)
        #expect(ways.concurrencyMax == 3)
    }

    @Test("Each way has its own pods, with those that answer")
    func shares() {
        var ways = RevisionWays()
        self.add([self.endpoint(1), self.endpoint(2, isHealthy: false)], to: &ways)
        self.add([], 1, to: &ways)

        func pods(_ answering: Set<RevisionPod>) -> [ClusterID: [RevisionPod]] {
            ways.shares(answering: answering).mapValues { $0.map(\.pod) }
        }
        #expect(pods([]) == [ClusterID(index: 0): [self.pod(1)], ClusterID(index: 1): []])
        #expect(pods([self.pod(2)])[ClusterID(index: 0)] == [self.pod(1), self.pod(2)])
    }
}
