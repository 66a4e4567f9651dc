import KubernetesAPI
import LocalPlatform
import MeshModel
import Testing

@Suite struct PolicyTableTests {
    private func namespace(_ name: String, _ labels: [String: String] = [:]) -> KubernetesObject {
        var object = KubernetesObject(.namespaces, name: name)
        object.labels = labels
        return object
    }

    private func pod(
        _ name: String,
        in namespace: String,
        at address: String,
        ports: [String: Int] = [:]
    )
        -> KubernetesObject
    {
        var object = KubernetesObject(.pods, namespace: namespace, name: name)
        object.labels = ["app": name]
        object.status = ["podIP": .string(address), "phase": "Running"]
        let list = ports.map { JSONValue.object(["name": .string($0.key), "containerPort": JSONValue($0.value)]) }
        object.spec = ["containers": [["name": "main", "ports": .array(list)]]]
        return object
    }

    private func policy(_ spec: JSONValue, in namespace: String = "default") -> KubernetesObject {
        var object = KubernetesObject(.networkPolicies, namespace: namespace, name: "policy")
        object.spec = spec
        return object
    }

    private func table(_ policies: [KubernetesObject]) -> PolicyRules {
        var dns = KubernetesObject(.endpointSlices, namespace: "kube-system", name: "dns")
        dns.json["endpoints"] = [["addresses": ["10.213.0.1"]]]
        return PolicyTable(
            policies: policies,
            pods: [
                self.pod("web", in: "default", at: "10.213.1.1", ports: ["http": 8080]),
                self.pod("gateway", in: "istio-system", at: "10.213.1.2", ports: ["http": 9090]),
            ],
            namespaces: [
                self.namespace("default"), self.namespace("istio-system", ["istio": "system"]),
                self.namespace("kube-system", ["kube-system": "true"]),
            ],
            slices: [dns]
        ).rules
    }

    @Test("Egress to the mesh and the DNS alone opens the gateway's address and port 53, nothing else")
    func egress() throws {
        let rules = self.table([
            self.policy([
                "podSelector": [:], "policyTypes": ["Egress"],
                "egress": [
                    [
                        "to": [["namespaceSelector": ["matchLabels": ["kube-system": "true"]]]],
                        "ports": [["protocol": "UDP", "port": 53]],
                    ],
                    ["to": [["namespaceSelector": ["matchLabels": ["istio": "system"]]]]],
                ],
            ])
        ])

        let text = ServiceRules(routes: [], policies: rules).restoreInput
        let lines = text.split(separator: "\n").filter { $0.contains("-A LATEEN-EGRESS -s") }.map(String.init)
        #expect(
            lines == [
                "-A LATEEN-EGRESS -s 10.213.1.1/32 -d 10.213.0.1/32 -p udp -m udp --dport 53:53 -j RETURN",
                "-A LATEEN-EGRESS -s 10.213.1.1/32 -d 10.213.1.2/32 -j RETURN",
                "-A LATEEN-EGRESS -s 10.213.1.1/32 -j DROP",
            ]
        )
        #expect(rules.pods.first?.ingress == nil)
    }

    @Test("A policy without rules closes the pods that it selects, and no others")
    func closes() throws {
        let rules = self.table([self.policy(["podSelector": ["matchLabels": ["app": "web"]]])])

        #expect(rules.pods == [.init(address: try #require(IPAddress("10.213.1.1")), egress: nil, ingress: [])])
    }

    @Test("A port's name is looked up at the pod that is dialled; one that nobody has opens nothing")
    func names() throws {
        let named = self.table([
            self.policy([
                "podSelector": [:], "ingress": [["ports": [["port": "http"]]], ["ports": [["port": "nobody"]]]],
            ])
        ])

        #expect(
            named.pods.first?.ingress == [.init(ports: [.init(transport: .tcp, numbers: 8080...8080)])]
        )
    }

    @Test("An exception is cut out of its block")
    func exceptions() throws {
        let rules = self.table([
            self.policy([
                "podSelector": [:], "policyTypes": ["Egress"],
                "egress": [["to": [["ipBlock": ["cidr": "10.0.0.0/30", "except": ["10.0.0.2/32"]]]]]],
            ])
        ])

        let text = ServiceRules(routes: [], policies: rules).restoreInput
        #expect(text.contains("-s 10.213.1.1/32 -d 10.0.0.0/31 -j RETURN"))
        #expect(text.contains("-s 10.213.1.1/32 -d 10.0.0.3/32 -j RETURN"))
        #expect(!text.contains("10.0.0.2"))
    }

    @Test("Without policies nothing is closed")
    func nothing() { #expect(self.table([]).pods.isEmpty) }
}
