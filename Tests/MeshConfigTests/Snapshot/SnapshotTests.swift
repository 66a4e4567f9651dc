import KubernetesAPI
import MeshConfig
import MeshModel
import Testing

@Suite struct SnapshotTests {
    @Test("Endpoints carry labels, account and readiness of their pods")
    func join() throws {
        let endpoints = try Mesh(Samples.ratings).endpoints("ratings.default.svc.cluster.local")

        #expect(endpoints.map(\.isReady) == [false, true])
        let ready = try #require(endpoints.last)
        #expect(ready.address == .ip(try #require(IPAddress("10.213.1.5"))))
        #expect(ready.labels["version"] == "v1")
        #expect(ready.serviceAccount == "bookinfo-ratings")
        #expect(ready.workload == ObjectID(namespace: "default", name: "ratings-v1"))
        #expect(ready.servicePortName == "http")
    }

    @Test("The pod with an address is a workload; a finished one is not")
    func workloads() throws {
        var mesh = try Mesh(Samples.ratings)
        let address = try #require(IPAddress("10.213.1.5"))
        #expect(mesh.snapshot.workloads[address]?.labels["version"] == "v1")
        try mesh.apply(
            "{kind: Pod, metadata: {name: ratings-v1, namespace: default}, status: {phase: Failed, podIP: 10.213.1.5}}"
        )
        #expect(mesh.snapshot.workloads.isEmpty)
    }

    @Test("Of two pods with one address the younger has it, and pods on their node's address have none")
    func sharedAddress() throws {
        let mesh = try Mesh(
            """
            {kind: Pod, metadata: {name: new, namespace: a, creationTimestamp: "2026-01-02T00:00:00Z"},
             status: {phase: Running, podIP: 10.213.1.9}}
            ---
            {kind: Pod, metadata: {name: old, namespace: a, creationTimestamp: "2026-01-01T00:00:00Z"},
             status: {phase: Running, podIP: 10.213.1.9}}
            ---
            {kind: Pod, metadata: {name: node, namespace: a}, spec: {hostNetwork: true},
             status: {phase: Running, podIP: 10.213.1.10}}
            """
        )
        #expect(mesh.snapshot.workloads.values.map(\.id.name) == ["new"])
    }

    @Test("A pod says which revision it is of; the label of Knative alone, which has a proxy of its own, says nothing")
    func podOfRevision() throws {
        func mesh(_ annotations: String) throws -> Mesh {
            try Mesh(
                """
                {kind: Pod, metadata: {name: a, namespace: shop, labels: {serving.knative.dev/revision: s-1},
                 annotations: {\(annotations)}}, status: {phase: Running, podIP: 10.213.1.9}}
                """
            )
        }
        let name = "activation.lateen.dev/revision: s-1"
        let limit = "activation.lateen.dev/concurrency"
        func activation(_ annotations: String) throws -> RevisionActivation? {
            try mesh(annotations).snapshot.workloads.values.first?.activation
        }
        var expected = RevisionActivation(
            revision: ObjectID(namespace: "shop", name: "s-1"),
            concurrencyMax: 5,
            side: .pod
        )
        #expect(try activation("\(name), \(limit): '5'") == expected)
        expected.concurrencyMax = 0
        #expect(try activation(name) == expected)
        #expect(try activation("") == nil)
        let wrong = try mesh("\(name), \(limit): many")
        #expect(wrong.snapshot.workloads.values.first?.activation == nil)
        #expect(wrong.warnings().count == 1)
    }

