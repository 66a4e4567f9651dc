import KubernetesAPI
import MeshConfig
import MeshModel
import Testing

/// Settings and objects that say when proxies ask the policy engine.
@Suite struct PolicyEngineTests {
    private func engine(_ settings: String) throws -> PolicyEngineSettings {
        try Mesh(Samples.settings(settings)).snapshot.settings.policyEngine
    }

    @Test("Checks have to be wanted, and need somebody to ask")
    func switches() throws {
        #expect(try self.engine("{}").isOff)
        #expect(try self.engine("{mixerCheckServer: 'istio-policy.istio-system:9091'}").isOff)
        #expect(try self.engine("{disablePolicyChecks: false}").isOff)
        let on = try self.engine("{mixerCheckServer: 'istio-policy.istio-system:9091', disablePolicyChecks: false}")
        #expect(on.checkServer?.host.text == "istio-policy.istio-system.svc.cluster.local")
        #expect(on.checkServer?.port.number == 9091)
        #expect(!on.failsOpen && !on.checksClients && on.reportServer == nil)
    }

    @Test("Clients' proxies ask if that is wanted, and a wish without anybody to ask is pointed out")
    func clients() throws {
        let on = "mixerCheckServer: 'istio-policy.istio-system:9091', disablePolicyChecks: false"
        #expect(try self.engine("{\(on), enableClientSidePolicyCheck: true}").checksClients)
        let mesh = try Mesh(Samples.settings("{enableClientSidePolicyCheck: true}"))
        #expect(mesh.snapshot.diagnoses.contains { $0.field.contains("enableClientSidePolicyCheck") })
    }

    @Test("Reports need no checks")
    func reports() throws {
        let engine = try self.engine("{mixerReportServer: 'mixer.ops.test:9091', policyCheckFailOpen: true}")
        #expect(engine.checkServer == nil && engine.failsOpen)
        #expect(engine.reportServer?.host.text == "mixer.ops.test")
    }

    @Test("What is no host with a port is refused", arguments: ["a.b", "a.b:0", "10.0.0.1:9091", ":9091", "*.b:1"])
    func malformed(_ server: String) throws {
        let mesh = try Mesh(Samples.settings("{mixerReportServer: '\(server)'}"))
        #expect(mesh.errors().contains { $0.contains("mixerReportServer") })
    }

    @Test("Answers may take five seconds, unless the settings say otherwise")
    func timeout() throws {
        let on = "mixerCheckServer: 'istio-policy.istio-system:9091', disablePolicyChecks: false"
        #expect(try self.engine("{\(on)}").checkTimeout == .seconds(5))
        for (text, timeout) in [("100ms", Duration.milliseconds(100)), ("1m30s", .seconds(90)), ("10m", .seconds(600))]
        {
            #expect(try self.engine("{\(on), policyCheckTimeout: \(text)}").checkTimeout == timeout)
        }
    }

    @Test(
        "What is no time to wait is refused, with what is",
        arguments: ["99ms", "601s", "5", "'5'", "soon", "-1s", "{}"]
    )
    func malformed(timeout: String) throws {
        let mesh = try Mesh(Samples.settings("{policyCheckTimeout: \(timeout)}"))
        #expect(
            mesh.errors().contains { $0.contains("mesh.policyCheckTimeout") && $0.contains("from 100ms to 10m") },
            "\(mesh.errors())"
        )
    }

    @Test("A time to wait for nobody is pointed out")
    func timeoutWithoutEngine() throws {
        let mesh = try Mesh(Samples.settings("{policyCheckTimeout: 35s}"))
        #expect(mesh.errors() == [])
        #expect(mesh.snapshot.diagnoses.contains { $0.field.contains("policyCheckTimeout") })
    }

    private static let spec = """
        apiVersion: config.istio.io/v1alpha2
        kind: QuotaSpec
        metadata: {name: count, namespace: istio-system}
        spec:
          rules:
          - match: [{clause: {request.path: {prefix: /a}}}]
            quotas: [{quota: requests, charge: 1}, {quota: requests, charge: 2}]
        """

    @Test("A binding brings the rules that it names to its services")
    func quotas() throws {
        let binding = """
            apiVersion: config.istio.io/v1alpha2
            kind: QuotaSpecBinding
            metadata: {name: count, namespace: istio-system}
            spec:
              quotaSpecs: [{name: count}]
              services:
              - {name: web, namespace: default}
              - {service: '*'}
            """
        let mesh = try Mesh(Self.spec + "\n---\n" + binding)
        #expect(mesh.errors() == [])
        let found = try #require(mesh.snapshot.quotas.first)
        #expect(found.hosts.map(\.text) == ["web.default.svc.cluster.local", "*"])
        #expect(found.rules == [.init(matches: [["request.path": .prefix("/a")]], charges: ["requests": 3])])
    }

    @Test("A binding to a QuotaSpec that is not there is pointed out")
    func missingSpec() throws {
        let mesh = try Mesh(
            """
            apiVersion: config.istio.io/v1alpha2
            kind: QuotaSpecBinding
            metadata: {name: count, namespace: default}
            spec: {quotaSpecs: [{name: count}], services: [{service: '*'}]}
            """
        )
        #expect(mesh.snapshot.quotas == [])
        #expect(mesh.errors().contains { $0.contains("QuotaSpec default/count does not exist") })
    }
}
