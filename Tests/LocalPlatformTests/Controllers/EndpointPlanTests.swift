import KubernetesAPI
import LocalPlatform
import Testing

@Suite struct EndpointPlanTests {
    private var service: KubernetesObject {
        var service = KubernetesObject(.services, namespace: "shop", name: "db")
        service.json["spec"] = [
            "clusterIP": "None", "selector": ["app": "db"], "ports": [["name": "mysql", "port": 3306]],
        ]
        return service
    }

    private func pod(_ name: String, subdomain: String?) -> KubernetesObject {
        var pod = KubernetesObject(.pods, namespace: "shop", name: name)
        pod.labels = ["app": "db"]
        pod.json["spec"] = ["hostname": .string(name)]
        if let subdomain { pod.json[path: "spec", "subdomain"] = .string(subdomain) }
        pod.json["status"] = [
            "podIP": "10.213.1.1", "phase": "Running", "conditions": [["type": "Ready", "status": "True"]],
        ]
        return pod
    }

    @Test("Only the service that a pod names as its subdomain has a name for the pod")
    func hostNames() {
        let pods = [
            self.pod("db-0", subdomain: "db"), self.pod("db-1", subdomain: "other"), self.pod("db-2", subdomain: nil),
        ]

        let endpoints = EndpointPlan(service: self.service, pods: pods).slices.flatMap {
            $0.json["endpoints"]?.array ?? []
        }

        #expect(endpoints.count == 3)
        #expect(endpoints.map { $0["hostname"]?.string } == ["db-0", nil, nil])
    }
}
