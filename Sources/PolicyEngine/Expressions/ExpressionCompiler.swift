internal import MeshModel

/// Turns a checked tree into closures.
struct ExpressionCompiler {
    let checker: TypeChecker

    /// Texts that `+` makes are no longer than this, however often an expression doubles them.
    static let textBytesMax = 1 << 20

    /// `type` is one that the checker found to fit the node.
    func compile(_ node: ExpressionNode, as type: ValueType) throws(ExpressionError) -> TypedCode {
        switch type {
        case .string: .string(try self.string(node))
        case .int64: .int64(try self.int64(node))
        case .double: .double(try self.double(node))
        case .bool: .bool(try self.bool(node))
        case .timestamp: .timestamp(try self.timestamp(node))
        case .duration: .duration(try self.duration(node))
        case .ipAddress: .ipAddress(try self.ipAddress(node))
        case .emailAddress: .emailAddress(try self.emailAddress(node))
        case .dnsName: .dnsName(try self.dnsName(node))
        case .uri: .uri(try self.uri(node))
        case .stringMap: .stringMap(try self.stringMap(node))
        }
    }

    // MARK: One method for each type

    func string(_ node: ExpressionNode) throws(ExpressionError) -> Code<String> {
        switch node.kind {
        case .literal(.string(let text)): return Code(constant: text)
        case .index(let map, let key): return try self.index(map, key)
        case .operation(.add, let operands): return try self.joined(operands)
        case .call("toLower", let arguments, _):
            let text = try self.string(arguments[0])
            return Code { (evaluation: inout Evaluation) throws(EvaluationError) -> String in
                try text.value(&evaluation).lowercased()
            }
        default:
            return try self.general(node, self.string) { if case .string(let value) = $0 { value } else { nil } }
        }
    }

    func int64(_ node: ExpressionNode) throws(ExpressionError) -> Code<Int64> {
        switch node.kind {
        case .literal(.int64(let value)): return Code(constant: value)
        case .operation(.add, let operands): return try self.sum(operands)
        case .call("size", let arguments, _): return try self.size(arguments[0])
        default: return try self.general(node, self.int64) { if case .int64(let value) = $0 { value } else { nil } }
        }
    }

    func double(_ node: ExpressionNode) throws(ExpressionError) -> Code<Double> {
        switch node.kind {
        case .literal(.double(let value)): return Code(constant: value)
        case .operation(.add, let operands):
            var terms: [Code<Double>] = []
            for operand in operands { terms.append(try self.double(operand)) }
            return Code { [terms] (evaluation: inout Evaluation) throws(EvaluationError) -> Double in
                var sum = 0.0
                for term in terms { sum += try term.value(&evaluation) }
                return sum
            }
        default: return try self.general(node, self.double) { if case .double(let value) = $0 { value } else { nil } }
        }
    }

    func timestamp(_ node: ExpressionNode) throws(ExpressionError) -> Code<Timestamp> {
        if case .call("timestamp", let arguments, _) = node.kind {
            return try self.conversion(arguments[0], "a moment in RFC 3339 such as 2015-01-02T15:04:35Z") {
                Timestamp($0)
            }
        }
        return try self.general(node, self.timestamp) { if case .timestamp(let value) = $0 { value } else { nil } }
    }

    func duration(_ node: ExpressionNode) throws(ExpressionError) -> Code<Duration> {
        if case .literal(.string(let text)) = node.kind, let duration = DurationText.parse(text) {
            return Code(constant: duration)
        }
        return try self.general(node, self.duration) { if case .duration(let value) = $0 { value } else { nil } }
    }

    func ipAddress(_ node: ExpressionNode) throws(ExpressionError) -> Code<IPAddress> {
        @Sendable func address(_ value: AttributeValue) -> IPAddress? {
            if case .ipAddress(let address) = value { address } else { nil }
        }
        if case .call("ip", let arguments, _) = node.kind {
            return try self.conversion(arguments[0], "an IP address") {
                IPAddress($0).flatMap { address(.address($0)) }
            }
        }
        return try self.general(node, self.ipAddress, address)
    }

    func emailAddress(_ node: ExpressionNode) throws(ExpressionError) -> Code<String> {
        if case .call("email", let arguments, _) = node.kind {
            return try self.conversion(arguments[0], "an e-mail address") { EmailAddress($0) == nil ? nil : $0 }
        }
        return try self.general(node, self.emailAddress) {
            if case .emailAddress(let value) = $0 { value } else { nil }
        }
    }

    func dnsName(_ node: ExpressionNode) throws(ExpressionError) -> Code<String> {
        if case .call("dnsName", let arguments, _) = node.kind {
            return try self.conversion(arguments[0], "a DNS name") { DomainName($0) == nil ? nil : $0 }
        }
        return try self.general(node, self.dnsName) { if case .dnsName(let value) = $0 { value } else { nil } }
    }

    func uri(_ node: ExpressionNode) throws(ExpressionError) -> Code<String> {
        if case .call("uri", let arguments, _) = node.kind {
            return try self.conversion(arguments[0], "a URI") { URIText($0) == nil ? nil : $0 }
        }
        return try self.general(node, self.uri) { if case .uri(let value) = $0 { value } else { nil } }
    }

    /// A conversion from a text. A literal that cannot be converted is refused at once, not for each request.
    private func conversion<Value: Sendable>(
        _ argument: ExpressionNode,
        _ what: String,
        _ convert: @escaping @Sendable (String) -> Value?
    ) throws(ExpressionError) -> Code<Value> {
        let text = try self.string(argument)
        if let constant = text.constant {
            guard let value = convert(constant) else {
                throw self.checker.error(argument, "\(AttributeValue.quoted(constant)) is not \(what)")
            }
            return Code(constant: value)
        }
        return Self.converted(text, what, convert)
    }

    /// The text of each request, converted.
    static func converted<Value: Sendable>(
        _ code: Code<String>,
        _ what: String,
        _ convert: @escaping @Sendable (String) -> Value?
    ) -> Code<Value> {
        Code { (evaluation: inout Evaluation) throws(EvaluationError) -> Value in
            let text = try code.value(&evaluation)
            guard let value = convert(text) else {
                throw EvaluationError(
                    code: .invalidValue,
                    message: "\(AttributeValue.quoted(String(text.prefix(100)))) is not \(what)"
                )
            }
            return value
        }
    }
}
