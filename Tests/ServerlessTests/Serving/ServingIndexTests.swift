import KubernetesAPI
import MeshModel
import Serverless
import Testing

@Suite struct ServingIndexTests {
    private let hello = ObjectID(namespace: "default", name: "hello")
    private let other = ObjectID(namespace: "default", name: "other")

    private func service(_ name: String) -> KubernetesObject {
        KubernetesObject(.knativeServices, namespace: "default", name: name)
    }

    private func deployment(_ name: String, of service: String?, ready: Int = 0, version: Int = 1) -> KubernetesObject {
        var object = KubernetesObject(.deployments, namespace: "default", name: name)
        if let service { object.labels = [ServingLabels.service: service] }
        object.resourceVersion = String(version)
        object.json["spec"] = ["replicas": 1, "template": ["spec": ["containers": [["image": "hello"]]]]]
        object.json["status"] = [
            "readyReplicas": JSONValue(ready), "observedGeneration": JSONValue(version),
            "conditions": [["type": "Progressing", "status": "True", "lastUpdateTime": .string("\(version)")]],
        ]
        return object
    }

    @Test("An event concerns the service of its object, and none if nothing changes by which anything is decided")
    func concerned() {
        var index = ServingIndex()

        #expect(
            index.changed(.knativeServices, .replacedAll([self.service("hello"), self.service("other")])).count == 2
        )
        #expect(index.changed(.deployments, .added(self.deployment("a", of: "hello"))) == [self.hello])
        #expect(index.changed(.deployments, .modified(self.deployment("a", of: "hello", version: 2))) == [])
        #expect(index.changed(.deployments, .modified(self.deployment("a", of: "hello", ready: 1))) == [self.hello])
        #expect(index.entry(self.other).all(.deployments).isEmpty)
        #expect(Set(index.services) == [self.hello, self.other])
    }

    @Test("Of a Deployment its pods are not kept")
    func kept() throws {
        var index = ServingIndex()
        _ = index.changed(.deployments, .added(self.deployment("a", of: "hello", ready: 1)))
        let kept = try #require(index.entry(self.hello).object(.deployments, "a"))

        #expect(kept.json[path: "status", "readyReplicas"]?.int == 1)
        #expect(kept.json[path: "spec", "replicas"]?.int == 1)
        #expect(kept.json[path: "spec", "template"] == nil)
    }

    @Test("What is gone, or has another service's label now, is there no more")
    func removed() {
        var index = ServingIndex()
        _ = index.changed(
            .deployments,
            .replacedAll([self.deployment("a", of: "hello"), self.deployment("b", of: "hello")])
        )

        #expect(index.changed(.deployments, .modified(self.deployment("a", of: "other"))) == [self.hello, self.other])
        #expect(Set(index.entry(self.hello).all(.deployments).keys) == ["b"])
        #expect(index.changed(.deployments, .modified(self.deployment("b", of: nil))) == [self.hello])
        #expect(index.changed(.deployments, .replacedAll([])) == [self.other])
        #expect(index.entry(self.other) == ServingIndex.Entry())
    }
}
