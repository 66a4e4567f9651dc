import MeshModel
import MeshTranslate
import SwiftProtobuf
import Testing
import XDSAPI

@Suite struct PolicyTests {
    private static let reviews = "reviews.default.svc.cluster.local"

    @Test("The client's namespace has the last word on policy, then the service's, then the root's")
    func namespaceOrder() throws {
        var mesh = try GoldenTests.bookinfoMesh()
        try mesh.policy(for: Self.reviews, namespace: "istio-system", self.balancing(.random))
        #expect(try self.cluster(in: mesh, client: "shop").lbPolicy == .random)

        try mesh.policy(for: Self.reviews, namespace: "default", self.balancing(.roundRobin))
        #expect(try self.cluster(in: mesh, client: "shop").lbPolicy == .roundRobin)

        try mesh.policy(for: Self.reviews, namespace: "shop", self.balancing(.leastRequest))
        #expect(try self.cluster(in: mesh, client: "shop").lbPolicy == .leastRequest)
        #expect(try self.cluster(in: mesh, client: "default").lbPolicy == .roundRobin)
    }

    @Test("Settings of a port replace all others; those of a subset replace block by block")
    func overlay() throws {
        var mesh = try GoldenTests.bookinfoMesh()
        var top = self.balancing(.random)
        top.connectionsMax = 7
        var own = TrafficPolicy()
        own.loadBalancing = .roundRobin
        try mesh.policy(
            for: Self.reviews,
            top,
            subsets: [DestinationPolicy.Subset(name: "v1", labels: ["version": "v1"], policy: own)]
        )

        let subset = try self.cluster(in: mesh, subset: "v1")

        #expect(subset.lbPolicy == .roundRobin)
        #expect(subset.circuitBreakers.thresholds[0].maxConnections.value == 7)

        var byPort = TrafficPolicy()
        byPort.connectTimeout = .seconds(3)
        top.ports = [try port(9080): byPort]
        mesh = try GoldenTests.bookinfoMesh()
        try mesh.policy(for: Self.reviews, top)
        let whole = try self.cluster(in: mesh)
        #expect(whole.connectTimeout.seconds == 3)
        #expect(whole.lbPolicy == .leastRequest)
        #expect(whole.circuitBreakers.thresholds[0].maxConnections.value == .max)
    }

    @Test("A subset's endpoints are those with its labels")
    func subsetEndpoints() throws {
        var mesh = try GoldenTests.bookinfoMesh()
        try mesh.policy(
            for: Self.reviews,
            subsets: [DestinationPolicy.Subset(name: "v3", labels: ["version": "v3"])]
        )

        let assignments = try mesh.resources().endpoints

        let subset = try #require(assignments.first { $0.clusterName == "outbound|9080|v3|\(Self.reviews)" })
        #expect(
            subset.endpoints.flatMap(\.lbEndpoints).map(\.endpoint.address.socketAddress.address) == ["10.213.1.13"]
        )
    }

    private func balancing(_ balancing: LoadBalancing) -> TrafficPolicy {
        var policy = TrafficPolicy()
        policy.loadBalancing = balancing
        return policy
    }

    private func cluster(
        in mesh: MeshBuilder,
        client namespace: String = "default",
        subset: String = ""
    ) throws -> Envoy_Config_Cluster_V3_Cluster {
        try #require(
            try mesh.resources(namespace: namespace).clusters.first {
                $0.name == "outbound|9080|\(subset)|\(Self.reviews)"
            }
        )
    }
}
