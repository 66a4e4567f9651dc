import IstioAPI
import MeshModel

/// What is asked for, and further conditions.
extension AuthorizationPolicyReader {
    mutating func operation(
        _ operation: Istio_Security_V1beta1_Operation,
        _ field: String
    ) -> AuthorizationRules.Operation {
        var result = AuthorizationRules.Operation()
        result.hosts = self.patterns(operation.hosts, "\(field).hosts").map { $0.lowercased() }
        result.notHosts = self.patterns(operation.notHosts, "\(field).notHosts").map { $0.lowercased() }
        result.ports = self.ports(operation.ports, "\(field).ports")
        result.notPorts = self.ports(operation.notPorts, "\(field).notPorts")
        result.methods = self.methods(operation.methods, "\(field).methods")
        result.notMethods = self.methods(operation.notMethods, "\(field).notMethods")
        result.paths = self.paths(operation.paths, "\(field).paths")
        result.notPaths = self.paths(operation.notPaths, "\(field).notPaths")
        return result
    }

    private mutating func ports(_ texts: [String], _ field: String) -> [Port] {
        texts.enumerated().compactMap { index, text in
            if text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = Int(text).flatMap({ Port($0) }) {
                return port
            }
            self.findings.error("\(field)[\(index)]", "`\(text)` is no port: 1 to 65535")
            return nil
        }
    }

    private mutating func methods(_ texts: [String], _ field: String) -> [String] {
        for (index, text) in texts.enumerated() where text.uppercased() != text {
            // RFC 9110 section 9.1: methods are compared with regard to case.
            self.findings.warning("\(field)[\(index)]", "`\(text)` is not `\(text.uppercased())`")
        }
        return self.patterns(texts, field)
    }

    /// Paths, prefixes and suffixes, and templates with `{*}` for a segment and `{**}` for the rest.
    private mutating func paths(_ texts: [String], _ field: String) -> [String] {
        for (index, text) in texts.enumerated() {
            let place = "\(field)[\(index)]"
            if text.contains("{*}") || text.contains("{**}") {
                if !Self.isTemplate(text) {
                    self.findings.error(
                        place,
                        "`\(text)`: `{*}` and `{**}` fill a segment each, `{**}` only once, last"
                    )
                }
            } else if text.contains("{") || text.contains("}") {
                self.findings.error(place, "`\(text)`: only {*} and {**} may stand in braces")
            } else {
                if !text.hasPrefix("/"), !text.hasPrefix("*"), !text.isEmpty {
                    self.findings.warning(place, "`\(text)` matches no path: they begin with `/`")
                }
                _ = self.patterns([text], "\(field)[\(index)]")
            }
        }
        return texts
    }

    private static func isTemplate(_ text: String) -> Bool {
        guard text.hasPrefix("/") else { return false }
        let segments = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        var hasRest = false
        for segment in segments {
            switch segment {
            case "{**}" where hasRest: return false
            case "{**}": hasRest = true
            case "{*}" where hasRest: return false
            case "{*}": ()
            default: if segment.contains(where: { "*{}".contains($0) }) { return false }
            }
        }
        return true
    }

    // MARK: Conditions

    mutating func condition(
        _ condition: Istio_Security_V1beta1_Condition,
        _ field: String
    ) -> AuthorizationRules.Condition {
        let result = AuthorizationRules.Condition(
            key: condition.key,
            values: condition.values,
            notValues: condition.notValues
        )
        if result.values.isEmpty, result.notValues.isEmpty {
            self.findings.error(field, "needs values or notValues")
        }
        for (name, values) in [("values", result.values), ("notValues", result.notValues)] {
            switch Self.kind(of: condition.key) {
            case .text: _ = self.patterns(values, "\(field).\(name)")
            case .block: _ = Fields.blocks(values, field: "\(field).\(name)", &self.findings)
            case .port: _ = self.ports(values, "\(field).\(name)")
            case .account:
                for (index, value) in values.enumerated() where value.contains("*") || value.isEmpty {
                    self.findings.error("\(field).\(name)[\(index)]", "`\(value)` is not NAMESPACE/ACCOUNT")
                }
            case nil: ()
            }
        }
        if Self.kind(of: condition.key) == nil {
            let found = condition.key.isEmpty ? "is needed" : "`\(condition.key)` is unknown"
            self.findings.error("\(field).key", "\(found): one of \(Self.keys.sorted().joined(separator: ", "))")
        }
        return result
    }

    private enum Kind { case text, block, port, account }

    private static let kinds: [String: Kind] = [
        "source.ip": .block, "remote.ip": .block, "source.namespace": .text, "source.principal": .text,
        "source.serviceAccount": .account, "request.auth.principal": .text, "request.auth.audiences": .text,
        "request.auth.presenter": .text, "destination.ip": .block, "destination.port": .port,
        "connection.sni": .text,
    ]

    private static var keys: [String] {
        Array(self.kinds.keys) + ["request.headers[NAME]", "request.auth.claims[NAME]"]
    }

    private static func kind(of key: String) -> Kind? {
        if let kind = self.kinds[key] { return kind }
        // Envoy's names for parts of the request, such as `:authority`, are headers as well.
        if let name = self.inner(key, "request.headers"),
            Fields.isHeaderName(name.hasPrefix(":") ? String(name.dropFirst()) : name)
        {
            return .text
        }
        // Claims within claims: `request.auth.claims[a][b]`.
        if let path = self.inner(key, "request.auth.claims") {
            let parts = path.replacing("][", with: "\n").split(separator: "\n", omittingEmptySubsequences: false)
            return parts.allSatisfy { !$0.isEmpty && !$0.contains { "[]".contains($0) } } ? .text : nil
        }
        return nil
    }

    /// What stands between the outer brackets after a name.
    private static func inner(_ key: String, _ name: String) -> String? {
        guard key.hasPrefix("\(name)["), key.hasSuffix("]") else { return nil }
        return String(key.dropFirst(name.count + 1).dropLast())
    }
}
