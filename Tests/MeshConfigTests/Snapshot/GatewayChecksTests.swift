import KubernetesAPI
import MeshConfig
import MeshModel
import Testing

@Suite struct CredentialTests {
    private static let pod = """
        {kind: Pod, metadata: {name: egress-1, namespace: istio-system, labels: {istio: egressgateway}},
         status: {phase: Running, podIP: 10.213.1.9}}
        """
    private static let gateway = Samples.gateway(
        "[{port: {number: 443, protocol: HTTPS}, hosts: [a.test], tls: {mode: MUTUAL, credentialName: cnn}}]"
    )
    private static let id = ObjectID(namespace: "istio-system", name: "cnn")

    private func mesh(_ documents: String...) throws -> Mesh { try Mesh(documents.joined(separator: "\n---\n")) }

    @Test("Either spelling of a Secret's keys is read, in the namespace of the gateway's pods")
    func spellings() throws {
        for names in [("tls.crt", "tls.key", "ca.crt"), ("cert", "key", "cacert")] {
            let mesh = try self.mesh(
                Self.pod,
                Self.gateway,
                Samples.secret([names.0: Samples.pem, names.1: Samples.keyPEM, names.2: Samples.pem], name: "cnn")
            )
            #expect(mesh.snapshot.diagnoses == [])
            let credential = try #require(mesh.snapshot.credentials[Self.id])
            #expect(credential.certificateChain == Array(Samples.pem.utf8))
            #expect(credential.privateKey == Array(Samples.keyPEM.utf8))
            #expect(credential.roots == Array(Samples.pem.utf8))
        }
    }

    @Test("Roots may be in a Secret of their own")
    func splitSecret() throws {
        let mesh = try self.mesh(
            Self.pod,
            Self.gateway,
            Samples.secret(["tls.crt": Samples.pem, "tls.key": Samples.keyPEM], name: "cnn"),
            Samples.secret(["cacert": Samples.pem], name: "cnn-cacert")
        )
        #expect(mesh.snapshot.diagnoses == [])
        #expect(mesh.snapshot.credentials.keys.map(\.name) == ["cnn"])
        #expect(mesh.snapshot.credentials[Self.id]?.roots.isEmpty == false)
    }

    @Test("Secrets that nobody names are not kept, and change nothing")
    func unnamed() throws {
        var mesh = try self.mesh(Self.pod, Self.gateway)
        let secret = Samples.secret(["tls.crt": Samples.pem, "tls.key": Samples.keyPEM], name: "other")
        #expect(try mesh.apply(secret) == [.nothing])
        #expect(mesh.snapshot.credentials.isEmpty)
        // An API key, and something else of the application's.
        #expect(try mesh.apply(Samples.secret(["key": "abc"], name: "cnn-app")) == [.nothing])
        #expect(mesh.errors() == [])
        let named = Samples.secret(["tls.crt": Samples.pem, "tls.key": Samples.keyPEM], name: "cnn")
        #expect(try mesh.apply(named) == [.full])
        #expect(try mesh.apply(named) == [.nothing])
        #expect(mesh.delete(.secret, "cnn", namespace: "istio-system") == .full)
        #expect(mesh.delete(.secret, "other", namespace: "istio-system") == .nothing)
    }

    @Test("A Secret of another namespace is nobody's, unless no pod is selected")
    func namespaces() throws {
        let own = Samples.secret(
            ["tls.crt": Samples.pem, "tls.key": Samples.keyPEM],
            name: "cnn",
            namespace: "default"
        )
        #expect(try self.mesh(Self.pod, Self.gateway, own).snapshot.credentials.isEmpty)
        var waiting = try self.mesh(Self.gateway, own)
        #expect(waiting.snapshot.credentials.keys.map(\.namespace) == ["default"])
        // The pod decides, as soon as it is there.
        #expect(try waiting.apply(Self.pod) == [.full])
        #expect(waiting.snapshot.credentials.isEmpty)
    }

    @Test("A DestinationRule's Secret is found beside the gateways and in its own namespace")
    func destinationRules() throws {
        let mesh = try self.mesh(
            Self.pod,
            Self.gateway,
            Samples.policy(
                "{host: a.test, trafficPolicy: {portLevelSettings: [{port: {number: 443}, tls: {mode: MUTUAL, credentialName: client}}]}}"
            ),
            Samples.secret(["tls.crt": Samples.pem, "tls.key": Samples.keyPEM], name: "client"),
            Samples.secret(["cacert": Samples.pem], name: "client", namespace: "default")
        )
        #expect(
            mesh.snapshot.credentials.keys.sorted() == [
                ObjectID(namespace: "default", name: "client"), ObjectID(namespace: "istio-system", name: "client"),
            ]
        )
    }

    @Test(
        "What is wrong with a named Secret is said, without its content",
        arguments: [
            (["tls.crt": Samples.pem], "data: has a certificate without its key"),
            (["tls.key": Samples.keyPEM], "data: has a certificate without its key"),
            (["tls.crt": "secret", "tls.key": Samples.keyPEM], "data.tls.crt: is not PEM"),
        ]
    )
    func mistakes(_ data: [String: String], _ expected: String) throws {
        let mesh = try self.mesh(Self.pod, Self.gateway, Samples.secret(data, name: "cnn"))
        #expect(mesh.errors().contains { $0.hasPrefix(expected) }, "\(mesh.errors())")
        #expect(mesh.warnings().contains { $0.contains("there is no Secret istio-system/cnn") })
        #expect(!"\(mesh.snapshot.diagnoses)".contains("c2VjcmV0") && !"\(mesh.snapshot)".contains("c2VjcmV0"))
    }

    @Test("Keys never show in a description")
    func redacted() throws {
        let mesh = try self.mesh(
            Self.pod,
            Self.gateway,
            Samples.secret(["tls.crt": Samples.pem, "tls.key": Samples.keyPEM, "ca.crt": Samples.pem], name: "cnn")
        )
        let text = "\(mesh.snapshot.credentials) \(String(reflecting: mesh.snapshot))"
        #expect(text.contains("[redacted]"))
        let key = Array(Samples.keyPEM.utf8)
        #expect(!text.contains("\(key)".dropFirst().dropLast()))
    }
}

