/// BOOL: comparisons, logic and matches.
extension ExpressionCompiler {
    func bool(_ node: ExpressionNode) throws(ExpressionError) -> Code<Bool> {
        switch node.kind {
        case .literal(.bool(let value)): return Code(constant: value)
        case .operation(.and, let operands):
            var conditions: [Code<Bool>] = []
            for operand in operands { conditions.append(try self.bool(operand)) }
            return Code { [conditions] (evaluation: inout Evaluation) throws(EvaluationError) -> Bool in
                for condition in conditions where !(try condition.value(&evaluation)) { return false }
                return true
            }
        case .operation(.or, let operands):
            var conditions: [Code<Bool>] = []
            for operand in operands { conditions.append(try self.bool(operand)) }
            return Code { [conditions] (evaluation: inout Evaluation) throws(EvaluationError) -> Bool in
                for condition in conditions where try condition.value(&evaluation) { return true }
                return false
            }
        case .operation(.equal, let operands): return try self.equality(operands, isEqual: true)
        case .operation(.notEqual, let operands): return try self.equality(operands, isEqual: false)
        case .operation(.less, let operands): return try self.order(operands, .less)
        case .operation(.lessOrEqual, let operands): return try self.order(operands, .lessOrEqual)
        case .operation(.greater, let operands): return try self.order(operands, .greater)
        case .operation(.greaterOrEqual, let operands): return try self.order(operands, .greaterOrEqual)
        case .call("match", let arguments, _): return try self.textual(arguments, TextTest.matches)
        case .call("startsWith", let arguments, _): return try self.textual(arguments) { .prefix(Array($0.utf8)) }
        case .call("endsWith", let arguments, _): return try self.textual(arguments) { .suffix(Array($0.utf8)) }
        case .call("matches", let arguments, let isMethod):
            return try self.matches(arguments, isMethod: isMethod)
        default: return try self.general(node, self.bool) { if case .bool(let value) = $0 { value } else { nil } }
        }
    }

    /// A test of the first text, made of the second: once, if that is a literal.
    private func textual(
        _ arguments: [ExpressionNode],
        _ test: @escaping @Sendable (String) -> TextTest
    ) throws(ExpressionError) -> Code<Bool> {
        Self.textual(try self.string(arguments[0]), try self.string(arguments[1]), isTrue: true, test)
    }

    private static func textual(
        _ left: Code<String>,
        _ right: Code<String>,
        isTrue: Bool,
        _ test: @escaping @Sendable (String) -> TextTest
    ) -> Code<Bool> {
        if let constant = right.constant {
            let test = test(constant)
            return Code { (evaluation: inout Evaluation) throws(EvaluationError) -> Bool in
                test.holds(try left.value(&evaluation)) == isTrue
            }
        }
        return Code { (evaluation: inout Evaluation) throws(EvaluationError) -> Bool in
            let text = try left.value(&evaluation)
            return test(try right.value(&evaluation)).holds(text) == isTrue
        }
    }

    // MARK: Comparisons

    private func equality(_ operands: [ExpressionNode], isEqual: Bool) throws(ExpressionError) -> Code<Bool> {
        let (left, right) = (operands[0], operands[1])
        switch try self.comparedType(operands) {
        case .string:
            let (left, right) = (try self.string(left), try self.string(right))
            // A literal on the left is looked at once, too.
            let isTurned = left.constant != nil && right.constant == nil
            return Self.textual(isTurned ? right : left, isTurned ? left : right, isTrue: isEqual, TextTest.equals)
        case .int64: return Self.equality(try self.int64(left), try self.int64(right), isEqual)
        case .double: return Self.equality(try self.double(left), try self.double(right), isEqual)
        case .bool: return Self.equality(try self.bool(left), try self.bool(right), isEqual)
        case .timestamp: return Self.equality(try self.timestamp(left), try self.timestamp(right), isEqual)
        case .duration: return Self.equality(try self.duration(left), try self.duration(right), isEqual)
        case .ipAddress: return Self.equality(try self.ipAddress(left), try self.ipAddress(right), isEqual)
        case .emailAddress:
            return Self.parsedEquality(
                try self.emailAddress(left),
                try self.emailAddress(right),
                isEqual,
                "an e-mail address",
                EmailAddress.init
            )
        case .dnsName:
            return Self.parsedEquality(
                try self.dnsName(left),
                try self.dnsName(right),
                isEqual,
                "a DNS name",
                DomainName.init
            )
        case .uri:
            return Self.parsedEquality(try self.uri(left), try self.uri(right), isEqual, "a URI", URIText.init)
        case .stringMap: throw self.checker.error(left, "STRING_MAP has no equality")
        }
    }