    @Test("Services are in order of age, then name, whatever order they came in")
    func order() throws {
        let documents = [
            Samples.entry("{hosts: [c.test, b.test], ports: [{number: 1, name: p}]}", name: "y"),
            Samples.entry("{hosts: [a.test], ports: [{number: 1, name: p}]}", name: "z"),
            Samples.entry(
                "{hosts: [d.test], ports: [{number: 1, name: p}]}",
                name: "x",
                created: "2026-01-03T00:00:00Z"
            ),
            Samples.ratings,
        ]
        let forward = try Mesh(documents.joined(separator: "\n---\n")).snapshot
        let backward = try Mesh(documents.reversed().joined(separator: "\n---\n")).snapshot

        #expect(
            forward.services.map(\.host.text) == [
                "ratings.default.svc.cluster.local", "c.test", "b.test", "a.test", "d.test",
            ]
        )
        #expect(forward.services == backward.services)
        #expect(forward.endpoints == backward.endpoints)
        #expect(forward.diagnoses == backward.diagnoses)
    }

    @Test("A pod's labels say where it is and whether it has an identity")
    func topology() throws {
        func endpoint(_ labels: String) throws -> Endpoint {
            let mesh = try Mesh(Samples.ratings.replacing("version: v1}", with: "version: v1, \(labels)}"))
            return try #require(mesh.endpoints("ratings.default.svc.cluster.local").last)
        }
        let plain = try endpoint("a: b")
        #expect(!plain.hasMeshIdentity && plain.locality.isEmpty && plain.network == "")
        let injected = try endpoint(
            """
            security.istio.io/tlsMode: istio, topology.kubernetes.io/region: eu, topology.kubernetes.io/zone: a,
              topology.istio.io/network: n
            """
        )
        #expect(injected.hasMeshIdentity && injected.network == "n")
        #expect(injected.locality == Locality(region: "eu", zone: "a"))
        let told = try endpoint("istio-locality: us.b.rack-1, topology.kubernetes.io/region: eu")
        #expect(told.locality == Locality(region: "us", zone: "b", subzone: "rack-1"))
        #expect(try !endpoint("security.istio.io/tlsMode: disabled").hasMeshIdentity)
    }

    @Test(
        "To a workload that takes plain text only nobody shall speak mutual TLS",
        arguments: [("mtls: {mode: DISABLE}", false), ("mtls: {mode: STRICT}", true), ("mtls: {mode: UNSET}", true)]
    )
    func plainText(_ spec: String, _ isMarked: Bool) throws {
        let injected = "version: v1, security.istio.io/tlsMode: istio}"
        let mesh = try Mesh(
            Samples.ratings.replacing("version: v1}", with: injected) + "\n---\n"
                + Samples.security("PeerAuthentication", "{\(spec)}", namespace: "istio-system")
        )

        let endpoint = try #require(mesh.endpoints("ratings.default.svc.cluster.local").last)

        #expect(endpoint.hasMeshIdentity == isMarked)
    }

    @Test("Whatever the order of the objects, the snapshot is the same")
    func anyOrder() throws {
        var documents = EgressReference.variants[2].flatMap { $0.split(separator: "\n---\n").map(String.init) }
        documents += EgressReference.gatewayService.split(separator: "\n---\n").map(String.init)
        documents += Samples.ratings.split(separator: "\n---\n").map(String.init)
        documents += [
            Samples.gateway("[{port: {number: 9, protocol: TCP}, hosts: [a.test, b.test]}]", name: "other"),
            Samples.gateway(
                "[{port: {number: 9, protocol: HTTPS}, hosts: [a.test], tls: {mode: SIMPLE, credentialName: c}}]"
            ),
            Samples.secret(["tls.crt": Samples.pem, "tls.key": Samples.keyPEM], name: "c"),
            Samples.security("PeerAuthentication", "{mtls: {mode: STRICT}}", namespace: "istio-system"),
            Samples.security("AuthorizationPolicy", "{action: DENY, rules: [{}]}", name: "b"),
            Samples.security("AuthorizationPolicy", "{rules: [{from: [{}]}]}", name: "a"),
            Samples.security("RequestAuthentication", "{jwtRules: [{issuer: a, jwksUri: 'https://a/k'}]}"),
            Samples.legacy("{targets: [{name: ratings, ports: [{number: 9080}]}], peers: [{mtls: {}}]}", name: "p"),
            Samples.legacy("{targets: [{name: ratings}, {name: nobody}]}", name: "q"),
            Samples.settings("{trustDomain: td.test}"),
        ]
        let expected = try Mesh(documents.joined(separator: "\n---\n")).snapshot
        #expect(expected.gateways.count == 3 && expected.credentials.count == 1 && expected.peerPolicies.count == 3)
        // A fixed seed, so that a failure can be repeated.
        var seed: UInt64 = 42
        for _ in 0..<20 {
            for index in documents.indices.dropFirst() {
                seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                documents.swapAt(index, Int(seed >> 33) % (index + 1))
            }
            let snapshot = try Mesh(documents.joined(separator: "\n---\n")).snapshot
            #expect(snapshot.gateways == expected.gateways)
            #expect(snapshot.credentials == expected.credentials)
            #expect(snapshot.peerPolicies == expected.peerPolicies)
            #expect(snapshot.authorizationRules == expected.authorizationRules)
            #expect(snapshot.requestAuthentications == expected.requestAuthentications)
            #expect(snapshot.services == expected.services && snapshot.endpoints == expected.endpoints)
            #expect(snapshot.routeRules == expected.routeRules)
            #expect(snapshot.destinationPolicies == expected.destinationPolicies)
            #expect(snapshot.settings == expected.settings && snapshot.diagnoses == expected.diagnoses)
        }
    }

    @Test("Versions of the objects behind a snapshot are in it")
    func resourceVersions() throws {
        let mesh = try Mesh(
            "{kind: Gateway, metadata: {name: g, namespace: a, resourceVersion: \"7\"}, spec: {}}\n---\n"
                + Samples.ratings
        )
        let gateway = ObjectReference(kind: "Gateway", id: ObjectID(namespace: "a", name: "g"))
        #expect(mesh.snapshot.resourceVersions[gateway] == "7")
        #expect(mesh.snapshot.resourceVersions.count == 2)
    }

    @Test("A broken object is left out and named; the others stay")
    func brokenObject() throws {
        let mesh = try Mesh(
            [Samples.entry("{hosts: 5}", name: "broken"), Samples.mysqlExternal].joined(separator: "\n---\n")
        )
        #expect(mesh.snapshot.services.map(\.host.text) == ["mysqldb.outside.test"])
        #expect(mesh.snapshot.diagnoses.map(\.object.id.name) == ["broken"])
    }

    @Test("A ServiceEntry for the host of a Service is warned about")
    func repeatedHost() throws {
        let entry = Samples.entry("{hosts: [ratings.default.svc.cluster.local], ports: [{number: 1, name: p}]}")
        let mesh = try Mesh(Samples.ratings + "\n---\n" + entry)
        #expect(mesh.warnings().first?.contains("which wins") == true)
    }
}

