import Activator
import KubernetesAPI
import MeshModel
import Serverless
import Testing
import TrafficEngine

/// Objects become the state of the activator's proxy.
@Suite struct ActivatorObjectsTests {
    private static let address = NetworkAddress(ip: .v4(0), port: 8012)

    private func revision(
        _ name: String = "hello-00001",
        concurrency: Int = 0,
        timeout: Int = 0,
        protocolType: String = "http1"
    ) -> KubernetesObject {
        var object = KubernetesObject(.podAutoscalers, namespace: "default", name: name)
        object.json["spec"] = [
            "scaleTargetRef": ["kind": "Deployment", "name": .string(name + "-deployment")],
            "containerConcurrency": JSONValue(concurrency), "timeoutSeconds": JSONValue(timeout),
            "protocolType": .string(protocolType),
        ]
        return object
    }

    private func pod(
        _ name: String = "pod",
        of revision: String = "hello-00001",
        ip: String = "10.0.0.1",
        isReady: Bool = false,
        port: JSONValue = ["name": "user-port", "containerPort": 8888],
        probe: JSONValue? = ["tcpSocket": ["port": 8888]],
        hasSidecar: Bool = false
    ) -> KubernetesObject {
        var object = KubernetesObject(.pods, namespace: "default", name: name)
        object.labels = ["serving.knative.dev/revision": revision]
        var container: JSONValue = ["name": "main", "ports": [port]]
        container["readinessProbe"] = probe
        object.json["spec"] = ["containers": .array(hasSidecar ? [container, ["name": "istio-proxy"]] : [container])]
        object.json["status"] = [
            "podIP": .string(ip), "conditions": [["type": "Ready", "status": isReady ? "True" : "False"]],
        ]
        return object
    }

    private func objects(_ revisions: KubernetesObject..., pods: [KubernetesObject] = []) -> ActivatorObjects {
        var objects = ActivatorObjects(address: Self.address)
        _ = objects.revisionsChanged(.replacedAll(revisions))
        _ = objects.podsChanged(.replacedAll(pods))
        _ = objects.read(.revisions)
        _ = objects.read(.pods)
        return objects
    }

    private func cluster(_ state: ProxyState, _ name: String = "hello-00001") -> Cluster? {
        state.clusters.compactMap { $0 }.first { $0.name == "default/" + name }
    }

    private func endpoints(_ state: ProxyState) -> [ClusterEndpoint]? {
        guard case .endpoints(let endpoints) = self.cluster(state)?.discovery else { return nil }
        return endpoints
    }

    private func endpoint(_ ip: UInt32 = 0x0A00_0001, port: UInt16 = 8888, isReady: Bool = true) -> ClusterEndpoint {
        ClusterEndpoint(address: NetworkAddress(ip: .v4(ip), port: port), isHealthy: isReady)
    }

    @Test("A revision without pods is a cluster without endpoints, in which as many requests go at once as a pod takes")
    func withoutPods() throws {
        var objects = self.objects(self.revision(concurrency: 20))
        let cluster = try #require(self.cluster(objects.state()))

        #expect(cluster.discovery == .endpoints([]))
        #expect(cluster.httpVersion == .http1)
        let activation = try #require(cluster.activation)
        #expect(activation.revision == ObjectID(namespace: "default", name: "hello-00001"))
        #expect(activation.concurrencyMax == 20)
        #expect(activation.side == .callers)
    }

    @Test("A pod is an endpoint at its own port from the moment that it has an address, and called ready later")
    func starting() {
        var objects = self.objects(self.revision())

        #expect(objects.podsChanged(.added(self.pod(ip: ""))) == false)
        #expect(objects.podsChanged(.modified(self.pod())) == true)
        #expect(self.endpoints(objects.state()) == [self.endpoint(isReady: false)])
        #expect(self.cluster(objects.state())?.activation?.asksPods == true)
        #expect(objects.podsChanged(.modified(self.pod(isReady: true))) == true)
        #expect(self.endpoints(objects.state()) == [self.endpoint()])
        #expect(objects.podsChanged(.deleted(self.pod(isReady: true))) == true)
        #expect(self.endpoints(objects.state()) == [])
    }