@Suite struct GatewayChecksTests {
    private static let http = "[{port: {number: 80, protocol: HTTP}, hosts: [a.test]}]"
    private static let tls =
        "[{port: {number: 443, protocol: TLS}, hosts: [a.test], tls: {mode: PASSTHROUGH}}]"
    private static let pod = """
        {kind: Pod, metadata: {name: e, namespace: istio-system, labels: {istio: egressgateway}},
         status: {phase: Running, podIP: 10.213.1.9}}
        """

    private func warnings(_ documents: String...) throws -> [String] {
        try Mesh(([Self.pod, Samples.ratings] + documents).joined(separator: "\n---\n")).warnings()
    }

    private func routes(_ host: String, _ gateways: String, match: String = "{uri: {prefix: /}}") -> String {
        Samples.routes(
            """
            {hosts: [\(host)], gateways: \(gateways),
             http: [{match: [\(match)], route: [{destination: {host: ratings}}]}]}
            """
        )
    }

    @Test("A Gateway that selects nobody is warned about")
    func nobody() throws {
        let warnings = try Mesh(Samples.gateway(Self.http)).warnings()
        #expect(warnings == ["spec.selector: no running pod has the labels istio=egressgateway: nobody listens"])
    }

    @Test("A missing Secret is warned about, and one without roots where clients must prove themselves")
    func secrets() throws {
        let gateway = Samples.gateway(
            "[{port: {number: 443, protocol: HTTPS}, hosts: [a.test], tls: {mode: MUTUAL, credentialName: x}}]"
        )
        #expect(try self.warnings(gateway).first?.contains("there is no Secret istio-system/x") == true)
        let secret = Samples.secret(["tls.crt": Samples.pem, "tls.key": Samples.keyPEM], name: "x")
        #expect(try self.warnings(gateway, secret).first?.contains("has no `ca.crt`") == true)
        let roots = Samples.secret(["ca.crt": Samples.pem], name: "x")
        #expect(try self.warnings(gateway, roots).first?.contains("has no certificate with a key") == true)
    }

    @Test("A host of TLS that an older Gateway serves is warned about; plain HTTP is merged")
    func repeatedHosts() throws {
        func younger(_ servers: String) -> String {
            Samples.gateway(servers, name: "younger", created: "2026-01-03T00:00:00Z")
        }
        let warnings = try self.warnings(younger(Self.tls), Samples.gateway(Self.tls))
        #expect(warnings.count == 1)
        #expect(warnings.first?.contains("is served already, by Gateway default/g") == true)
        #expect(try self.warnings(younger(Self.http), Samples.gateway(Self.http)) == [])
        let mixed = try self.warnings(
            Samples.gateway(Self.http),
            younger(Self.tls.replacing("443", with: "80"))
        )
        #expect(mixed.first?.hasPrefix("spec.servers[0].port: port 80 speaks something else already") == true)
    }

    @Test("A VirtualService for a Gateway that is not there is warned about")
    func missingGateway() throws {
        #expect(
            try self.warnings(self.routes("a.test", "[nobody, mesh]"))
                == ["spec.gateways[0]: there is no Gateway default/nobody"]
        )
    }

    @Test("A host that the Gateway does not serve is warned about, whatever the reason")
    func hosts() throws {
        let gateway = Samples.gateway(Self.http)
        #expect(try self.warnings(gateway, self.routes("a.test", "[g]")) == [])
        #expect(try self.warnings(gateway, self.routes("'*.test'", "[g]")) == [])
        let other = try self.warnings(gateway, self.routes("b.test", "[g]"))
        #expect(other.first?.hasPrefix("spec.hosts[0]: `b.test` is not within the hosts of Gateway default/g") == true)
        let foreign = Samples.gateway(Self.http.replacing("a.test]", with: "other/a.test]"))
        #expect(try self.warnings(foreign, self.routes("a.test", "[g]")).count == 1)
        let own = Samples.gateway(Self.http.replacing("a.test]", with: "./a.test]"))
        #expect(try self.warnings(own, self.routes("a.test", "[g]")) == [])
    }

    @Test("A match for a gateway that the object does not name never applies, and its author hears of it")
    func matches() throws {
        let warnings = try self.warnings(
            Samples.gateway(Self.http),
            self.routes("a.test", "[g]", match: "{gateways: [mesh]}")
        )
        #expect(warnings == ["spec.gateways: lacks `mesh`, so that matches for it never apply"])
    }

    @Test(
        "Names of gateways are completed",
        arguments: [
            ("g", "default/g"), ("./g", "default/g"), ("a/g", "a/g"), ("g.a", "a/g"),
            ("g.a.svc.cluster.local", "a/g"), ("mesh", "mesh"),
        ]
    )
    func names(_ name: String, _ full: String) throws {
        let mesh = try Mesh(self.routes("a.test", "['\(name)']"))
        #expect(mesh.snapshot.routeRules.first?.gateways == [full])
    }
}
