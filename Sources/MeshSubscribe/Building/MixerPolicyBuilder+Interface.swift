internal import MeshModel
internal import TrafficEngine
internal import XDSAPI

/// What requests mean, out of `http_api_spec`.
extension MixerPolicyBuilder {
    /// `nil`: nothing is said of the service's requests.
    static func interface(
        _ specs: [Istio_Mixer_V1_Config_Client_HTTPAPISpec],
        of service: MixerService,
        at path: String,
        _ findings: inout Findings
    ) -> ServiceInterface? {
        if specs.isEmpty { return nil }
        let count = specs.reduce(0) { $0 + $1.patterns.count }
        guard count <= APISpec.operationsMax else {
            findings.add("\(path).http_api_spec", "has \(count) patterns of at most \(APISpec.operationsMax)")
            return nil
        }
        var attributes: [String: MixerValue] = [:]
        var operations: [ServiceInterface.Operation] = []
        var places: [APIKeyPlace] = []
        for (index, spec) in specs.enumerated() {
            let path = "\(path).http_api_spec[\(index)]"
            // What the oldest says counts.
            attributes.merge(Self.values(spec.attributes)) { said, _ in said }
            for (number, pattern) in spec.patterns.enumerated() {
                let path = "\(path).patterns[\(number)]"
                guard let operation = Self.operation(pattern, at: path, &findings) else { continue }
                operations.append(operation)
            }
            places += spec.apiKeys.compactMap { key in
                switch key.key {
                case .query(let name): .query(Array(name.utf8))
                case .header(let name): .header(Array(name.lowercased().utf8))
                case .cookie(let name): .cookie(Array(name.utf8))
                case nil: nil
                }
            }
        }
        return ServiceInterface(of: service, attributes: attributes, operations: operations, keyPlaces: places)
    }

    private static func operation(
        _ pattern: Istio_Mixer_V1_Config_Client_HTTPAPISpecPattern,
        at path: String,
        _ findings: inout Findings
    ) -> ServiceInterface.Operation? {
        let form: ServiceInterface.Path
        switch pattern.pattern {
        case .uriTemplate(let text):
            do throws(URITemplate.SyntaxError) { form = .template(try URITemplate(parsing: text)) } catch {
                findings.add("\(path).uri_template", "\(error)")
                return nil
            }
        case .regex(let text):
            do throws(Pattern.SyntaxError) { form = .regex(try Pattern(compiling: text)) } catch {
                findings.add("\(path).regex", "\(error)")
                return nil
            }
        case nil:
            findings.add(path, "one of uri_template, regex is needed")
            return nil
        }
        return ServiceInterface.Operation(
            method: Array(pattern.httpMethod.utf8),
            path: form,
            attributes: Self.values(pattern.attributes)
        )
    }
}
