import KubernetesAPI
import LocalPlatform
import Testing

@Suite struct LoadBalancerPlanTests {
    private func service(_ name: String, type: String = "LoadBalancer", address: String? = nil) -> KubernetesObject {
        var service = KubernetesObject(.services, namespace: "default", name: name)
        service.spec = ["type": .string(type), "clusterIP": "10.214.0.7"]
        if let address { service.status = ["loadBalancer": ["ingress": [["ip": .string(address)]]]] }
        return service
    }

    private func changes(_ services: [KubernetesObject], range: String = "10.216.1.0/24") -> [String] {
        LoadBalancerPlan(services: services, range: range).changes.map { "\($0.service.name) \($0.address ?? "none")" }
    }

    @Test("A load balancer gets the first free address and keeps the one that it has")
    func given() {
        #expect(self.changes([self.service("a"), self.service("b", address: "10.216.1.1")]) == ["a 10.216.1.2"])
        #expect(self.changes([self.service("b", address: "10.216.1.1")]) == [])
    }

    @Test("Of two with one address the second gets another, and so does one from elsewhere")
    func conflict() {
        #expect(
            self.changes([self.service("a", address: "10.216.1.1"), self.service("b", address: "10.216.1.1")])
                == ["b 10.216.1.2"]
        )
        #expect(self.changes([self.service("a", address: "10.216.9.1")]) == ["a 10.216.1.1"])
    }

    @Test("Other services have none, and lose it when they are changed to be others")
    func others() {
        #expect(self.changes([self.service("a", type: "ClusterIP")]) == [])
        #expect(self.changes([self.service("a", type: "ClusterIP", address: "10.216.1.1")]) == ["a none"])
    }

    @Test("When all addresses are taken, the last come away empty-handed")
    func full() {
        let plan = LoadBalancerPlan(
            services: ["a", "b", "c"].map { self.service($0) },
            range: "10.216.1.0/30"
        )

        #expect(plan.changes.map(\.address) == ["10.216.1.1", "10.216.1.2"])
        #expect(plan.unserved == ["default/c"])
    }
}
