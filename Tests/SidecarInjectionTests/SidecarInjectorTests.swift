import Foundation
import KubernetesAPI
import SidecarInjection
import Testing

@Suite struct SidecarInjectorTests {
    private let injector = SidecarInjector()

    @Test("A pod in an enabled namespace gets both containers, labels and a status")
    func injects() {
        let injected = self.injector.inject(Self.pod())

        let names = injected[path: "spec", "containers"]?.array?.compactMap { $0["name"]?.string }
        #expect(names == ["reviews", "istio-proxy"])
        #expect(injected[path: "spec", "initContainers"]?[0]?["name"] == "istio-init")
        let object = KubernetesObject(json: injected)
        #expect(object.labels["service.istio.io/canonical-name"] == "reviews")
        #expect(object.labels["service.istio.io/canonical-revision"] == "v1")
        #expect(object.annotations["kubectl.kubernetes.io/default-container"] == "reviews")
        #expect(object.annotations["sidecar.istio.io/status"]?.contains("istio-init") == true)
    }

    @Test("The proxy runs as the user that interception lets pass, the setter of rules as root")
    func users() {
        let injected = self.injector.inject(Self.pod())

        let proxy = injected[path: "spec", "containers"]?[1]
        #expect(proxy?[path: "securityContext", "runAsUser"] == 1337)
        #expect(proxy?[path: "readinessProbe", "httpGet", "port"] == 15021)
        let setUp = injected[path: "spec", "initContainers"]?[0]
        #expect(setUp?[path: "securityContext", "runAsUser"] == 0)
        #expect(setUp?["args"]?[0] == "iptables")
    }

    @Test("Annotations narrow interception; the proxy's own ports stay excluded")
    func interception() {
        let pod = Self.pod(annotations: [
            "traffic.sidecar.istio.io/excludeInboundPorts": "9090",
            "traffic.sidecar.istio.io/includeOutboundIPRanges": "10.0.0.0/8",
        ])

        let arguments = self.injector.inject(pod)[path: "spec", "initContainers"]?[0]?["args"]

        #expect(
            arguments == [
                "iptables", "--exclude-inbound-ports", "15020,15021,15090,9090", "--include-outbound-ip-ranges",
                "10.0.0.0/8",
            ]
        )
    }

    @Test("Namespace and pod together decide")
    func decisions() {
        let on = ["istio-injection": "enabled"]
        let off = ["istio-injection": "disabled"]
        #expect(self.decide(Self.pod(), on) == .inject)
        #expect(self.decide(Self.pod(), [:]) == .skip(.namespaceNotEnabled))
        #expect(self.decide(Self.pod(annotations: ["sidecar.istio.io/inject": "false"]), on) == .skip(.refusedByPod))
        #expect(self.decide(Self.pod(annotations: ["sidecar.istio.io/inject": "true"]), [:]) == .inject)
        #expect(
            self.decide(Self.pod(annotations: ["sidecar.istio.io/inject": "true"]), off) == .skip(.namespaceDisabled)
        )
        var onHost = Self.pod()
        onHost[path: ["spec", "hostNetwork"]] = true
        #expect(self.decide(onHost, on) == .skip(.hostNetwork))
    }

    @Test("The label of a pod counts more than its annotation")
    func labelWins() {
        var pod = Self.pod(annotations: ["sidecar.istio.io/inject": "true"])
        pod[path: ["metadata", "labels", "sidecar.istio.io/inject"]] = "false"

        #expect(self.decide(pod, ["istio-injection": "enabled"]) == .skip(.refusedByPod))
    }

    @Test("Nothing is injected twice")
    func once() {
        let injected = self.injector.inject(Self.pod())

        #expect(self.decide(injected, ["istio-injection": "enabled"]) == .skip(.alreadyInjected))
    }

    @Test("The answer to a review carries a patch that makes the pod what it should be")
    func review() throws {
        let pod = Self.pod()
        let review = try AdmissionReview(json: [
            "kind": "AdmissionReview", "request": ["uid": "u1", "namespace": "default", "object": pod],
        ])

        let (answer, decision) = self.injector.answer(review, namespaceLabels: ["istio-injection": "enabled"])

        #expect(decision == .inject)
        #expect(answer[path: "response", "uid"] == "u1")
        let patch = try #require(answer[path: "response", "patch"]?.string.flatMap { Data(base64Encoded: $0) })
        let json = try JSONValue.parse(String(decoding: patch, as: UTF8.self))
        #expect(try pod.applyingJSONPatch(json) == self.injector.inject(pod))
    }

    @Test("A review without a request is refused")
    func malformed() {
        #expect(throws: AdmissionReview.Malformed.self) { try AdmissionReview(json: ["kind": "AdmissionReview"]) }
        #expect(throws: AdmissionReview.Malformed.self) { try AdmissionReview(json: []) }
    }

    private func decide(_ pod: JSONValue, _ labels: [String: String]) -> InjectionDecision {
        self.injector.decision(pod: pod, namespace: "default", namespaceLabels: labels)
    }

    static func pod(annotations: [String: String] = [:]) -> JSONValue {
        [
            "apiVersion": "v1", "kind": "Pod",
            "metadata": [
                "name": "reviews-v1-1", "namespace": "default", "labels": ["app": "reviews", "version": "v1"],
                "annotations": JSONValue(annotations),
            ],
            "spec": ["containers": [["name": "reviews", "image": "lateen/examples-bookinfo-reviews-v1"]]],
        ]
    }
}