    @Test("Where a connection says nothing, Kubernetes' word is waited for")
    func notAsked() {
        for pod in [self.pod(hasSidecar: true), self.pod(probe: ["httpGet": ["path": "/ready", "port": 8888]])] {
            var objects = self.objects(self.revision(), pods: [pod])
            #expect(self.endpoints(objects.state()) == [])
        }
        var objects = self.objects(self.revision(), pods: [self.pod(isReady: true, hasSidecar: true)])
        #expect(self.endpoints(objects.state()) == [self.endpoint()])
    }

    @Test("A pod that is being deleted, or has come to its end, gets no requests")
    func ending() {
        var leaving = self.pod(isReady: true)
        leaving.json[path: "metadata", "deletionTimestamp"] = "2026-01-01T00:00:00Z"
        var failed = self.pod(isReady: true)
        failed.json[path: "status", "phase"] = "Failed"

        for pod in [leaving, failed] {
            var objects = self.objects(self.revision(), pods: [self.pod(isReady: true)])
            #expect(objects.podsChanged(.modified(pod)) == true)
            #expect(self.endpoints(objects.state()) == [])
        }
    }

    @Test("Pods that went while nobody watched are forgotten, and pods may come before their revision")
    func listedAnew() {
        var objects = self.objects(pods: [self.pod("one", ip: "10.0.0.1"), self.pod("two", ip: "10.0.0.2")])
        #expect(objects.state().clusters.isEmpty)

        #expect(objects.revisionsChanged(.added(self.revision())) == true)
        #expect(self.endpoints(objects.state())?.count == 2)
        #expect(objects.podsChanged(.replacedAll([self.pod("two", ip: "10.0.0.2", isReady: true)])) == true)
        #expect(self.endpoints(objects.state()) == [self.endpoint(0x0A00_0002)])
    }

    @Test("Pods are spoken to in HTTP/2 if the revision's protocol says so, or the name of their port")
    func http2() {
        var byProtocol = self.objects(self.revision(protocolType: "h2c"), pods: [self.pod(isReady: true)])
        #expect(self.cluster(byProtocol.state())?.httpVersion == .http2)
        #expect(self.endpoints(byProtocol.state()) == [self.endpoint()])

        let pod = self.pod(isReady: true, port: ["name": "h2c", "containerPort": 9000])
        var byName = self.objects(self.revision(), pods: [pod])
        #expect(self.cluster(byName.state())?.httpVersion == .http2)
        #expect(self.endpoints(byName.state()) == [self.endpoint(port: 9000)])
    }

    @Test("A pod whose port has no name that is known listens where programs do if they are not told")
    func portDefault() {
        var objects = self.objects(
            self.revision(),
            pods: [self.pod(isReady: true, port: ["name": "other", "containerPort": 1234])]
        )
        #expect(self.endpoints(objects.state()) == [self.endpoint(port: 8080)])
    }

    @Test("A revision that is deleted has neither cluster nor route; its number is nobody else's")
    func deleted() throws {
        var objects = self.objects(self.revision(), pods: [self.pod(isReady: true)])
        let number = try #require(self.cluster(objects.state())?.id)

        #expect(objects.revisionsChanged(.deleted(self.revision())) == true)
        #expect(objects.revisionsChanged(.added(self.revision("hello-00002"))) == true)
        let state = objects.state()
        #expect(state.cluster(number) == nil)
        #expect(self.answer(state, self.headers("hello-00001")) == "unknown")
        #expect(self.cluster(state, "hello-00002")?.id != number)
        #expect(objects.revisionsChanged(.added(self.revision())) == true)
        #expect(self.cluster(objects.state())?.id == number)
        #expect(self.endpoints(objects.state()) == [self.endpoint()])
    }

