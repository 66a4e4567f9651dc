import KubernetesAPI
import MeshConfig
import MeshModel
import Testing

/// Objects that say what requests mean.
@Suite struct APISpecTests {
    private static let petstore = """
        apiVersion: config.istio.io/v1alpha2
        kind: HTTPAPISpec
        metadata: {name: petstore, namespace: shop}
        spec:
          attributes:
            attributes:
              api.service: {stringValue: petstore.test}
              api.level: {int64Value: "3"}
          patterns:
          - attributes: {attributes: {api.operation: {stringValue: findPet}}}
            httpMethod: GET
            uriTemplate: /pets/{id}
          - {httpMethod: POST, regex: '/pets(/.*)?'}
          apiKeys: [{query: token}, {header: X-Token}, {cookie: token}]
        """

    private static func binding(_ services: String = "[{name: web}]", _ specs: String = "[{name: petstore}]") -> String
    {
        """
        apiVersion: config.istio.io/v1alpha2
        kind: HTTPAPISpecBinding
        metadata: {name: petstore, namespace: shop}
        spec: {services: \(services), apiSpecs: \(specs)}
        """
    }

    private static func spec(_ text: String) -> String {
        """
        apiVersion: config.istio.io/v1alpha2
        kind: HTTPAPISpec
        metadata: {name: petstore, namespace: shop}
        spec: \(text)
        """
    }

    @Test("A binding brings the specifications that it names to its services")
    func binding() throws {
        let mesh = try Mesh(Self.petstore + "\n---\n" + Self.binding("[{name: web}, {service: '*.test'}]"))
        #expect(mesh.errors() == [])
        let found = try #require(mesh.snapshot.interfaces.first)
        #expect(found.hosts.map(\.text) == ["web.shop.svc.cluster.local", "*.test"])
        let spec = try #require(found.specs.first)
        #expect(spec.attributes == ["api.service": .text("petstore.test"), "api.level": .number(3)])
        #expect(
            spec.operations == [
                .init(
                    method: "GET",
                    path: .template(try URITemplate(parsing: "/pets/{id}")),
                    attributes: ["api.operation": .text("findPet")]
                ),
                .init(method: "POST", path: .regex("/pets(/.*)?"), attributes: [:]),
            ]
        )
        #expect(spec.keyPlaces == [.query("token"), .header("X-Token"), .cookie("token")])
    }

    @Test("The names that Istio's examples write are the same")
    func otherSpelling() throws {
        let text = Self.petstore.replacing("apiKeys", with: "api_keys").replacing("uriTemplate", with: "uri_template")
        let mesh = try Mesh(text + "\n---\n" + Self.binding().replacing("apiSpecs", with: "api_specs"))
        #expect(mesh.errors() == [])
        #expect(mesh.snapshot.interfaces.first?.specs.first?.operations.count == 2)
    }

    @Test("A binding to a specification that is not there is pointed out")
    func missing() throws {
        let mesh = try Mesh(Self.binding())
        #expect(mesh.snapshot.interfaces == [])
        #expect(mesh.errors().contains { $0.contains("HTTPAPISpec shop/petstore does not exist") })
    }

    @Test(
        "A mistake is refused, with its place",
        arguments: [
            ("{patterns: [{uriTemplate: /a}]}", "spec.patterns[0].httpMethod"),
            ("{patterns: [{httpMethod: 'G T', uriTemplate: /a}]}", "spec.patterns[0].httpMethod"),
            ("{patterns: [{httpMethod: GET}]}", "spec.patterns[0]"),
            ("{patterns: [{httpMethod: GET, uriTemplate: 'a/{b:1}'}]}", "spec.patterns[0].uriTemplate"),
            ("{patterns: [{httpMethod: GET, uriTemplate: '/search{?q*,lang}'}]}", "spec.patterns[0].uriTemplate"),
            ("{patterns: [{httpMethod: GET, regex: '(?=a)'}]}", "spec.patterns[0].regex"),
            ("{apiKeys: [{}]}", "spec.apiKeys[0]"),
            ("{apiKeys: [{header: 'a b'}]}", "spec.apiKeys[0].header"),
            ("{apiKeys: [{cookie: ''}]}", "spec.apiKeys[0].cookie"),
            ("{apiKeys: [{query: ''}]}", "spec.apiKeys[0].query"),
            ("{attributes: {attributes: {source.principal: {stringValue: ann}}}}", "attributes[source.principal]"),
            (
                "{attributes: {attributes: {request.auth.claims: {stringMapValue: {}}}}}",
                "attributes[request.auth.claims]"
            ),
            ("{attributes: {attributes: {api.service: {}}}}", "attributes[api.service]"),
            ("{attributes: {attributes: {api.age: {durationValue: 5s}}}}", "attributes[api.age]"),
            ("{attributes: {attributes: {'': {stringValue: a}}}}", "spec.attributes"),
        ]
    )
    func malformed(_ text: String, _ place: String) throws {
        let errors = Validator.errors(for: KubernetesObject(json: try YAML.parse(Self.spec(text))))
        #expect(errors.contains { $0.path.contains(place) }, "\(errors)")
        #expect(try !Mesh(Self.spec(text)).errors().isEmpty)
    }

    @Test("Specifications have bounds, also those that are bound together")
    func bounds() throws {
        func patterns(_ count: Int, _ form: String) -> String {
            let all = (0..<count).map { "{httpMethod: GET, \(form): /a\($0)}" }
            return Self.spec("{patterns: [\(all.joined(separator: ", "))]}")
        }
        #expect(try Mesh(patterns(APISpec.operationsMax, "uriTemplate")).errors() == [])
        #expect(try !Mesh(patterns(APISpec.operationsMax + 1, "uriTemplate")).errors().isEmpty)
        #expect(try Mesh(patterns(APISpec.regexesMax, "regex")).errors() == [])
        #expect(try !Mesh(patterns(APISpec.regexesMax + 1, "regex")).errors().isEmpty)
        let half = patterns(APISpec.regexesMax / 2 + 1, "regex")
        let both = half + "\n---\n" + half.replacing("name: petstore", with: "name: other") + "\n---\n"
        let mesh = try Mesh(both + Self.binding("[{name: web}]", "[{name: petstore}, {name: other}]"))
        #expect(mesh.errors().contains { $0.contains("spec.apiSpecs") })
        let specs = try #require(mesh.snapshot.interfaces.first).specs
        #expect(specs.count == 2 && APISpec.fitting(specs).count == 1)
    }

    @Test("A field that nobody knows is refused")
    func unknownField() throws {
        let errors = Validator.errors(for: KubernetesObject(json: try YAML.parse(Self.spec("{patern: []}"))))
        #expect(errors.contains { "\($0)".contains("patern") }, "\(errors)")
    }

    @Test("A binding needs services and specifications")
    func empty() throws {
        for text in [Self.binding("[]"), Self.binding("[{name: web}]", "[]"), Self.binding("[{service: 'a b'}]")] {
            #expect(!Validator.errors(for: KubernetesObject(json: try YAML.parse(text))).isEmpty)
        }
    }
}
