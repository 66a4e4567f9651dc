import KubernetesAPI
import MeshConfig
import MeshModel
import Testing

@Suite struct GatewayTests {
    private func server(_ spec: String) throws -> GatewayRules.Server? {
        let mesh = try Mesh(Samples.gateway("[\(spec)]"))
        #expect(mesh.errors() == [])
        return mesh.snapshot.gateways.first?.servers.first
    }

    @Test("A whole Gateway is read")
    func whole() throws {
        let mesh = try Mesh(
            Samples.gateway(
                """
                [{name: one, bind: 10.0.0.1, port: {number: 443, name: h, protocol: https},
                  hosts: ["./a.test", "*/b.test", "other/*.c.test", "*"],
                  tls: {mode: MUTUAL, serverCertificate: /c, privateKey: /k, caCertificates: /r, caCrl: /l,
                        subjectAltNames: [x], minProtocolVersion: TLSV1_2, maxProtocolVersion: TLSV1_3,
                        cipherSuites: [ECDHE-RSA-AES128-GCM-SHA256]}},
                 {port: {number: 80, name: http, protocol: HTTP}, hosts: [a.test], tls: {httpsRedirect: true}}]
                """
            )
        )
        #expect(mesh.errors() == [])
        let gateway = try #require(mesh.snapshot.gateways.first)
        #expect(gateway.qualifiedName == "default/g" && gateway.selector == ["istio": "egressgateway"])
        let server = try #require(gateway.servers.first)
        #expect(server.name == "one" && server.portName == "h" && server.serverProtocol == .https)
        #expect(server.bind == IPAddress("10.0.0.1") && server.port == Port(443))
        let names = try ["a.test", "b.test", "*.c.test", "*"].map { try #require(HostName($0)) }
        #expect(
            server.hosts == [
                .init(owner: .namespace("default"), name: names[0]), .init(name: names[1]),
                .init(owner: .namespace("other"), name: names[2]), .init(name: names[3]),
            ]
        )
        let tls = try #require(server.tls)
        #expect(tls.mode == .mutual && tls.certificatePath == "/c" && tls.privateKeyPath == "/k")
        #expect(tls.rootsPath == "/r" && tls.revocationListPath == "/l" && tls.subjectAltNames == ["x"])
        #expect(tls.versionMin == .v1_2 && tls.versionMax == .v1_3)
        #expect(tls.cipherSuites == ["ECDHE-RSA-AES128-GCM-SHA256"])
        #expect(gateway.servers[1].tls == nil && gateway.servers[1].redirectsToHTTPS)
    }

    @Test(
        "Every mode of TLS is read",
        arguments: [
            ("{mode: PASSTHROUGH}", ServerTLSSettings.Mode.passthrough), ("{}", .passthrough),
            ("{mode: AUTO_PASSTHROUGH}", .autoPassthrough), ("{mode: ISTIO_MUTUAL}", .istioMutual),
            ("{mode: SIMPLE, credentialName: x}", .simple), ("{mode: MUTUAL, credentialName: x}", .mutual),
            ("{mode: OPTIONAL_MUTUAL, credentialNames: [x]}", .optionalMutual),
            ("{mode: SIMPLE, tlsCertificates: [{serverCertificate: /c, privateKey: /k}]}", .simple),
        ]
    )
    func modes(_ tls: String, _ mode: ServerTLSSettings.Mode) throws {
        let server = try self.server("{port: {number: 443, protocol: TLS}, hosts: [a.test], tls: \(tls)}")
        #expect(server?.tls?.mode == mode)
    }

