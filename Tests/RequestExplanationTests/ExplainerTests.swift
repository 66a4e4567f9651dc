import MeshModel
import RequestExplanation
import Testing

import struct Foundation.Data

@Suite struct ExplainerTests {
    private func host(_ text: String) throws -> HostName { try #require(HostName(text)) }
    private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }
    private func port(_ number: Int) throws -> Port { try #require(Port(number)) }

    private func reference(_ kind: String, _ name: String, in namespace: String = "default") -> ObjectReference {
        ObjectReference(kind: kind, id: ObjectID(namespace: namespace, name: name))
    }

    /// A mesh with the pods `sleep` and `web`, each with a sidecar, and the service `web`.
    private func mesh() throws -> MeshSnapshot {
        var snapshot = MeshSnapshot(revision: 7)
        for (name, text) in [("sleep", "10.213.1.1"), ("web", "10.213.1.2")] {
            let address = try self.address(text)
            snapshot.workloads[address] = Workload(
                id: ObjectID(namespace: "default", name: name),
                address: address,
                labels: ["app": name, "security.istio.io/tlsMode": "istio"],
                serviceAccount: name
            )
        }
        let web = Service(
            host: try self.host("web.default.svc.cluster.local"),
            addresses: [CIDR(try self.address("10.214.0.5"))],
            ports: [ServicePort(name: "http", port: try self.port(80), applicationProtocol: .http)],
            source: self.reference("Service", "web"),
            selector: ["app": "web"]
        )
        var endpoint = Endpoint(
            address: .ip(try self.address("10.213.1.2")),
            port: try self.port(8080),
            servicePortName: "http",
            workload: ObjectID(namespace: "default", name: "web"),
            serviceAccount: "web"
        )
        endpoint.hasMeshIdentity = true
        snapshot.services = [web]
        snapshot.endpoints = [ServiceKey(web): [endpoint]]
        snapshot.resourceVersions = [self.reference("Service", "web"): "42"]
        return snapshot
    }

    private func explain(_ url: String, from pod: String = "sleep", in snapshot: MeshSnapshot) throws -> Explanation {
        Explainer.explain(try Question(from: ObjectID(namespace: "default", name: pod), url: url), in: snapshot)
    }

    @Test("DNS-bound egress blocks a dialled address and another host's name, and says what would allow it")
    func dnsBoundEgress() throws {
        var mesh = try self.mesh()
        mesh.settings.dnsBoundEgress.mode = .enforce

        let literal = try self.explain("http://10.214.0.5/", in: mesh)
        #expect(!literal.isAllowed && literal.outcome.contains("10.214.0.5 is dialled as it is"))
        #expect(literal.remedy?.contains("ipLiterals:\n    - 10.214.0.5/32") == true)
        let question = try Question(
            from: ObjectID(namespace: "default", name: "sleep"),
            url: "http://web/",
            headers: ["Host": "edition.cnn.com"]
        )
        let spoofed = Explainer.explain(question, in: mesh)
        #expect(!spoofed.isAllowed && spoofed.outcome.contains("edition.cnn.com"))
        #expect(try self.explain("http://web/", in: mesh).isAllowed)

        mesh.settings.dnsBoundEgress.literals = [try #require(CIDR("10.214.0.5/32"))]
        #expect(try self.explain("http://10.214.0.5/", in: mesh).isAllowed)
    }

    @Test("A request to a service is followed through both sidecars, with the object and its version at each step")
    func allowed() throws {
        let found = try self.explain("http://web/index", in: try self.mesh())

        #expect(found.isAllowed)
        #expect(found.outcome == "Allowed: it reaches default/web, port 8080.")
        let name = try #require(found.steps.first { $0.aspect == .name })
        #expect(name.text.contains("web.default.svc.cluster.local, 10.214.0.5"))
        #expect(name.object == "Service default/web" && name.resourceVersion == "42")
        #expect(found.steps.map(\.proxy).contains("web.default (sidecar)"))
        #expect(
            found.steps.contains {
                $0.aspect == .tls && $0.text.contains("mutual TLS ends here")
                    && $0.text.contains("spiffe://cluster.local/ns/default/sa/sleep")
            }
        )
    }

    @Test(
        "A host that nobody declared is blocked, and the remedy is a ServiceEntry for exactly it",
        arguments: [
            ("http://edition.cnn.com/politics", "number: 80", "protocol: HTTP"),
            ("https://edition.cnn.com/", "number: 443", "protocol: TLS"),
        ]
    )
    func blocked(_ url: String, _ number: String, _ word: String) throws {
        let found = try self.explain(url, in: try self.mesh())

        #expect(!found.isAllowed && found.outcome.hasPrefix("Blocked"))
        let remedy = try #require(found.remedy)
        for part in ["kind: ServiceEntry", "- edition.cnn.com", number, word, "resolution: DNS"] {
            #expect(remedy.contains(part), "\(remedy)")
        }
    }

    @Test("An address that nobody declared is allowed by a ServiceEntry with that address")
    func blockedAddress() throws {
        let found = try self.explain("tcp://10.9.8.7:3306", in: try self.mesh())

        #expect(!found.isAllowed)
        #expect(found.remedy?.contains("- 10.9.8.7/32") == true && found.remedy?.contains("resolution: NONE") == true)
    }

    @Test("A declared host leaves the mesh, and without the entry it does not")
    func declared() throws {
        var snapshot = try self.mesh()
        snapshot.services.append(
            Service(
                host: try self.host("edition.cnn.com"),
                ports: [ServicePort(name: "http", port: try self.port(80), applicationProtocol: .http)],
                resolution: .dns(roundRobin: false),
                isExternal: true,
                source: self.reference("ServiceEntry", "cnn")
            )
        )

        let found = try self.explain("http://edition.cnn.com/", in: snapshot)

        #expect(found.isAllowed)
        #expect(found.steps.contains { $0.object == "ServiceEntry default/cnn" })
        #expect(found.outcome.contains("edition.cnn.com:80"))
    }

    @Test("A policy that denies is named, and one that allows too little comes with the rule that is missing")
    func denied() throws {
        var snapshot = try self.mesh()
        var rule = AuthorizationRules.Rule()
        var operation = AuthorizationRules.Operation()
        operation.paths = ["/admin*"]
        rule.operations = [operation]
        snapshot.authorizationRules = [
            AuthorizationRules(source: self.reference("AuthorizationPolicy", "no-admin"), action: .deny, rules: [rule])
        ]
        let denied = try self.explain("http://web/admin/x", in: snapshot)
        let other = try self.explain("http://web/index", in: snapshot)
        snapshot.authorizationRules[0].action = .allow
        let missing = try self.explain("http://web/index", in: snapshot)

        #expect(!denied.isAllowed && denied.outcome.contains("denied by default/no-admin rule 0"))
        #expect(denied.steps.last?.object == "AuthorizationPolicy default/no-admin")
        #expect(denied.remedy?.contains("AuthorizationPolicy default/no-admin rule 0") == true)
        #expect(denied.remedy?.contains("notPrincipals: [\"cluster.local/ns/default/sa/sleep\"]") == true)
        #expect(other.isAllowed)
        #expect(!missing.isAllowed)
        #expect(missing.remedy?.contains("cluster.local/ns/default/sa/sleep") == true)
        #expect(missing.remedy?.contains("paths: [\"/index\"]") == true)
    }

    @Test("Mutual TLS that is required of a client without it is named with its policy")
    func strict() throws {
        var snapshot = try self.mesh()
        snapshot.settings.automaticMutualTLS = false
        snapshot.peerPolicies = [
            PeerPolicy(source: self.reference("PeerAuthentication", "default"), mode: .strict)
        ]

        let found = try self.explain("http://web/", in: snapshot)

        #expect(!found.isAllowed && found.outcome.contains("mutual TLS is required"))
        #expect(found.steps.last?.object == "PeerAuthentication default/default")
    }

    @Test("Who is no pod, and what is no URL, is said")
    func mistakes() throws {
        #expect(try self.explain("http://web/", from: "nobody", in: try self.mesh()).outcome.contains("no running pod"))
        #expect(throws: Question.Malformed.self) { try self.explain("web", in: MeshSnapshot()) }
        #expect(throws: Question.Malformed.self) { try self.explain("tcp://web", in: MeshSnapshot()) }
    }

    @Test("What a Sidecar does not import is blocked by its name, and the remedy is the Sidecar with one host more")
    func sidecar() throws {
        var snapshot = try self.mesh()
        snapshot.services[0].source = self.reference("Service", "web", in: "shop")
        snapshot.services[0].host = try self.host("web.shop.svc.cluster.local")
        snapshot.endpoints = [ServiceKey(snapshot.services[0]): snapshot.endpoints.values.flatMap { $0 }]
        snapshot.sidecars = [
            SidecarRules(
                source: self.reference("Sidecar", "default"),
                selector: ["app": "sleep"],
                imports: [.init(namespace: .own, host: try self.host("*"))]
            )
        ]

        for host in ["web.shop", "web.shop.svc.cluster.local", "10.214.0.5"] {
            let found = try self.explain("http://\(host)/", in: snapshot)

            #expect(!found.isAllowed)
            #expect(found.outcome.contains("Sidecar default/default does not import web.shop.svc.cluster.local"))
            #expect(found.remedy?.contains("      app: \"sleep\"") == true)
            #expect(found.remedy?.contains("    - \"./*\"\n    - \"shop/web.shop.svc.cluster.local\"") == true)
        }
        let unknown = try self.explain("http://nobody.test/", in: snapshot)
        #expect(unknown.remedy?.contains("kind: ServiceEntry") == true)
        snapshot.sidecars = []
        #expect(try self.explain("http://web.shop/", in: snapshot).isAllowed)
    }

    @Test("A port of a Sidecar's ingress leads to where that says the application is")
    func ingress() throws {
        var snapshot = try self.mesh()
        var rules = SidecarRules(source: self.reference("Sidecar", "inwards"), selector: ["app": "web"])
        rules.entrances = [
            .init(
                port: try self.port(8080),
                applicationProtocol: .http,
                target: .loopback(try self.port(9999), isIPv6: false)
            )
        ]
        snapshot.sidecars = [rules]

        let found = try self.explain("http://web/", in: snapshot)

        #expect(found.isAllowed)
        #expect(found.outcome == "Allowed: it reaches default/web, at 127.0.0.1:9999.")
        #expect(found.steps.last?.object == "Sidecar default/inwards")
    }

    // MARK: The policy engine

    /// The mesh with an engine that its proxies ask, and the quotas of `web`.
    private func engineMesh(_ change: (inout MeshSnapshot) throws -> Void = { _ in }) throws -> MeshSnapshot {
        var mesh = try self.mesh()
        let engine = Service(
            host: try self.host("istio-policy.istio-system.svc.cluster.local"),
            addresses: [CIDR(try self.address("10.214.0.9"))],
            ports: [ServicePort(name: "grpc-mixer", port: try self.port(9091), applicationProtocol: .grpc)],
            source: self.reference("Service", "istio-policy", in: "istio-system")
        )
        mesh.services.append(engine)
        let server = PolicyEngineSettings.Server(host: engine.host, port: try self.port(9091))
        mesh.settings.policyEngine.checkServer = server
        mesh.settings.policyEngine.reportServer = server
        try change(&mesh)
        return mesh
    }

    @Test("The policy engine is named, with what becomes of the request without it, and what is asked about")
    func engine() throws {
        let found = try self.explain("http://web/index?k=1", in: try self.engineMesh())

        let text = try #require(found.steps.first { $0.text.contains("is asked") }?.text)
        #expect(text.contains("(outbound|9091||istio-policy.istio-system.svc.cluster.local) is asked, and told"))
        #expect(text.contains("refused with 503 (fail closed)"))
        // The client's proxy reports, and does not ask.
        let client = try #require(found.engines.first)
        #expect(client.pod == "default/sleep" && client.isOutbound && client.checks == nil && client.reports != nil)
        let visit = try #require(found.engines.last)
        #expect(found.engines.count == 2 && visit.pod == "default/web" && !visit.isOutbound)
        #expect(visit.destination == "10.213.1.2:8080" && visit.source == "10.213.1.1")
        #expect(visit.peer == "spiffe://cluster.local/ns/default/sa/sleep" && visit.isTLS)
        #expect(visit.target == "/index?k=1" && visit.authority == "web")
        #expect(visit.headers.count == 2 && visit.headers[0] == "x-forwarded-proto: http")
        let told = try #require(visit.headers.last?.split(separator: " "))
        #expect(told.first == "x-istio-attributes:")
        let attributes = try #require(Data(base64Encoded: String(told[1])))
        #expect(String(decoding: attributes, as: UTF8.self).hasSuffix("kubernetes://sleep.default"))
        #expect(found.isAllowed)
    }

    @Test("Reports alone, an open way and quotas are told as they are")
    func engineSettings() throws {
        func texts(_ change: (inout MeshSnapshot) throws -> Void) throws -> [String] {
            try self.explain("http://web/", in: try self.engineMesh(change)).steps
                .filter { $0.aspect == .policy && $0.proxy.hasPrefix("web.") }
                .map(\.text)
        }
        let reports = try texts { $0.settings.policyEngine.checkServer = nil }
        #expect(reports.count == 1 && reports[0].contains("is told what becomes of the request, and not asked"))
        let open = try texts { $0.settings.policyEngine.failsOpen = true }
        #expect(open.first?.contains("passes (fail open)") == true)
        let silent = try texts { $0.settings.policyEngine.reportServer = nil }
        #expect(silent.first?.contains("is asked, and told nothing") == true)
        #expect(try texts { $0.settings.policyEngine = PolicyEngineSettings() } == [])
    }

    @Test("Of a connection it is told that it is asked about, charged and closed")
    func connections() throws {
        let mesh = try self.engineMesh { snapshot in
            snapshot.settings.policyEngine.checksClients = true
            let database = Service(
                host: try self.host("db.test"),
                ports: [ServicePort(name: "tcp", port: try self.port(3306), applicationProtocol: .tcp)],
                resolution: .dns(roundRobin: false),
                isExternal: true,
                source: self.reference("ServiceEntry", "db")
            )
            snapshot.services.append(database)
            snapshot.quotas = [
                QuotaBinding(
                    source: self.reference("QuotaSpecBinding", "connections"),
                    createdAt: 1,
                    hosts: [database.host],
                    rules: [.init(matches: [], charges: ["connections": 2])]
                )
            ]
        }
        let found = try self.explain("tcp://db.test:3306", in: mesh)
        let texts = found.steps.filter { $0.aspect == .policy }.map(\.text)
        #expect(texts.contains { $0.contains("without an answer the connection is closed (fail closed)") }, "\(texts)")
        #expect(texts.contains("charged if it may pass: connections 2; closed when used up"), "\(texts)")
        let visit = try #require(found.engines.first)
        #expect(found.engines.count == 1 && visit.isOutbound && visit.checks != nil)
        #expect(visit.destination.hasSuffix(":3306"))
    }
}
