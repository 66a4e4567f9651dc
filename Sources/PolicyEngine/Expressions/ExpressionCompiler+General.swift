/// What every type has: attributes, `|` and `conditional`.
extension ExpressionCompiler {
    /// `compile` compiles operands of the same type, `extract` takes the type's value out of an attribute.
    func general<Value: Sendable>(
        _ node: ExpressionNode,
        _ compile: (ExpressionNode) throws(ExpressionError) -> Code<Value>,
        _ extract: @escaping @Sendable (AttributeValue) -> Value?
    ) throws(ExpressionError) -> Code<Value> {
        switch node.kind {
        case .attribute(let name): return try self.attribute(name, node, extract)
        case .operation(.otherwise, let operands):
            var alternatives: [Code<Value>] = []
            for operand in operands { alternatives.append(try compile(operand)) }
            return Self.otherwise(alternatives)
        case .call("conditional", let arguments, _), .call("conditionalString", let arguments, _):
            let condition = try self.bool(arguments[0])
            let yes = try compile(arguments[1])
            let no = try compile(arguments[2])
            return Code { (evaluation: inout Evaluation) throws(EvaluationError) -> Value in
                try condition.value(&evaluation) ? try yes.value(&evaluation) : try no.value(&evaluation)
            }
        case .literal, .index, .operation, .call:
            throw self.checker.error(node, "`\(node.text)` has another type here")
        }
    }

    private func attribute<Value: Sendable>(
        _ name: String,
        _ node: ExpressionNode,
        _ extract: @escaping @Sendable (AttributeValue) -> Value?
    ) throws(ExpressionError) -> Code<Value> {
        guard let slot = self.checker.vocabulary.slot(of: name), let type = self.checker.vocabulary.type(of: name)
        else { throw self.checker.error(node, "unknown attribute `\(name)`") }
        let optional: Code<Value>.Run<Value?> = {
            (evaluation: inout Evaluation) throws(EvaluationError) -> Value? in
            guard let value = evaluation.bag.values[slot] else {
                evaluation.references.note(slot, .absent)
                return nil
            }
            evaluation.references.note(slot, .exact)
            guard let result = extract(value) else { throw Self.otherType(name, type, value) }
            return result
        }
        return Code(
            { (evaluation: inout Evaluation) throws(EvaluationError) -> Value in
                guard let value = try optional(&evaluation) else { throw Self.missing(name) }
                return value
            },
            orNil: optional
        )
    }

    static func missing(_ name: String) -> EvaluationError {
        EvaluationError(
            code: .missingAttribute,
            message: "the request has no attribute `\(name)`; `\(name) | default` would give it a value"
        )
    }

    static func otherType(_ name: String, _ type: ValueType, _ value: AttributeValue) -> EvaluationError {
        EvaluationError(
            code: .otherType,
            message: "the request's `\(name)` is \(value.type), its attributemanifest says \(type)"
        )
    }

    /// The first that is there. The last one must be, unless a `|` further out has another.
    static func otherwise<Value: Sendable>(_ alternatives: [Code<Value>]) -> Code<Value> {
        let first = alternatives[0]
        let rest = Array(alternatives[1..<alternatives.count - 1])
        let last = alternatives[alternatives.count - 1]
        // Two operands are the rule; they need no loop.
        if rest.isEmpty {
            return Code(
                { (evaluation: inout Evaluation) throws(EvaluationError) -> Value in
                    if let value = try first.optional(&evaluation) { return value }
                    return try last.value(&evaluation)
                },
                orNil: { (evaluation: inout Evaluation) throws(EvaluationError) -> Value? in
                    if let value = try first.optional(&evaluation) { return value }
                    return try last.optional(&evaluation)
                }
            )
        }
        return Code(
            { (evaluation: inout Evaluation) throws(EvaluationError) -> Value in
                if let value = try first.optional(&evaluation) { return value }
                for alternative in rest {
                    if let value = try alternative.optional(&evaluation) { return value }
                }
                return try last.value(&evaluation)
            },
            orNil: { (evaluation: inout Evaluation) throws(EvaluationError) -> Value? in
                for alternative in alternatives {
                    if let value = try alternative.optional(&evaluation) { return value }
                }
                return nil
            }
        )
    }
}