    @Test(
        "Each mistake is named with its path, and its server is left out",
        arguments: [
            ("{port: {number: 0, protocol: HTTP}, hosts: [a]}", "port.number: 0 is no port"),
            ("{port: {number: 1, protocol: Q}, hosts: [a]}", "port.protocol: `Q` is unknown"),
            ("{port: {number: 1}, hosts: [a]}", "port.protocol: is needed"),
            ("{port: {number: 1, protocol: HTTP}}", "hosts: at least one is needed"),
            ("{port: {number: 1, protocol: HTTP}, hosts: [a..b]}", "hosts[0]: `a..b` is no host name"),
            ("{port: {number: 1, protocol: HTTP}, hosts: [\"?/a\"]}", "hosts[0]: `?` is no namespace"),
            ("{bind: x, port: {number: 1, protocol: HTTP}, hosts: [a]}", "bind: `x` is no IP address"),
            ("{port: {number: 1, protocol: HTTPS}, hosts: [a]}", "tls: is needed with protocol HTTPS"),
            (
                "{port: {number: 1, protocol: HTTP}, hosts: [a], tls: {mode: SIMPLE}}",
                "tls: needs protocol HTTPS or TLS"
            ),
            ("{port: {number: 1, protocol: TCP}, hosts: [a], tls: {mode: SIMPLE}}", "tls: needs protocol TLS"),
        ]
    )
    func mistakes(_ server: String, _ expected: String) throws {
        let good = "{name: good, port: {number: 9, protocol: TCP}, hosts: [b.test]}"
        let mesh = try Mesh(Samples.gateway("[\(server), \(good)]"))
        #expect(mesh.errors().contains { $0.hasPrefix("spec.servers[0].\(expected)") }, "\(mesh.errors())")
        #expect(mesh.snapshot.gateways.first?.servers.map(\.name) == ["good"])
    }

    @Test(
        "Each mistake of TLS is named with its path",
        arguments: [
            ("{mode: SIMPLE}", "serverCertificate: is needed"),
            ("{mode: SIMPLE, serverCertificate: /c}", "privateKey: is needed"),
            ("{mode: MUTUAL, serverCertificate: /c, privateKey: /k}", "caCertificates: is needed"),
            ("{mode: ISTIO_MUTUAL, privateKey: /k}", "privateKey: is the mesh's own"),
            ("{mode: ISTIO_MUTUAL, credentialName: x}", "credentialName: is the mesh's own"),
            ("{mode: AUTO_PASSTHROUGH}", "mode: AUTO_PASSTHROUGH needs protocol TLS"),
            (
                "{mode: SIMPLE, credentialName: x, minProtocolVersion: TLSV1_3, maxProtocolVersion: TLSV1_2}",
                "maxProtocolVersion: is older"
            ),
            (
                "{mode: MUTUAL, credentialName: x, verifyCertificateHash: [abc]}",
                "verifyCertificateHash[0]: is no SHA-256"
            ),
            (
                "{mode: MUTUAL, credentialName: x, verifyCertificateSpki: [AAAA]}",
                "verifyCertificateSpki[0]: is no SHA-256"
            ),
            ("{mode: MUTUAL, credentialName: x, insecureSkipVerify: true}", "insecureSkipVerify: is not supported"),
            ("{mode: MUTUAL, credentialName: x, caCertCredentialName: y}", "caCertCredentialName: is not supported"),
        ]
    )
    func tlsMistakes(_ tls: String, _ expected: String) throws {
        let mesh = try Mesh(
            Samples.gateway("[{port: {number: 443, protocol: HTTPS}, hosts: [a.test], tls: \(tls)}]")
        )
        #expect(mesh.errors().contains { $0.hasPrefix("spec.servers[0].tls.\(expected)") }, "\(mesh.errors())")
        #expect(mesh.snapshot.gateways.isEmpty)
    }

    @Test("Hashes of certificates and keys are accepted in their usual spellings")
    func hashes() throws {
        let hash = Array(repeating: "AB", count: 32).joined(separator: ":")
        let key = String(repeating: "A", count: 43) + "="
        let server = try self.server(
            """
            {port: {number: 443, protocol: HTTPS}, hosts: [a.test], tls: {mode: MUTUAL, credentialName: x,
             verifyCertificateHash: ["\(hash)"], verifyCertificateSpki: ["\(key)"]}}
            """
        )
        #expect(server?.tls?.certificateHashes == [hash] && server?.tls?.publicKeyHashes == [key])
    }

