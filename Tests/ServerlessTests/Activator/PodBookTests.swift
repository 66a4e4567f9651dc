import KubernetesAPI
import MeshModel
import Serverless
import Testing

@Suite struct PodBookTests {
    private let revision = ObjectID(namespace: "default", name: "hello-00001")

    private func pod(
        _ name: String = "pod",
        ip: String = "10.0.0.1",
        isReady: Bool = false,
        probe: JSONValue? = ["tcpSocket": ["port": 8080]],
        sidecar: Bool = false
    ) -> KubernetesObject {
        var object = KubernetesObject(.pods, namespace: "default", name: name)
        object.labels = ["serving.knative.dev/revision": "hello-00001"]
        var container: JSONValue = ["name": "main", "ports": [["name": "user-port", "containerPort": 8080]]]
        container["readinessProbe"] = probe
        object.json["spec"] = ["containers": .array(sidecar ? [container, ["name": "istio-proxy"]] : [container])]
        object.json["status"] = [
            "podIP": .string(ip), "conditions": [["type": "Ready", "status": isReady ? "True" : "False"]],
        ]
        return object
    }

    @Test("A new pod is asked by a connection, once, and gets requests when it answers")
    func probed() {
        var book = PodBook()

        #expect(book.changed(.added(self.pod())).probes == ["10.0.0.1:8080"])
        #expect(book.changed(.modified(self.pod())).probes == [])
        #expect(book.answering(of: self.revision) == [])
        #expect(book.probeEnded("10.0.0.1:8080", isAnswering: true).revisions == [self.revision])
        #expect(book.answering(of: self.revision) == ["10.0.0.1:8080"])
    }

    @Test("Where a connection says nothing, Kubernetes' word is waited for")
    func notProbeable() {
        for pod in [self.pod(sidecar: true), self.pod(probe: ["httpGet": ["path": "/ready", "port": 8080]])] {
            var book = PodBook()
            #expect(book.changed(.added(pod)).probes == [])
            #expect(book.answering(of: self.revision) == [])
        }
        var book = PodBook()
        _ = book.changed(.added(self.pod(isReady: true, sidecar: true)))
        #expect(book.answering(of: self.revision) == ["10.0.0.1:8080"])
    }

    @Test("A pod that Kubernetes no longer calls ready gets no requests, although it takes connections")
    func unready() {
        var book = PodBook()
        _ = book.changed(.added(self.pod(isReady: true)))
        let outcome = book.changed(.modified(self.pod(isReady: false)))

        #expect(outcome == PodBook.OnChange(revisions: [self.revision]))
        #expect(book.answering(of: self.revision) == [])
    }

    @Test("A pod that refused a connection comes back when it is seen to answer, not by what Kubernetes says of it")
    func refused() {
        var book = PodBook()
        _ = book.changed(.added(self.pod(isReady: true)))

        #expect(book.refused("10.0.0.1:8080").probes == ["10.0.0.1:8080"])
        _ = book.changed(.modified(self.pod(isReady: true)))
        #expect(book.answering(of: self.revision) == [])
        _ = book.probeEnded("10.0.0.1:8080", isAnswering: true)
        #expect(book.answering(of: self.revision) == ["10.0.0.1:8080"])
    }

    @Test("A new pod with the address of one that has gone is asked anew, although the old one's probe has not ended")
    func addressAgain() {
        var book = PodBook()
        _ = book.changed(.added(self.pod("old")))
        _ = book.changed(.deleted(self.pod("old")))
        #expect(!book.isProbeWanted("10.0.0.1:8080"))
        #expect(book.changed(.added(self.pod("new"))).probes == [])

        #expect(book.probeEnded("10.0.0.1:8080", isAnswering: false).probes == ["10.0.0.1:8080"])
    }

    @Test("Pods that went while nobody watched are forgotten, with what was known of their address")
    func relisted() {
        var book = PodBook()
        _ = book.changed(.added(self.pod("old", isReady: true)))
        let outcome = book.changed(.replacedAll([self.pod("new")]))

        #expect(outcome.revisions == [self.revision])
        #expect(outcome.probes == ["10.0.0.1:8080"])
        #expect(book.answering(of: self.revision) == [])
    }
}
