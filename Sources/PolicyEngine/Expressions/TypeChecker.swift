/// Works out the type of each part of an expression, before any of it is compiled.
///
/// A text such as `"5s"` is a DURATION where one is needed and a STRING everywhere else. Mixer takes every text that
/// reads as a duration for one, so that `request.headers["x"] == "0"` has no type there.
struct TypeChecker {
    let vocabulary: AttributeVocabulary

    enum Choice: Hashable {
        case exactly(ValueType)
        /// A literal text that reads as a duration, or branches that all are such texts.
        case stringOrDuration

        func fits(_ type: ValueType) -> Bool {
            switch self {
            case .exactly(let own): own == type
            case .stringOrDuration: type == .string || type == .duration
            }
        }

        /// The one type of both; `nil` if there is none.
        func joined(with other: Choice) -> Choice? {
            switch (self, other) {
            case (.exactly(let left), _): other.fits(left) ? self : nil
            case (.stringOrDuration, .exactly(let right)): self.fits(right) ? other : nil
            case (.stringOrDuration, .stringOrDuration): self
            }
        }
    }

    /// The type of the whole: `wanted` if given, else the expression's own.
    func type(of node: ExpressionNode, wanted: ValueType?) throws(ExpressionError) -> ValueType {
        let choice = try self.choice(of: node)
        if let wanted {
            try self.require(node, choice, wanted, "the field")
            return wanted
        }
        switch choice {
        case .exactly(let type): return type
        // A lone `"0"` is a text; with a unit it is what Mixer makes of it.
        case .stringOrDuration:
            if case .literal(.string("0")) = node.kind { return .string }
            return .duration
        }
    }

    func error(_ node: ExpressionNode, _ message: String) -> ExpressionError {
        ExpressionError(kind: .type, column: node.column, message: message)
    }

    func choice(of node: ExpressionNode) throws(ExpressionError) -> Choice {
        switch node.kind {
        case .literal(.string(let text)): DurationText.parse(text) == nil ? .exactly(.string) : .stringOrDuration
        case .literal(.int64): .exactly(.int64)
        case .literal(.double): .exactly(.double)
        case .literal(.bool): .exactly(.bool)
        case .attribute(let name): .exactly(try self.type(ofAttribute: name, node))
        case .index(let map, let key): try self.index(map, key)
        case .operation(let operation, let operands): try self.operation(operation, operands, node)
        case .call(let name, let arguments, _): try self.call(name, arguments, node)
        }
    }

    private func type(ofAttribute name: String, _ node: ExpressionNode) throws(ExpressionError) -> ValueType {
        if let type = self.vocabulary.type(of: name) { return type }
        var message = "unknown attribute `\(name)`"
        if let suggestion = self.vocabulary.suggestion(for: name) {
            message += "; is `\(suggestion)` meant?"
        } else {
            message += "; \(ExpressionError.undefinedAttribute)"
        }
        throw self.error(node, message)
    }

    private func index(_ map: ExpressionNode, _ key: ExpressionNode) throws(ExpressionError) -> Choice {
        try self.require(map, try self.choice(of: map), .stringMap, "`[]`")
        try self.require(key, try self.choice(of: key), .string, "a key")
        return .exactly(.string)
    }

    private func require(
        _ node: ExpressionNode,
        _ choice: Choice,
        _ wanted: ValueType,
        _ whose: String
    ) throws(ExpressionError) {
        guard !choice.fits(wanted) else { return }
        throw self.error(node, "\(whose) needs \(wanted), `\(node.text)` is \(Self.name(choice))")
    }

    private static func name(_ choice: Choice) -> String {
        switch choice {
        case .exactly(let type): type.rawValue
        case .stringOrDuration: "STRING or DURATION"
        }
    }

    // MARK: Operators