    @Test("What has not changed is the same in the next state; an object whose status alone changes makes none")
    func identity() throws {
        var objects = self.objects(self.revision(), self.revision("other-00001"))
        let old = objects.state()

        var told = self.revision()
        told.json["status"] = ["actualScale": 1]
        #expect(objects.revisionsChanged(.modified(told)) == false)
        #expect(objects.podsChanged(.added(self.pod())) == true)
        let new = objects.state()
        #expect(new.revision > old.revision)
        #expect(new.listeners.first === old.listeners.first)
        #expect(new.routeTables["revisions"] === old.routeTables["revisions"])
        #expect(self.cluster(new, "other-00001") === self.cluster(old, "other-00001"))
        #expect(self.cluster(new) !== self.cluster(old))
    }

    // MARK: Routes

    /// The name of the route that a request takes.
    private func answer(_ state: ProxyState, path: String = "/", _ headers: [(String, String)]) -> String? {
        self.route(state, path: path, headers)?.name
    }

    private func route(_ state: ProxyState, path: String = "/", _ headers: [(String, String)]) -> Route? {
        var bytes: [UInt8] = []
        func add(_ text: String) -> ByteRange {
            defer { bytes += Array(text.utf8) }
            return ByteRange(start: UInt32(bytes.count), count: UInt32(text.utf8.count))
        }
        let (method, target, authority) = (add("GET"), add(path), add("hello.default"))
        let fields = headers.map { HeaderField(name: add($0.0), value: add($0.1)) }
        return bytes.withUnsafeBytes { raw in
            fields.withUnsafeBufferPointer { fields in
                state.routeTables["revisions"]?.route(
                    RequestView(bytes: raw, method: method, target: target, authority: authority, headers: fields)
                )
            }
        }
    }

    private func headers(_ name: String, namespace: String = "default") -> [(String, String)] {
        [("Knative-Serving-Revision", name), ("Knative-Serving-Namespace", namespace)]
    }

    @Test("A request goes to the cluster of the revision that its headers name, and has that revision's time")
    func routes() throws {
        var objects = self.objects(self.revision(timeout: 7), self.revision("other-00001"))
        let state = objects.state()

        for (name, timeout) in [("hello-00001", 7), ("other-00001", 300)] {
            let route = try #require(self.route(state, self.headers(name)))
            guard case .forward(let forward) = route.action else {
                Issue.record("\(name) is not forwarded")
                continue
            }
            #expect(forward.clusters.map(\.cluster) == [self.cluster(state, name)?.id])
            #expect(forward.timeout == .seconds(timeout))
            #expect(forward.timeoutIncludesRequest)
        }
    }

    @Test("A revision's time that changes is that of requests from then on")
    func timeChanges() {
        var objects = self.objects(self.revision())
        _ = objects.state()

        #expect(objects.revisionsChanged(.modified(self.revision(timeout: 9))) == true)
        let route = self.route(objects.state(), self.headers("hello-00001"))
        guard case .forward(let forward) = route?.action else {
            Issue.record("not forwarded")
            return
        }
        #expect(forward.timeout == .seconds(9))
    }

    @Test("Other requests are told what is wrong with them")
    func refused() {
        var objects = self.objects(self.revision())
        let state = objects.state()

        #expect(self.answer(state, self.headers("hello-00002")) == "unknown")
        #expect(self.answer(state, self.headers("hello-00001", namespace: "other")) == "unknown")
        #expect(self.answer(state, [("Knative-Serving-Revision", "hello-00001")]) == "unnamed")
        #expect(self.answer(state, []) == "unnamed")
    }

    @Test("Before all objects have been read no revision is called unknown, and Kubernetes hears that it is not ready")
    func early() throws {
        var objects = ActivatorObjects(address: Self.address)
        func health() -> Int? {
            let route = self.route(objects.state(), path: "/healthz", [("user-agent", "kube-probe/1.30")])
            guard case .respond(let status, _) = route?.action else { return nil }
            return status
        }

        #expect(health() == 503)
        #expect(self.answer(objects.state(), self.headers("hello-00001")) == "early")
        #expect(objects.read(.pods) == false)
        #expect(health() == 503)
        #expect(objects.read(.revisions) == true)
        #expect(health() == 200)
        #expect(self.answer(objects.state(), path: "/healthz", [("user-agent", "curl/8")]) == "unnamed")
    }
}