    @Test("A Gateway without servers is refused, and so is a second server of one name")
    func names() throws {
        #expect(try Mesh(Samples.gateway("[]")).errors().first?.hasPrefix("spec.servers: at least one") == true)
        let server = "{name: x, port: {number: 80, protocol: HTTP}, hosts: [a.test]}"
        let mesh = try Mesh(Samples.gateway("[\(server), \(server)]"))
        #expect(mesh.errors().first?.hasPrefix("spec.servers[1].name: `x` is the name of another server") == true)
    }

    @Test("Unknown cipher suites are left out with a warning")
    func cipherSuites() throws {
        let mesh = try Mesh(
            Samples.gateway(
                """
                [{port: {number: 443, protocol: HTTPS}, hosts: [a.test],
                  tls: {mode: SIMPLE, credentialName: x, cipherSuites: [RC4-MD5, AES128-SHA]}}]
                """
            )
        )
        #expect(mesh.snapshot.gateways.first?.servers.first?.tls?.cipherSuites == ["AES128-SHA"])
        #expect(mesh.warnings().contains { $0.hasPrefix("spec.servers[0].tls.cipherSuites[0]: `RC4-MD5` is unknown") })
    }

    @Test("The reference's variants are read without a complaint", arguments: EgressReference.variants)
    func reference(_ documents: [String]) throws {
        let all = ([EgressReference.gatewayService] + documents).joined(separator: "\n---\n")
        let mesh = try Mesh(all)

        #expect(mesh.snapshot.diagnoses == [])
        #expect(mesh.snapshot.gateways.map(\.qualifiedName) == ["default/istio-egressgateway"])
        let rules = try #require(mesh.snapshot.routeRules.first)
        #expect(Set(rules.gateways) == ["mesh", "default/istio-egressgateway"])
        #expect(mesh.snapshot.destinationPolicies.contains { $0.subsets.map(\.name) == ["cnn"] })
        for document in try YAML.documents(all) {
            #expect(Validator.diagnoses(for: KubernetesObject(json: document.value)) == [])
        }
    }

    @Test("What the reference's gateways terminate, and with what")
    func referenceTLS() throws {
        func server(_ text: String) throws -> GatewayRules.Server? {
            try Mesh(text).snapshot.gateways.first?.servers.first
        }
        // Facts #49: port 80 speaks HTTPS here.
        let first = try #require(try server(EgressReference.httpMutual))
        #expect(first.port == Port(80) && first.serverProtocol == .https && first.tls?.mode == .mutual)
        #expect(first.tls?.certificatePath == "/etc/certs/cert-chain.pem")
        #expect(first.tls?.rootsPath == "/etc/certs/root-cert.pem")
        #expect(try server(EgressReference.httpPlain)?.tls == nil)
        #expect(try server(EgressReference.originationPlain)?.serverProtocol == .http)
        #expect(try server(EgressReference.tlsMutual)?.serverProtocol == .tls)
        #expect(try server(EgressReference.tlsPassthrough)?.tls?.mode == .passthrough)
    }

    @Test("The reference's rules originate TLS, by port and by subset")
    func referencePolicies() throws {
        let port = try #require(Port(443))
        let towardsGateway = try #require(
            try Mesh(EgressReference.originationMutual).snapshot.destinationPolicies.first?.subsets.first
        )
        var expected = ClientTLSSettings(mode: .istioMutual)
        expected.serverName = "edition.cnn.com"
        #expect(towardsGateway.labels == [:])
        #expect(towardsGateway.policy?.loadBalancing == .roundRobin)
        #expect(towardsGateway.policy?.tls == nil && towardsGateway.policy?.ports[port]?.tls == expected)
        // Facts #40: settings of a port replace the rest.
        #expect(towardsGateway.policy?.ports[port]?.loadBalancing == nil)
        let outside = try Mesh(EgressReference.originationRoutes).snapshot.destinationPolicies.first
        #expect(outside?.policy.ports[port]?.tls == ClientTLSSettings(mode: .simple))
    }
}
