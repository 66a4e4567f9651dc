import IstioAPI
import KubernetesAPI
import MeshModel

/// A HTTPAPISpecBinding, before the HTTPAPISpecs are found that it names.
struct APIBindingFacts: Hashable, Sendable {
    var source: ObjectReference
    var createdAt: Int64
    var hosts: [HostName]
    var specs: [NamedReference]
}

/// Reads HTTPAPISpecs and HTTPAPISpecBindings.
enum APISpecParser {
    private typealias Spec = Istio_Mixer_V1_Config_Client_HTTPAPISpec
    private typealias Pattern = Istio_Mixer_V1_Config_Client_HTTPAPISpecPattern
    private typealias Binding = Istio_Mixer_V1_Config_Client_HTTPAPISpecBinding

    static func parse(spec object: KubernetesObject) -> Parsed<APISpec> {
        var findings = Findings("HTTPAPISpec", object)
        guard let spec = Fields.spec(Spec.self, of: object, &findings, isStrict: true) else {
            return Parsed(object, value: nil, diagnoses: findings.diagnoses)
        }
        if spec.patterns.count > APISpec.operationsMax {
            findings.error("spec.patterns", "has \(spec.patterns.count) of at most \(APISpec.operationsMax)")
        }
        let regexes = spec.patterns.count { if case .regex = $0.pattern { true } else { false } }
        if regexes > APISpec.regexesMax {
            findings.error("spec.patterns", "has \(regexes) regular expressions of at most \(APISpec.regexesMax)")
        }
        let value = APISpec(
            attributes: self.attributes(spec.attributes, "spec.attributes", &findings),
            operations: spec.patterns.enumerated().compactMap {
                self.operation($1, "spec.patterns[\($0)]", &findings)
            },
            keyPlaces: spec.apiKeys.enumerated().compactMap { self.keyPlace($1, "spec.apiKeys[\($0)]", &findings) }
        )
        return Parsed(object, value: findings.hasErrors ? nil : value, diagnoses: findings.diagnoses)
    }

    // MARK: Operations

    private static func operation(
        _ pattern: Pattern,
        _ field: String,
        _ findings: inout Findings
    ) -> APISpec.Operation? {
        // Methods are tokens, as names of headers are (RFC 9110 section 9.1).
        if !Fields.isHeaderName(pattern.httpMethod) {
            findings.error("\(field).httpMethod", "`\(pattern.httpMethod)` is no method, such as GET")
        } else if pattern.httpMethod != pattern.httpMethod.uppercased() {
            findings.warning("\(field).httpMethod", "`\(pattern.httpMethod)` is not in capitals, as methods are")
        }
        let attributes = self.attributes(pattern.attributes, "\(field).attributes", &findings)
        let path: APISpec.Path
        switch pattern.pattern {
        case .uriTemplate(let text):
            do throws(URITemplate.SyntaxError) { path = .template(try URITemplate(parsing: text)) } catch {
                findings.error("\(field).uriTemplate", "`\(text)` \(error)")
                return nil
            }
        case .regex(let text):
            if let problem = RegexCheck.problem(with: text) {
                findings.error("\(field).regex", "`\(text)` \(problem)")
            }
            path = .regex(text)
        case nil:
            findings.error(field, "one of uriTemplate, regex is needed")
            return nil
        }
        return APISpec.Operation(method: pattern.httpMethod, path: path, attributes: attributes)
    }

    private static func keyPlace(
        _ key: Istio_Mixer_V1_Config_Client_APIKey,
        _ field: String,
        _ findings: inout Findings
    ) -> APISpec.KeyPlace? {
        switch key.key {
        case .query(let name):
            if name.isEmpty { findings.error("\(field).query", "a name is needed") }
            return .query(name)
        case .header(let name):
            if !Fields.isHeaderName(name) { findings.error("\(field).header", "`\(name)` is no name of a header") }
            return .header(name)
        case .cookie(let name):
            // Names of cookies are tokens, too (RFC 6265 section 4.1.1).
            if !Fields.isHeaderName(name) { findings.error("\(field).cookie", "`\(name)` is no name of a cookie") }
            return .cookie(name)
        case nil:
            findings.error(field, "one of query, header, cookie is needed")
            return nil
        }
    }

    // MARK: Attributes

    /// What proxies and the engine say by themselves. An API that said it would speak for them.
    private static let reserved = [
        "source", "destination", "origin", "request", "response", "connection", "context", "check", "quota", "rbac",
    ]
    private static let attributesMax = 100

    private static func attributes(
        _ message: Istio_Mixer_V1_Attributes,
        _ field: String,
        _ findings: inout Findings
    ) -> [String: APISpec.Value] {
        if message.attributes.count > self.attributesMax {
            findings.error("\(field).attributes", "has \(message.attributes.count) of at most \(self.attributesMax)")
        }
        var attributes: [String: APISpec.Value] = [:]
        for (name, value) in message.attributes.sorted(by: { $0.key < $1.key }) {
            let field = "\(field).attributes[\(name)]"
            let first = name.split(separator: ".", omittingEmptySubsequences: false).first ?? ""
            if first.isEmpty {
                findings.error(field, "is no name of an attribute")
            } else if self.reserved.contains(String(first)) {
                findings.error(field, "is said by proxies; an API may say others, such as api.operation")
            }
            switch value.value {
            case .stringValue(let text): attributes[name] = .text(text)
            case .int64Value(let number): attributes[name] = .number(number)
            case .doubleValue(let number): attributes[name] = .fraction(number)
            case .boolValue(let truth): attributes[name] = .truth(truth)
            case .stringMapValue(let map): attributes[name] = .map(map.entries)
            case .bytesValue, .timestampValue, .durationValue, nil:
                findings.error(
                    field,
                    "one of stringValue, int64Value, doubleValue, boolValue, stringMapValue is needed"
                )
            }
        }
        return attributes
    }

    // MARK: Bindings

    static func parse(binding object: KubernetesObject, domain: String) -> Parsed<APIBindingFacts> {
        var findings = Findings("HTTPAPISpecBinding", object)
        guard let binding = Fields.spec(Binding.self, of: object, &findings, isStrict: true) else {
            return Parsed(object, value: nil, diagnoses: findings.diagnoses)
        }
        let source = ObjectReference(kind: "HTTPAPISpecBinding", id: ObjectID(object))
        let namespace = source.id.namespace
        if binding.services.isEmpty { findings.error("spec.services", "a service is needed") }
        if binding.apiSpecs.isEmpty { findings.error("spec.apiSpecs", "a HTTPAPISpec is needed") }
        let facts = APIBindingFacts(
            source: source,
            createdAt: object.createdAt,
            hosts: ServiceReferences.hosts(binding.services, namespace: namespace, domain: domain, &findings),
            specs: binding.apiSpecs.enumerated().map {
                NamedReference(
                    field: "spec.apiSpecs[\($0)]",
                    name: $1.name,
                    namespace: $1.namespace,
                    owner: namespace
                )
            }
        )
        return Parsed(object, value: facts, diagnoses: findings.diagnoses)
    }
}