    private func order(
        _ operands: [ExpressionNode],
        _ operation: ExpressionNode.Operation
    ) throws(ExpressionError) -> Code<Bool> {
        let (left, right) = (operands[0], operands[1])
        switch try self.comparedType(operands) {
        case .string:
            return try Self.order(Self.bytes(of: self.string(left)), Self.bytes(of: self.string(right)), operation)
        case .int64: return Self.order(try self.int64(left), try self.int64(right), operation)
        case .double: return Self.order(try self.double(left), try self.double(right), operation)
        case .timestamp: return Self.order(try self.timestamp(left), try self.timestamp(right), operation)
        case .duration: return Self.order(try self.duration(left), try self.duration(right), operation)
        case .bool, .ipAddress, .emailAddress, .dnsName, .uri, .stringMap:
            throw self.checker.error(left, "values of this type have no order")
        }
    }

    /// The type in which two operands are compared; two texts that both read as durations are compared as such,
    /// as Mixer does.
    private func comparedType(_ operands: [ExpressionNode]) throws(ExpressionError) -> ValueType {
        switch try self.checker.common(operands, "a comparison") {
        case .exactly(let type): type
        case .stringOrDuration: .duration
        }
    }

    private static func equality<Value: Equatable & Sendable>(
        _ left: Code<Value>,
        _ right: Code<Value>,
        _ isEqual: Bool
    ) -> Code<Bool> {
        if let constant = right.constant {
            return Code { (evaluation: inout Evaluation) throws(EvaluationError) -> Bool in
                (try left.value(&evaluation) == constant) == isEqual
            }
        }
        return Code { (evaluation: inout Evaluation) throws(EvaluationError) -> Bool in
            let value = try left.value(&evaluation)
            return (value == (try right.value(&evaluation))) == isEqual
        }
    }

    /// Texts in the order of their bytes.
    private static func bytes(of code: Code<String>) -> Code<TextBytes> {
        if let constant = code.constant { return Code(constant: TextBytes(text: constant)) }
        return Code { (evaluation: inout Evaluation) throws(EvaluationError) -> TextBytes in
            TextBytes(text: try code.value(&evaluation))
        }
    }

    /// Equality of texts that are written in several ways; see the type that reads them.
    private static func parsedEquality<Value: Equatable & Sendable>(
        _ left: Code<String>,
        _ right: Code<String>,
        _ isEqual: Bool,
        _ what: String,
        _ parse: @escaping @Sendable (String) -> Value?
    ) -> Code<Bool> {
        func parsed(_ code: Code<String>) -> Code<Value> {
            if let constant = code.constant, let value = parse(constant) { return Code(constant: value) }
            return Self.converted(code, what, parse)
        }
        return Self.equality(parsed(left), parsed(right), isEqual)
    }

    private static func order<Value: Comparable & Sendable>(
        _ left: Code<Value>,
        _ right: Code<Value>,
        _ operation: ExpressionNode.Operation
    ) -> Code<Bool> {
        func code(_ holds: @escaping @Sendable (Value, Value) -> Bool) -> Code<Bool> {
            Code { (evaluation: inout Evaluation) throws(EvaluationError) -> Bool in
                let value = try left.value(&evaluation)
                return holds(value, try right.value(&evaluation))
            }
        }
        return switch operation {
        case .less: code { $0 < $1 }
        case .lessOrEqual: code { $0 <= $1 }
        case .greater: code { $0 > $1 }
        case .greaterOrEqual, .equal, .notEqual, .and, .or, .otherwise, .add: code { $0 >= $1 }
        }
    }

    // MARK: Regular expressions

    /// `"pattern".matches(text)` finds the pattern anywhere in the text.
    ///
    /// In `text.matches("pattern")`, which others write, the literal is the pattern: to read a request's text as a
    /// pattern, as Mixer would, is what nobody means.
    private func matches(_ arguments: [ExpressionNode], isMethod: Bool) throws(ExpressionError) -> Code<Bool> {
        var (pattern, text) = (try self.string(arguments[0]), try self.string(arguments[1]))
        var patternNode = arguments[0]
        if pattern.constant == nil, text.constant != nil {
            (pattern, text) = (text, pattern)
            patternNode = arguments[1]
        }
        if let constant = pattern.constant {
            let search: TextSearch
            do throws(TextSearch.Invalid) {
                search = try TextSearch(constant)
            } catch {
                throw self.checker.error(patternNode, "\(AttributeValue.quoted(constant)) is no pattern: \(error)")
            }
            return Code { [text] (evaluation: inout Evaluation) throws(EvaluationError) -> Bool in
                try search.isFound(in: try text.value(&evaluation))
            }
        }
        return Code { [pattern, text] (evaluation: inout Evaluation) throws(EvaluationError) -> Bool in
            let source = try pattern.value(&evaluation)
            let search: TextSearch
            do throws(TextSearch.Invalid) {
                search = try TextSearch(source)
            } catch {
                throw EvaluationError(
                    code: .invalidValue,
                    message: "\(AttributeValue.quoted(String(source.prefix(100)))) is no pattern: \(error)"
                )
            }
            return try search.isFound(in: try text.value(&evaluation))
        }
    }
}

/// A text that is ordered by its bytes, not by what Unicode holds for equal.
private struct TextBytes: Sendable, Comparable {
    var text: String

    static func == (left: TextBytes, right: TextBytes) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

    static func < (left: TextBytes, right: TextBytes) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }
}
