/// One word of an expression.
struct ExpressionToken: Hashable {
    enum Kind: Hashable {
        case name(String)
        case string(String)
        case int64(Int64)
        case double(Double)
        case symbol(Symbol)
        case end
    }

    enum Symbol: String, Hashable {
        case equal = "=="
        case notEqual = "!="
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
        case and = "&&"
        case or = "||"
        case otherwise = "|"
        case plus = "+"
        case minus = "-"
        case openParenthesis = "("
        case closeParenthesis = ")"
        case openBracket = "["
        case closeBracket = "]"
        case comma = ","
        case dot = "."
    }

    var kind: Kind
    /// Where it stands, in bytes.
    var range: Range<Int>
}
