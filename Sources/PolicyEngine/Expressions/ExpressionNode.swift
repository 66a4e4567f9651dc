/// The tree of an expression, before anything is known of types.
struct ExpressionNode: Sendable {
    enum Operation: String, Sendable {
        case equal = "=="
        case notEqual = "!="
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
        case and = "&&"
        case or = "||"
        case otherwise = "|"
        case add = "+"
    }

    enum Literal: Sendable, Hashable {
        case string(String)
        case int64(Int64)
        case double(Double)
        case bool(Bool)
    }

    indirect enum Kind: Sendable {
        case literal(Literal)
        case attribute(String)
        /// Two operands of a comparison; two or more of `&& || | +`, which a chain of one operator has in one node.
        case operation(Operation, [ExpressionNode])
        case index(ExpressionNode, key: ExpressionNode)
        /// `name(a, b)`, or `a.name(b)` with the receiver as the first argument.
        case call(String, [ExpressionNode], isMethod: Bool)
    }

    /// Nodes inside nodes; bounds the recursion of all that walks the tree, and of the compiled expression.
    static let depthMax = 100

    var kind: Kind
    /// In characters, from 1.
    var column: Int
    /// Its text, shortened, for messages.
    var text: String
    var depth: Int
}
