package import MeshModel

/// What requests to a service mean, by method and path (Istio `HTTPAPISpec`).
///
/// For each operation there is the service once more, with the attributes of the operation among its own: keys of caches,
/// quotas, reports and traces then see them like all others, and nothing is made for a request.
package final class ServiceInterface: Sendable {
    package enum Path: Sendable {
        case template(URITemplate)
        /// For the whole path.
        case regex(Pattern)
    }

    package struct Operation: Sendable {
        package var method: [UInt8]
        package var path: Path
        package var attributes: [String: MixerValue]

        package init(method: [UInt8], path: Path, attributes: [String: MixerValue]) {
            self.method = method
            self.path = path
            self.attributes = attributes
        }
    }

    private struct Expression: Sendable {
        var method: [UInt8]
        var pattern: Pattern
        var service: MixerService
    }

    /// Of requests that are no operation's.
    private let service: MixerService
    private let services: [MixerService]
    private let templates: URITemplateTable
    /// In their order.
    private let expressions: [Expression]

    /// - Parameters:
    ///   - service: whose requests they are.
    ///   - attributes: of all of them.
    ///   - operations: a template counts before an expression, of expressions the first.
    ///   - keyPlaces: where a request may have its key, in this order; empty: where Istio's proxies look by default.
    package init(
        of service: MixerService,
        attributes: [String: MixerValue],
        operations: [Operation],
        keyPlaces: [APIKeyPlace]
    ) {
        self.service = MixerService(service, adding: attributes, keyPlaces: keyPlaces)
        var services: [MixerService] = []
        var templates = URITemplateTable()
        var expressions: [Expression] = []
        for operation in operations {
            let own = operation.attributes.merging(attributes) { said, _ in said }
            let service = MixerService(service, adding: own, keyPlaces: keyPlaces)
            switch operation.path {
            case .template(let template):
                templates.insert(template, method: operation.method, value: services.count)
                services.append(service)
            case .regex(let pattern):
                expressions.append(Expression(method: operation.method, pattern: pattern, service: service))
            }
        }
        self.services = services
        self.templates = templates
        self.expressions = expressions
    }

    /// The service as one request means it.
    package func service(of request: RequestView) -> MixerService {
        let path = PolicyPath.path(of: request[request.target])
        let method = request[request.method]
        if let index = self.templates.value(for: path, method: method) { return self.services[index] }
        for expression in self.expressions
        where method.equals(expression.method) && expression.pattern.matches(path) {
            return expression.service
        }
        return self.service
    }
}

/// Where a request may have its API key.
package enum APIKeyPlace: Hashable, Sendable {
    /// A parameter of the query.
    case query([UInt8])
    /// In lower case.
    case header([UInt8])
    case cookie([UInt8])
}

extension RequestAttributes {
    private static let cookie = Array("cookie".utf8)

    /// Appends the API key from the first place that has one; `false`: none has.
    func append(firstOf places: [APIKeyPlace], to key: inout [UInt8]) -> Bool {
        places.contains { place in
            switch place {
            case .query(let name): self.append(parameter: name, to: &key)
            case .header(let name): self.append(header: name, to: &key)
            case .cookie(let name): self.append(cookie: name, to: &key)
            }
        }
    }

    /// Appends the value of a cookie; of several with one name the first counts (RFC 6265 section 5.4).
    private func append(cookie name: [UInt8], to key: inout [UInt8]) -> Bool {
        let (space, quote) = (UInt8(ascii: " "), UInt8(ascii: "\""))
        for field in self.request.headers where self.request[field.name].equals(Self.cookie, ignoringCase: true) {
            for pair in self.request[field.value].split(separator: UInt8(ascii: ";")) {
                let pair = pair.drop { $0 == space }
                guard let equals = pair.firstIndex(of: UInt8(ascii: "=")), pair[..<equals].elementsEqual(name) else {
                    continue
                }
                var value = pair[(equals + 1)...]
                while value.last == space { value = value.dropLast() }
                if value.count >= 2, value.first == quote, value.last == quote { value = value.dropFirst().dropLast() }
                key.append(contentsOf: value)
                return true
            }
        }
        return false
    }
}
