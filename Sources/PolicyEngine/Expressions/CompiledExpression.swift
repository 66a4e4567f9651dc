/// An expression that was checked against a vocabulary and is ready to be evaluated, any number of times and anywhere.
package struct CompiledExpression: Sendable {
    package let source: String
    package let type: ValueType
    private let code: TypedCode

    /// Checks and compiles `source`. With `wanted` the expression must have this type.
    package init(
        _ source: String,
        vocabulary: AttributeVocabulary,
        wanted: ValueType? = nil
    ) throws(ExpressionError) {
        let node = try ExpressionParser.parse(source)
        let checker = TypeChecker(vocabulary: vocabulary)
        self.source = source
        self.type = try checker.type(of: node, wanted: wanted)
        self.code = try ExpressionCompiler(checker: checker).compile(node, as: self.type)
    }

    /// The value for the evaluation's request.
    package func evaluate(_ evaluation: inout Evaluation) throws(EvaluationError) -> AttributeValue {
        switch self.code {
        case .string(let code): return .string(try code.value(&evaluation))
        case .int64(let code): return .int64(try code.value(&evaluation))
        case .double(let code): return .double(try code.value(&evaluation))
        case .bool(let code): return .bool(try code.value(&evaluation))
        case .timestamp(let code): return .timestamp(try code.value(&evaluation))
        case .duration(let code): return .duration(try code.value(&evaluation))
        case .ipAddress(let code): return .ipAddress(try code.value(&evaluation))
        case .emailAddress(let code): return .emailAddress(try code.value(&evaluation))
        case .dnsName(let code): return .dnsName(try code.value(&evaluation))
        case .uri(let code): return .uri(try code.value(&evaluation))
        case .stringMap(let code):
            let map = try code.value(&evaluation)
            // Whoever gets the map may look at all of it.
            if let slot = map.slot { evaluation.references.note(slot, .exact) }
            return .stringMap(map.entries)
        }
    }

    /// The truth value of an expression of type BOOL; `nil` for any other type.
    package func condition(_ evaluation: inout Evaluation) throws(EvaluationError) -> Bool? {
        guard case .bool(let code) = self.code else { return nil }
        return try code.value(&evaluation)
    }
}
