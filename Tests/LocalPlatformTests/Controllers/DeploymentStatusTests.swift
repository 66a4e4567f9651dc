import KubernetesAPI
import LocalPlatform
import Testing

@Suite struct DeploymentStatusTests {
    private func set(_ name: String, replicas: Int, available: Int) -> KubernetesObject {
        KubernetesObject(json: [
            "metadata": ["name": .string(name)],
            "status": [
                "replicas": JSONValue(replicas), "readyReplicas": JSONValue(available),
                "availableReplicas": JSONValue(available),
            ],
        ])
    }

    private func status(new: KubernetesObject, old: [KubernetesObject] = []) -> DeploymentStatus {
        DeploymentStatus(replicas: 2, unavailableMax: 0, deadline: 60, generation: 3, new: new, old: old)
    }

    private func reason(_ status: JSONValue, _ type: String) -> String? {
        status["conditions"]?.array?.first { $0["type"]?.string == type }?["reason"]?.string
    }

    @Test("A finished rollout says so")
    func complete() {
        let status = self.status(new: self.set("web-2", replicas: 2, available: 2)).json(previous: .null, now: 10)

        #expect(status["observedGeneration"] == 3)
        #expect(status["updatedReplicas"] == 2)
        #expect(status["unavailableReplicas"] == nil)
        #expect(self.reason(status, "Progressing") == "NewReplicaSetAvailable")
        #expect(self.reason(status, "Available") == "MinimumReplicasAvailable")
    }

    @Test("A rollout that stands still is given up after its deadline, and not before")
    func deadline() {
        let builder = self.status(
            new: self.set("web-2", replicas: 1, available: 0),
            old: [self.set("web-1", replicas: 2, available: 2)]
        )
        let first = builder.json(previous: .null, now: 100)

        #expect(self.reason(first, "Progressing") == "ReplicaSetUpdated")
        #expect(self.reason(builder.json(previous: first, now: 160), "Progressing") == "ReplicaSetUpdated")
        #expect(self.reason(builder.json(previous: first, now: 161), "Progressing") == "ProgressDeadlineExceeded")
    }

    @Test("Nothing changes while nothing changes, and counts that become nought are taken away")
    func stable() {
        let builder = self.status(new: self.set("web-2", replicas: 2, available: 2))
        let first = builder.json(previous: .null, now: 100)

        #expect(builder.json(previous: first, now: 900) == first)
        let down = self.status(new: self.set("web-2", replicas: 2, available: 0)).json(previous: first, now: 901)
        #expect(down["availableReplicas"] == .null)
        #expect(down["unavailableReplicas"] == 2)
    }

    @Test("Templates differ in their hash, whatever differs in them; the label of the hash itself does not count")
    func hash() {
        let one: JSONValue = ["metadata": ["labels": ["app": "web"]], "spec": ["containers": [["image": "a"]]]]
        var other = one
        other[path: "spec", "containers"] = [["image": "b"]]
        var marked = one
        marked[path: "metadata", "labels", TemplateHash.label] = "x"

        #expect(TemplateHash.hash(one, collisions: 0) != TemplateHash.hash(other, collisions: 0))
        #expect(TemplateHash.hash(one, collisions: 0) != TemplateHash.hash(one, collisions: 1))
        #expect(TemplateHash.plain(marked) == TemplateHash.plain(one))
    }

    @Test("Pods that are not ready go before those that are, and the youngest of these first")
    func surplus() {
        func pod(_ name: String, ready: Bool, created: String) -> KubernetesObject {
            KubernetesObject(json: [
                "metadata": ["name": .string(name), "creationTimestamp": .string(created)],
                "status": ["conditions": [["type": "Ready", "status": ready ? "True" : "False"]]],
            ])
        }
        let pods = [
            pod("old", ready: true, created: "2018-07-01T10:00:00Z"),
            pod("young", ready: true, created: "2018-07-01T11:00:00Z"),
            pod("broken", ready: false, created: "2018-07-01T09:00:00Z"),
        ]

        #expect(ReplicaSetController.surplus(pods, wanted: 1).map(\.name) == ["broken", "young"])
        #expect(ReplicaSetController.surplus(pods, wanted: 3).isEmpty)
    }
}
