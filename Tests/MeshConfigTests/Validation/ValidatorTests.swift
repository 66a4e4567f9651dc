import KubernetesAPI
import MeshConfig
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

    @Test("Kinds that are not ours are not judged")
    func otherKinds() throws {
        #expect(try self.errors("{apiVersion: v1, kind: Service, spec: {x: 1}}") == [])
        #expect(try self.errors("{apiVersion: networking.istio.io/v1, kind: Sidecar, spec: {x: 1}}") == [])
    }
}