    private func operation(
        _ operation: ExpressionNode.Operation,
        _ operands: [ExpressionNode],
        _ node: ExpressionNode
    ) throws(ExpressionError) -> Choice {
        switch operation {
        case .and, .or:
            for operand in operands {
                try self.require(operand, try self.choice(of: operand), .bool, "`\(operation.rawValue)`")
            }
            return .exactly(.bool)
        case .otherwise: return try self.common(operands, "`|`")
        case .add:
            let type = try self.common(operands, "`+`")
            switch type {
            case .exactly(.string), .exactly(.int64), .exactly(.double): return type
            case .stringOrDuration: return .exactly(.string)
            case .exactly(let other):
                throw self.error(node, "`+` adds STRING, INT64 or DOUBLE, `\(operands[0].text)` is \(other)")
            }
        case .equal, .notEqual:
            if case .exactly(.stringMap) = try self.common(operands, "`\(operation.rawValue)`") {
                throw self.error(node, "`\(operation.rawValue)` does not compare STRING_MAP; compare single keys")
            }
            return .exactly(.bool)
        case .less, .lessOrEqual, .greater, .greaterOrEqual:
            switch try self.common(operands, "`\(operation.rawValue)`") {
            case .exactly(.string), .exactly(.int64), .exactly(.double), .exactly(.timestamp), .exactly(.duration),
                .stringOrDuration:
                return .exactly(.bool)
            case .exactly(let other):
                throw self.error(node, "`\(operation.rawValue)` does not order values of type \(other)")
            }
        }
    }

    /// The one type of all operands.
    func common(_ operands: [ExpressionNode], _ whose: String) throws(ExpressionError) -> Choice {
        var choices: [Choice] = []
        for operand in operands { choices.append(try self.choice(of: operand)) }
        return try self.common(operands, choices, whose)
    }

    private func common(
        _ operands: [ExpressionNode],
        _ choices: [Choice],
        _ whose: String
    ) throws(ExpressionError) -> Choice {
        var result = choices[0]
        for (operand, choice) in zip(operands, choices).dropFirst() {
            guard let joined = result.joined(with: choice) else {
                throw self.error(
                    operand,
                    "\(whose) needs operands of one type, `\(operands[0].text)` is \(Self.name(result)) and "
                        + "`\(operand.text)` is \(Self.name(choice))\(Self.advice(result, choice))"
                )
            }
            result = joined
        }
        return result
    }

    /// How a text becomes a value of the other side's type.
    private static func advice(_ left: Choice, _ right: Choice) -> String {
        let types = [left, right]
        guard types.contains(where: { $0.fits(.string) }) else { return "" }
        if types.contains(.exactly(.duration)) { return "; durations are written as \"1.5s\"" }
        let functions: [(ValueType, BuiltInFunction)] = [
            (.ipAddress, .ip), (.timestamp, .timestamp), (.dnsName, .dnsName), (.emailAddress, .email), (.uri, .uri),
        ]
        for (type, function) in functions where types.contains(.exactly(type)) {
            return "; \(function.rawValue)(…) makes one of a STRING"
        }
        return ""
    }

    // MARK: Functions

    private func call(
        _ name: String,
        _ arguments: [ExpressionNode],
        _ node: ExpressionNode
    ) throws(ExpressionError) -> Choice {
        guard let function = BuiltInFunction(rawValue: name) else {
            throw self.error(node, "unknown function `\(name)`; there are \(BuiltInFunction.names)")
        }
        let parameters = function.parameters
        guard arguments.count == parameters.count else {
            throw self.error(node, "`\(name)` takes \(parameters.count) arguments, not \(arguments.count)")
        }
        // Each argument is asked once: asking twice at every level would take 2^depth steps.
        var choices: [Choice] = []
        for (argument, parameter) in zip(arguments, parameters) {
            let choice = try self.choice(of: argument)
            if let parameter { try self.require(argument, choice, parameter, "`\(name)`") }
            choices.append(choice)
        }
        switch function {
        case .conditional: return try self.common(Array(arguments[1...]), Array(choices[1...]), "`conditional`")
        case .size:
            guard choices[0].fits(.string) || choices[0].fits(.stringMap) else {
                throw self.error(
                    arguments[0],
                    "`size` needs STRING or STRING_MAP, `\(arguments[0].text)` is \(Self.name(choices[0]))"
                )
            }
            return .exactly(.int64)
        case .conditionalString, .dnsName, .email, .ip, .timestamp, .uri, .match, .matches, .startsWith, .endsWith,
            .toLower, .emptyStringMap:
            return function.result.map(Choice.exactly) ?? .exactly(.string)
        }
    }
}
