/// The `match` of a rule: whether it holds for a request, or cannot be told.
///
/// Mixer takes any error of evaluation for "does not match", so that a rule which denies everybody whose principal
/// differs from one name lets through whoever has no principal at all. Here an attribute that is missing differs from
/// every text: `==` and the matching functions do not hold for it, `!=` does. What remains undecided (an order, a
/// truth value that is missing, a text that is no address) decides nothing by itself: `undecided && false` is false,
/// `undecided || true` is true. If the whole is undecided, whoever asks must take the safe side.
package struct RuleCondition: Sendable {
    package enum Outcome: Sendable, Hashable {
        case holds
        case fails
        case undecided(EvaluationError)
    }

    typealias Run = @Sendable (inout Evaluation) -> Outcome

    package let source: String
    private let run: Run

    package init(_ source: String, vocabulary: AttributeVocabulary) throws(ExpressionError) {
        let node = try ExpressionParser.parse(source)
        let checker = TypeChecker(vocabulary: vocabulary)
        _ = try checker.type(of: node, wanted: .bool)
        self.source = source
        self.run = try Self.compile(node, ExpressionCompiler(checker: checker))
    }

    /// A condition that nobody can tell for requests that `guarding` does not exclude; `source` is what it once was.
    init(_ source: String, undecided reason: String, unlessExcludedBy guarding: RuleCondition?) {
        let outcome = Outcome.undecided(EvaluationError(code: .missingAttribute, message: reason))
        self.source = source
        self.run = { evaluation in guarding?.run(&evaluation) == .fails ? .fails : outcome }
    }

    package func outcome(_ evaluation: inout Evaluation) -> Outcome { self.run(&evaluation) }

    private static func compile(
        _ node: ExpressionNode,
        _ compiler: ExpressionCompiler
    ) throws(ExpressionError) -> Run {
        switch node.kind {
        case .operation(.and, let operands): return try Self.chain(operands, endsAt: .fails, else: .holds, compiler)
        case .operation(.or, let operands): return try Self.chain(operands, endsAt: .holds, else: .fails, compiler)
        case .operation(.equal, let operands):
            let areTruths = try compiler.checker.choice(of: operands[0]) == .exactly(.bool)
            return try Self.single(node, compiler, ifMissing: areTruths ? nil : .fails)
        case .operation(.notEqual, let operands):
            let areTruths = try compiler.checker.choice(of: operands[0]) == .exactly(.bool)
            return try Self.single(node, compiler, ifMissing: areTruths ? nil : .holds)
        case .call("match", _, _), .call("matches", _, _), .call("startsWith", _, _), .call("endsWith", _, _):
            return try Self.single(node, compiler, ifMissing: .fails)
        case .literal, .attribute, .operation, .index, .call:
            return try Self.single(node, compiler, ifMissing: nil)
        }
    }

    /// Operands up to the first that decides; those that are undecided are passed over and remembered.
    private static func chain(
        _ operands: [ExpressionNode],
        endsAt end: Outcome,
        else other: Outcome,
        _ compiler: ExpressionCompiler
    ) throws(ExpressionError) -> Run {
        var parts: [Run] = []
        for operand in operands { parts.append(try Self.compile(operand, compiler)) }
        return { [parts] evaluation in
            var result = other
            for part in parts {
                let outcome = part(&evaluation)
                if outcome == end { return end }
                if case .undecided = outcome, result == other { result = outcome }
            }
            return result
        }
    }

    private static func single(
        _ node: ExpressionNode,
        _ compiler: ExpressionCompiler,
        ifMissing: Outcome?
    ) throws(ExpressionError) -> Run {
        let code = try compiler.bool(node)
        return { evaluation in
            do throws(EvaluationError) {
                return try code.value(&evaluation) ? .holds : .fails
            } catch {
                switch error.code {
                case .missingAttribute, .missingKey: return ifMissing ?? .undecided(error)
                case .otherType, .invalidValue, .tooLarge: return .undecided(error)
                }
            }
        }
    }
}