@Suite struct MeshChangeTests {
    private var ratings: ServiceKey {
        get throws {
            ServiceKey(
                source: ObjectReference(kind: "Service", id: ObjectID(namespace: "default", name: "ratings")),
                host: try #require(HostName("ratings.default.svc.cluster.local"))
            )
        }
    }

    private static let movedPod = """
        apiVersion: v1
        kind: Pod
        metadata: {name: ratings-v1, namespace: default, labels: {app: ratings, version: v2}}
        spec: {serviceAccountName: bookinfo-ratings}
        status: {phase: Running, podIP: 10.213.1.5, conditions: [{type: Ready, status: "True"}]}
        """

    @Test("An object that says nothing new changes nothing")
    func nothingNew() throws {
        var mesh = try Mesh(Samples.ratings + "\n---\n" + Samples.mysqlExternal)
        let again = try mesh.apply(Samples.ratings + "\n---\n" + Samples.mysqlExternal)
        #expect(again == [.nothing, .nothing, .nothing, .nothing])
    }

    @Test("Pods and slices touch endpoints of their services only; services and rules touch all")
    func kinds() throws {
        var mesh = try Mesh(Samples.ratings)
        #expect(try mesh.apply(Self.movedPod) == [.endpoints([try self.ratings])])
        #expect(mesh.delete(.endpointSlice, "ratings-1") == .endpoints([try self.ratings]))
        #expect(mesh.delete(.pod, "ratings-v1") == .endpoints([]))
        #expect(mesh.delete(.pod, "ratings-v1") == .nothing)
        #expect(mesh.delete(.service, "ratings") == .full)
        #expect(try mesh.apply(Samples.mysqlExternal) == [.full])
    }

