import MeshConfig
import MeshModel
import Testing

@Suite struct DestinationRuleTLSTests {
    private func tls(_ spec: String) throws -> ClientTLSSettings? {
        let mesh = try Mesh(Samples.policy("{host: a.test, trafficPolicy: {tls: \(spec)}}"))
        #expect(mesh.errors() == [])
        return mesh.snapshot.destinationPolicies.first?.policy.tls
    }

    @Test("Every mode is read with its fields")
    func modes() throws {
        #expect(try self.tls("{mode: DISABLE}") == ClientTLSSettings(mode: .disable))
        #expect(try self.tls("{mode: SIMPLE}") == ClientTLSSettings(mode: .simple))
        let simple = try #require(
            try self.tls(
                """
                {mode: SIMPLE, caCertificates: /roots.pem, sni: Edition.CNN.com, subjectAltNames: [edition.cnn.com],
                 caCrl: /crl.pem, insecureSkipVerify: false}
                """
            )
        )
        #expect(simple.rootsPath == "/roots.pem" && simple.revocationListPath == "/crl.pem")
        #expect(simple.serverName == "edition.cnn.com" && simple.subjectAltNames == ["edition.cnn.com"])
        #expect(!simple.skipsVerification)
        let mutual = try #require(
            try self.tls("{mode: MUTUAL, clientCertificate: /c.pem, privateKey: /k.pem, caCertificates: /r.pem}")
        )
        #expect(mutual.mode == .mutual && mutual.certificatePath == "/c.pem" && mutual.privateKeyPath == "/k.pem")
        #expect(try self.tls("{mode: MUTUAL, credentialName: client}")?.credentialName == "client")
        let own = try #require(try self.tls("{mode: ISTIO_MUTUAL, sni: a.b, subjectAltNames: [x]}"))
        #expect(own.mode == .istioMutual && own.serverName == "a.b" && own.subjectAltNames == ["x"])
        #expect(try self.tls("{mode: SIMPLE, insecureSkipVerify: true}")?.skipsVerification == true)
    }

    @Test(
        "Each mistake is named with its path, and the rule is left out",
        arguments: [
            ("{mode: MUTUAL}", "clientCertificate: is needed with mode MUTUAL"),
            ("{mode: MUTUAL, clientCertificate: /c}", "privateKey: is needed with mode MUTUAL"),
            ("{mode: MUTUAL, credentialName: x, privateKey: /k}", "credentialName: not together with privateKey"),
            ("{mode: SIMPLE, clientCertificate: /c}", "clientCertificate: needs mode MUTUAL"),
            ("{mode: SIMPLE, privateKey: /k}", "privateKey: needs mode MUTUAL"),
            ("{mode: ISTIO_MUTUAL, caCertificates: /r}", "caCertificates: is the mesh's own"),
            ("{mode: ISTIO_MUTUAL, credentialName: x}", "credentialName: is the mesh's own"),
            ("{mode: SIMPLE, sni: \"*.cnn.com\"}", "sni: `*.cnn.com` is no host name"),
            ("{mode: SIMPLE, subjectAltNames: [\"\"]}", "subjectAltNames[0]: is empty"),
        ]
    )
    func mistakes(_ spec: String, _ expected: String) throws {
        let mesh = try Mesh(Samples.policy("{host: a.test, subsets: [{name: s, trafficPolicy: {tls: \(spec)}}]}"))
        #expect(
            mesh.errors().contains { $0.hasPrefix("spec.subsets[0].trafficPolicy.tls.\(expected)") },
            "\(mesh.errors())"
        )
        #expect(mesh.snapshot.destinationPolicies.isEmpty)
    }

    @Test("A mode that does not exist is not taken for none; a newer field is ignored with a warning")
    func unknown() throws {
        let mode = try Mesh(Samples.policy("{host: a.test, trafficPolicy: {tls: {mode: SIMPEL}}}"))
        #expect(mode.errors().first?.hasPrefix("spec: cannot be read") == true)
        #expect(mode.snapshot.destinationPolicies == [])
        let field = try Mesh(Samples.policy("{host: a.test, somethingNew: 1, trafficPolicy: {tls: {mode: SIMPLE}}}"))
        #expect(field.errors() == [] && field.warnings().first?.contains("somethingNew") == true)
        #expect(field.snapshot.destinationPolicies.first?.policy.tls?.mode == .simple)
    }

    @Test("Fields without a mode have no effect, and the author hears of it")
    func modeMissing() throws {
        let mesh = try Mesh(Samples.policy("{host: a.test, trafficPolicy: {tls: {sni: a.test}}}"))
        #expect(mesh.warnings().first?.hasPrefix("spec.trafficPolicy.tls.mode: is DISABLE") == true)
    }
}
