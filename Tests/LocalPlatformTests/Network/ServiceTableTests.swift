import DNSProxy
import KubernetesAPI
import LocalPlatform
import MeshModel
import Testing

@Suite struct ServiceTableTests {
    private let service = KubernetesObject(json: [
        "metadata": ["name": "web", "namespace": "shop", "uid": "s"],
        "spec": [
            "clusterIP": "10.214.0.7", "selector": ["app": "web"],
            "ports": [
                ["name": "http", "port": 80, "targetPort": "page", "nodePort": 30080],
                ["name": "dns", "port": 53, "protocol": "UDP"],
            ],
        ],
    ])

    private func pod(_ name: String, _ address: String, ready: Bool, leaving: Bool = false) -> KubernetesObject {
        var pod = KubernetesObject(json: [
            "metadata": ["name": .string(name), "namespace": "shop", "uid": .string(name), "labels": ["app": "web"]],
            "spec": ["containers": [["name": "c", "ports": [["name": "page", "containerPort": 8080]]]]],
            "status": [
                "phase": "Running", "podIP": .string(address),
                "conditions": [["type": "Ready", "status": ready ? "True" : "False"]],
            ],
        ])
        if leaving { pod.deletionTimestamp = "2018-07-01T10:00:00Z" }
        return pod
    }

    @Test("Ready pods become endpoints at the port that they name, and routes lead to them")
    func endpoints() throws {
        let plan = EndpointPlan(
            service: self.service,
            pods: [
                self.pod("b", "10.213.1.2", ready: true), self.pod("a", "10.213.1.1", ready: true),
                self.pod("c", "10.213.1.3", ready: false),
                self.pod("d", "10.213.1.4", ready: true, leaving: true),
            ]
        )
        let slice = try #require(plan.slices.first)
        let conditions = slice.json["endpoints"]?.array?.map { $0[path: "conditions", "ready"]?.bool }

        #expect(plan.slices.count == 1)
        #expect(conditions == [true, true, false, false])
        #expect(plan.endpoints.json[path: "subsets", "0", "notReadyAddresses"]?.array?.count == 1)

        let table = ServiceTable(services: [self.service], slices: plan.slices, endpoints: [])
        let http = try #require(table.routes.first { $0.port == 80 })
        #expect(http.backends.map { "\($0.address):\($0.port)" } == ["10.213.1.1:8080", "10.213.1.2:8080"])
        #expect(table.routes.first { $0.port == 53 }?.transport == .udp)
        #expect(table.nodePorts.map(\.port) == [30080])
        #expect(table.nodePorts.first?.backends.count == 2)
    }

    @Test("Pods of other namespaces, other labels or without an address are no endpoints")
    func strangers() {
        var other = self.pod("a", "10.213.1.1", ready: true)
        other.namespace = "default"
        var unlabelled = self.pod("b", "10.213.1.2", ready: true)
        unlabelled.labels = ["app": "shop"]
        let plan = EndpointPlan(service: self.service, pods: [other, unlabelled, self.pod("c", "", ready: false)])

        #expect(plan.slices.allSatisfy { $0.json["endpoints"]?.array?.isEmpty == true })
    }

    @Test("A service without slices is served by its older endpoints")
    func legacy() {
        let endpoints = KubernetesObject(json: [
            "metadata": ["name": "web", "namespace": "shop"],
            "subsets": [["addresses": [["ip": "10.213.1.9"]], "ports": [["name": "http", "port": 9000]]]],
        ])
        let table = ServiceTable(services: [self.service], slices: [], endpoints: [endpoints])

        #expect(table.routes.first { $0.port == 80 }?.backends.map(\.port) == [9000])
    }

    @Test("The DNS knows services by address, headless ones by endpoint, and outside hosts")
    func names() throws {
        var headless = self.service
        headless.name = "db"
        headless.json[path: "spec", "clusterIP"] = "None"
        let pods = [self.pod("a", "10.213.1.1", ready: true), self.pod("b", "10.213.1.2", ready: false)]
        let hosts = ClusterNames(
            services: [self.service, headless],
            slices: EndpointPlan(service: headless, pods: pods).slices,
            endpoints: [],
            outside: ["www.outside.test": .v4(0x0AD7_0014)]
        ).hosts

        let byName = Dictionary(hosts.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        #expect(byName["web.shop.svc.cluster.local"]?.addresses.map(\.description) == ["10.214.0.7"])
        #expect(byName["db.shop.svc.cluster.local"]?.addresses.map(\.description) == ["10.213.1.1"])
        #expect(byName["www.outside.test"]?.addresses.map(\.description) == ["10.215.0.20"])
    }
}
