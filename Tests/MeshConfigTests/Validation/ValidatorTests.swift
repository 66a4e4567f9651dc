import KubernetesAPI
import MeshConfig
import MeshModel
import Testing

@Suite struct ValidatorTests {
    private func errors(_ yaml: String) throws -> [String] {
        Validator.errors(for: KubernetesObject(json: try YAML.parse(yaml))).map(\.description)
    }

    @Test("The reference's entry is accepted, in each version of the group", arguments: ["v1alpha3", "v1beta1", "v1"])
    func reference(_ version: String) throws {
        #expect(try self.errors(Samples.mysqlExternal.replacing("v1alpha3", with: version)) == [])
    }

    @Test("A field that nobody knows is refused")
    func unknownField() throws {
        let errors = try self.errors(Samples.entry("{hosts: [a.test], prots: [{number: 1}]}"))
        #expect(errors.first?.contains("prots") == true, "\(errors)")
    }

    @Test("All mistakes are named, each with its path")
    func allMistakes() throws {
        let errors = try self.errors(
            Samples.entry(
                "{hosts: [\"*\"], addresses: [x], ports: [{number: 0, protocol: TCP}, {number: 1, protocol: Q}]}"
            )
        )
        #expect(
            errors.map { String($0.prefix { $0 != " " }) } == [
                "spec.addresses[0]:", "spec.ports[0].number:", "spec.ports[1].protocol:", "spec.hosts[0]:",
            ]
        )
    }

    @Test("Warnings do not refuse an object")
    func warnings() throws {
        let routes = Samples.routes(
            "{hosts: [a.test], http: [{mirror: {host: b.test}, route: [{destination: {host: a}}]}]}"
        )
        #expect(try self.errors(routes) == [])
    }

    @Test(
        "Objects of security are accepted and refused in each version of their groups",
        arguments: [
            ("security.istio.io/v1", "PeerAuthentication", "{mtls: {mode: STRICT}}", "{mtls: {mode: X}}"),
            ("security.istio.io/v1beta1", "PeerAuthentication", "{}", "{mltS: {}}"),
            ("security.istio.io/v1beta1", "AuthorizationPolicy", "{rules: [{}]}", "{rules: [{from: [{}]}]}"),
            ("security.istio.io/v1", "RequestAuthentication", "{}", "{jwtRules: [{issuer: a}]}"),
            ("authentication.istio.io/v1alpha1", "Policy", "{peers: [{mtls: }]}", "{peers: [{}]}"),
            ("authentication.istio.io/v1alpha1", "MeshPolicy", "{}", "{targets: [{name: a}]}"),
            (
                "networking.istio.io/v1alpha3", "Gateway",
                "{servers: [{port: {number: 1, protocol: TCP}, hosts: [a]}]}",
                "{servers: [{port: {number: 1, protocol: TCP}}]}"
            ),
        ]
    )
    func newKinds(_ version: String, _ kind: String, _ good: String, _ bad: String) throws {
        func object(_ spec: String) -> String {
            "{apiVersion: \(version), kind: \(kind), metadata: {name: default, namespace: a}, spec: \(spec)}"
        }
        #expect(try self.errors(object(good)) == [])
        #expect(try self.errors(object(bad)).count == 1)
    }

    @Test("Diagnoses tell warnings from errors, with object and field")
    func diagnoses() throws {
        let yaml = Samples.gateway(
            "[{port: {number: 1, protocol: TCP}, hosts: [a, a], defaultEndpoint: x}, {port: {number: 0, protocol: TCP}, hosts: [a]}]"
        )
        let found = Validator.diagnoses(for: KubernetesObject(json: try YAML.parse(yaml)))
        #expect(found.map(\.severity) == [.warning, .warning, .error])
        #expect(found.map(\.object.description) == Array(repeating: "Gateway default/g", count: 3))
        #expect(found.last?.field == "spec.servers[1].port.number")
    }

    @Test("A kind of another group with a name of ours is not judged")
    func otherGroups() throws {
        let yaml =
            "{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: g}, spec: {listeners: []}}"
        #expect(Validator.diagnoses(for: KubernetesObject(json: try YAML.parse(yaml))) == [])
    }

    @Test("Kinds that are not ours are not judged")
    func otherKinds() throws {
        #expect(try self.errors("{apiVersion: v1, kind: Service, spec: {x: 1}}") == [])
        #expect(try self.errors("{apiVersion: networking.istio.io/v1, kind: EnvoyFilter, spec: {x: 1}}") == [])
    }
}
