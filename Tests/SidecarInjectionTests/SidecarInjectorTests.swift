import Foundation
import KubernetesAPI
import MeshModel
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

    @Test("proxyMetadata of a pod becomes the proxy's environment, and cannot say that the pod is another one")
    func metadata() {
        var pod = Self.pod()
        pod[path: ["metadata", "annotations", "proxy.istio.io/config"]] =
            "proxyMetadata: {LATEEN_DNS_TTL: 5, WORD: 'on', FLAG: true, POD_NAME: other, 'no name': x, '1': y}"

        let found = self.injector.inject(pod)[path: "spec", "containers"]?[1]?["env"]?.array ?? []

        let values = found.compactMap { entry in entry["value"]?.string.map { "\(entry["name"]?.string ?? "")=\($0)" } }
        #expect(values.suffix(3) == ["FLAG=true", "LATEEN_DNS_TTL=5", "WORD=on"])
        #expect(found.filter { $0["name"]?.string == "POD_NAME" }.count == 1)
        #expect(found[0][path: "valueFrom", "fieldRef", "fieldPath"] == "metadata.name")
    }

    @Test("An annotation that cannot be read adds nothing", arguments: ["[", "text", "proxyMetadata: 3", ""])
    func noMetadata(_ text: String) {
        var pod = Self.pod()
        pod[path: ["metadata", "annotations", "proxy.istio.io/config"]] = .string(text)

        let plain = self.injector.inject(Self.pod())[path: "spec", "containers"]?[1]?["env"]
        #expect(self.injector.inject(pod)[path: "spec", "containers"]?[1]?["env"] == plain)
    }

    @Test(
        "A pod may name the image of its proxy; an empty name is none",
        arguments: [
            ("lateen/proxyv2-envoy", "lateen/proxyv2-envoy"), ("", "lateen/proxyv2"),
        ]
    )
    func image(_ annotation: String, _ expected: String) {
        let injected = self.injector.inject(Self.pod(annotations: ["sidecar.istio.io/proxyImage": annotation]))

        #expect(injected[path: "spec", "containers"]?[1]?["image"]?.string == expected)
        #expect(injected[path: "spec", "initContainers"]?[0]?["image"]?.string == expected)
        #expect(
            injected[path: "spec", "containers"]?[0]?["image"] == Self.pod()[path: "spec", "containers"]?[0]?["image"]
        )
    }

    @Test("A pod may choose the DNS servers whose queries are intercepted")
    func dnsServers() {
        func flags(_ pod: JSONValue) -> [String] {
            let arguments = self.injector.inject(pod)[path: "spec", "initContainers"]?[0]?["args"]?.array
            return arguments?.compactMap(\.string) ?? []
        }

        #expect(!flags(Self.pod()).contains("--dns-servers"))
        #expect(flags(Self.pod(annotations: ["lateen.dev/dns-servers": "all"])).suffix(2) == ["--dns-servers", "all"])
    }

    @Test("A pod's own choice about DNS-bound egress is told to its proxy")
    func dnsBoundEgress() {
        func choice(_ pod: JSONValue) -> JSONValue? {
            let variables = self.injector.inject(pod)[path: "spec", "containers"]?[1]?["env"]?.array
            return variables?.first { $0["name"] == "LATEEN_DNS_BOUND_EGRESS" }?["value"]
        }

        #expect(choice(Self.pod()) == nil)
        #expect(choice(Self.pod(annotations: ["lateen.dev/dns-bound-egress": "AUDIT"])) == "AUDIT")
    }

    @Test("The proxy gets a token for the authority, the roots, and a place in memory for its key")
    func identity() throws {
        let injected = self.injector.inject(Self.pod())

        let volumes = try #require(injected[path: "spec", "volumes"]?.array)
        #expect(
            volumes.compactMap { $0["name"]?.string } == ["istio-token", "istiod-ca-cert", "istio-certs", "istio-data"]
        )
        let token = volumes[0][path: "projected", "sources"]?[0]?["serviceAccountToken"]
        #expect(token?["audience"] == "istio-ca")
        #expect(volumes[1][path: "configMap", "name"] == "istio-ca-root-cert")
        #expect(volumes[2][path: "emptyDir", "medium"] == "Memory")
        let mounts = injected[path: "spec", "containers"]?[1]?["volumeMounts"]?.array ?? []
        let places = Dictionary(
            mounts.map { ($0["name"]?.string ?? "", $0["mountPath"]?.string ?? "") },
            uniquingKeysWith: { $1 }
        )
        #expect(places["istio-token"] == "/var/run/secrets/tokens")
        #expect(places["istiod-ca-cert"] == "/var/run/secrets/istio")
        #expect(places["istio-certs"] == "/etc/certs")
        #expect(injected[path: "spec", "securityContext", "fsGroup"] == 1337)
        #expect(injected[path: "spec", "containers"]?[0]?["volumeMounts"] == nil)
    }

    @Test("Pods with a proxy say that they speak mutual TLS, unless they say otherwise themselves")
    func mode() {
        var other = Self.pod()
        other[path: ["metadata", "labels", "security.istio.io/tlsMode"]] = "disabled"

        #expect(self.mode(self.injector.inject(Self.pod())) == "istio")
        #expect(self.mode(self.injector.inject(other)) == "disabled")
        #expect(self.mode(Self.pod()) == nil)
    }

    private func mode(_ pod: JSONValue) -> String? {
        KubernetesObject(json: pod).labels["security.istio.io/tlsMode"]
    }

    @Test("What the pod has already of volumes and groups stays")
    func ownVolumes() {
        var pod = Self.pod()
        pod[path: ["spec", "volumes"]] = [
            ["name": "data", "emptyDir": [:]], ["name": "istio-certs", "emptyDir": [:]],
        ]
        pod[path: ["spec", "securityContext", "fsGroup"]] = 7

        let injected = self.injector.inject(pod)

        let names = injected[path: "spec", "volumes"]?.array?.compactMap { $0["name"]?.string }
        #expect(names == ["data", "istio-certs", "istio-token", "istiod-ca-cert", "istio-data"])
        #expect(injected[path: "spec", "securityContext", "fsGroup"] == 7)
    }

    @Test("A review of configuration says what is wrong, and lets through what is only odd")
    func validation() throws {
        let review = try AdmissionReview(json: [
            "kind": "AdmissionReview", "request": ["uid": "u1", "object": ["kind": "Gateway"]],
        ])

        let refused = review.answer(objections: ["spec.a: bad", "spec.b: worse"], warnings: [])
        let allowed = review.answer(objections: [], warnings: ["spec.c: odd"])

        #expect(refused[path: "response", "allowed"] == false)
        #expect(
            refused[path: "response", "status", "message"] == "configuration is invalid: spec.a: bad; spec.b: worse"
        )
        #expect(allowed[path: "response", "allowed"] == true)
        #expect(allowed[path: "response", "warnings"] == ["spec.c: odd"])
        #expect(allowed[path: "response", "uid"] == "u1")
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

    @Test("A mesh with other virtual addresses tells those who set up interception")
    func virtualAddresses() throws {
        var settings = InjectionSettings()
        settings.virtualAddresses.allocatedV4 = try #require(CIDR("100.127.0.0/16"))

        let injected = SidecarInjector(settings: settings).inject(Self.pod())

        let arguments = injected[path: "spec", "initContainers"]?[0]?["args"]
        #expect(
            arguments == [
                "iptables", "--virtual-ip-ranges",
                "100.127.0.0/16,2001:2::/48,240.241.0.0/16,2001:2:1::/48,240.242.0.0/16",
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