    @Test("A relist that lacks objects deletes them")
    func relist() throws {
        var mesh = try Mesh(Samples.ratings)
        #expect(mesh.objects.apply(.service, .replacedAll([])) == .full)
        #expect(mesh.snapshot.services.isEmpty)
        #expect(mesh.objects.apply(.service, .replacedAll([])) == .nothing)
    }

    @Test("Changes add up")
    func merging() throws {
        let key = try self.ratings
        #expect(MeshChange.nothing.merged(with: .endpoints([key])) == .endpoints([key]))
        #expect(MeshChange.endpoints([]).merged(with: .endpoints([key])) == .endpoints([key]))
        #expect(MeshChange.endpoints([key]).merged(with: .full) == .full)
        #expect(MeshChange.nothing.merged(with: .nothing) == .nothing)
    }

    @Test("A snapshot rebuilt after a change equals one from scratch")
    func rebuild() throws {
        let entry = Samples.entry(
            """
            {hosts: [a.test], resolution: STATIC, workloadSelector: {labels: {version: v2}},
             ports: [{number: 80, name: h, protocol: HTTP}]}
            """
        )
        let others = [
            Samples.legacy("{targets: [{name: ratings, ports: [{number: 9080}]}]}"),
            Samples.gateway(
                "[{port: {number: 9, protocol: HTTPS}, hosts: [a.test], tls: {mode: SIMPLE, credentialName: c}}]"
            ).replacing("istio: egressgateway", with: "version: v2"),
            Samples.secret(["tls.crt": Samples.pem, "tls.key": Samples.keyPEM], name: "c", namespace: "default"),
        ]
        var mesh = try Mesh(([Samples.ratings, entry] + others).joined(separator: "\n---\n"))
        var snapshot = mesh.snapshot
        func check(_ change: MeshChange) {
            snapshot = SnapshotBuilder.rebuild(snapshot, after: change, of: mesh.objects, revision: 2)
            let fresh = SnapshotBuilder.build(mesh.objects, revision: 2)
            #expect(snapshot.services == fresh.services)
            #expect(snapshot.endpoints == fresh.endpoints)
            #expect(snapshot.workloads == fresh.workloads)
            #expect(snapshot.peerPolicies == fresh.peerPolicies)
            #expect(snapshot.credentials == fresh.credentials)
            #expect(snapshot.diagnoses == fresh.diagnoses)
            #expect(snapshot.revision == 2)
        }

        for change in try mesh.apply(Self.movedPod) { check(change) }
        #expect(mesh.endpoints("a.test").count == 1)
        check(mesh.delete(.endpointSlice, "ratings-1"))
        check(mesh.delete(.pod, "ratings-v1"))
        check(try mesh.apply(Samples.ratings).reduce(.nothing) { $0.merged(with: $1) })
        for change in try mesh.apply(
            """
            {apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, endpoints: [{addresses: [x]}],
             metadata: {name: bad, namespace: default, labels: {kubernetes.io/service-name: ratings}}}
            """
        ) { check(change) }
        #expect(mesh.errors().count == 1)
        check(mesh.delete(.endpointSlice, "bad"))
        check(mesh.delete(.service, "ratings"))
    }
}
