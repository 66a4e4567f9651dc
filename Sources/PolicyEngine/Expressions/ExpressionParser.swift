/// Reads the grammar of Mixer's expressions, which is a part of Go's.
///
/// From the loosest to the tightest: `||`, `&&`, comparisons, `|` and `+`. So `a | b == c` compares what `a | b` gives.
struct ExpressionParser {
    /// The longest name that an attribute may have here; the vocabulary's longest has 35 bytes.
    private static let nameBytesMax = 256

    private var lexer: ExpressionLexer
    private var token: ExpressionToken
    /// Parentheses, brackets and calls that are open.
    private var depth = 0
    /// Where the token before the current one ended.
    private var end = 0

    static func parse(_ source: String) throws(ExpressionError) -> ExpressionNode {
        var parser = try ExpressionParser(source)
        if case .end = parser.token.kind { throw parser.error("the expression is empty") }
        let node = try parser.expression(tighterThan: 0)
        guard case .end = parser.token.kind else {
            throw parser.error("expected an operator or the end, found `\(parser.tokenText)`")
        }
        return node
    }

    private init(_ source: String) throws(ExpressionError) {
        self.lexer = try ExpressionLexer(source)
        self.token = try self.lexer.next()
    }

    private func error(_ message: String) -> ExpressionError {
        self.lexer.error(at: self.token.range.lowerBound, message)
    }

    private var tokenText: String { self.lexer.excerpt(self.token.range) }

    private mutating func advance() throws(ExpressionError) {
        self.end = self.token.range.upperBound
        self.token = try self.lexer.next()
    }

    private mutating func take(_ symbol: ExpressionToken.Symbol) throws(ExpressionError) -> Bool {
        guard self.token.kind == .symbol(symbol) else { return false }
        try self.advance()
        return true
    }

    private mutating func expect(_ symbol: ExpressionToken.Symbol) throws(ExpressionError) {
        guard try self.take(symbol) else {
            let found = self.token.kind == .end ? "the end" : "`\(self.tokenText)`"
            throw self.error("expected `\(symbol.rawValue)`, found \(found)")
        }
    }

    /// Makes a node out of what stands from `start` up to the current token.
    private func node(
        _ kind: ExpressionNode.Kind,
        from start: Int,
        above children: [ExpressionNode] = []
    ) throws(ExpressionError) -> ExpressionNode {
        let depth = (children.map(\.depth).max() ?? 0) + 1
        guard depth <= ExpressionNode.depthMax else {
            throw self.lexer.error(at: start, "the expression is nested deeper than \(ExpressionNode.depthMax)")
        }
        return ExpressionNode(
            kind: kind,
            column: self.lexer.column(of: start),
            text: self.lexer.excerpt(start..<max(start, self.end)),
            depth: depth
        )
    }

    // MARK: Grammar

    private mutating func expression(tighterThan minimum: Int) throws(ExpressionError) -> ExpressionNode {
        let start = self.token.range.lowerBound
        var left = try self.operand()
        while case .symbol(let symbol) = self.token.kind, let (operation, strength) = Self.operation(symbol),
            strength > minimum
        {
            var operands = [left]
            // A chain of one operator is one node, so that its length does not count as depth.
            repeat {
                try self.advance()
                operands.append(try self.expression(tighterThan: strength))
            } while strength != Self.comparison && self.token.kind == .symbol(symbol)
            left = try self.node(.operation(operation, operands), from: start, above: operands)
        }
        if self.token.kind == .symbol(.minus) { throw self.error("there is no subtraction") }
        return left
    }

    /// A literal, name, call or parenthesis with all that is attached to it: `.name`, `.name(…)`, `[…]`.
    private mutating func operand() throws(ExpressionError) -> ExpressionNode {
        guard self.depth < ExpressionNode.depthMax else {
            throw self.error("the expression is nested deeper than \(ExpressionNode.depthMax)")
        }
        self.depth += 1
        defer { self.depth -= 1 }
        let start = self.token.range.lowerBound
        var node = try self.primary()
        while true {
            if try self.take(.openBracket) {
                let key = try self.expression(tighterThan: 0)
                try self.expect(.closeBracket)
                node = try self.node(.index(node, key: key), from: start, above: [node, key])
            } else if try self.take(.dot) {
                let (name, nameStart) = try self.name(after: ".")
                guard try self.take(.openParenthesis) else {
                    throw self.lexer.error(at: nameStart, "`\(node.text)` has no member `\(name)`")
                }
                let arguments = [node] + (try self.arguments())
                node = try self.node(.call(name, arguments, isMethod: true), from: start, above: arguments)
            } else {
                return node
            }
        }
    }

    private mutating func primary() throws(ExpressionError) -> ExpressionNode {
        let start = self.token.range.lowerBound
        switch self.token.kind {
        case .string(let value): return try self.literal(.string(value), from: start)
        case .int64(let value): return try self.literal(.int64(value), from: start)
        case .double(let value): return try self.literal(.double(value), from: start)
        case .name(let name):
            try self.advance()
            return try self.named(name, from: start)
        case .symbol(.minus):
            try self.advance()
            switch self.token.kind {
            case .int64(let value): return try self.literal(.int64(-value), from: start)
            case .double(let value): return try self.literal(.double(-value), from: start)
            case .name, .string, .symbol, .end: throw self.error("`-` stands in front of numbers only")
            }
        case .symbol(.openParenthesis):
            try self.advance()
            let node = try self.expression(tighterThan: 0)
            try self.expect(.closeParenthesis)
            return node
        case .symbol: throw self.error("expected a value, found `\(self.tokenText)`")
        case .end: throw self.error("expected a value, found the end")
        }
    }

    private mutating func literal(
        _ literal: ExpressionNode.Literal,
        from start: Int
    ) throws(ExpressionError) -> ExpressionNode {
        try self.advance()
        return try self.node(.literal(literal), from: start)
    }

    /// `true`, a function's call, or an attribute; `a.b.c(d)` is a call of `c` on the attribute `a.b`.
    private mutating func named(_ first: String, from start: Int) throws(ExpressionError) -> ExpressionNode {
        if try self.take(.openParenthesis) {
            let arguments = try self.arguments()
            return try self.node(.call(first, arguments, isMethod: false), from: start, above: arguments)
        }
        if ["true", "false"].contains(first.lowercased()) {
            return try self.node(.literal(.bool(first.lowercased() == "true")), from: start)
        }
        var name = first
        while self.token.kind == .symbol(.dot) {
            let attribute = try self.node(.attribute(name), from: start)
            try self.advance()
            let (part, _) = try self.name(after: ".")
            if try self.take(.openParenthesis) {
                let arguments = [attribute] + (try self.arguments())
                return try self.node(.call(part, arguments, isMethod: true), from: start, above: arguments)
            }
            name += "." + part
            guard name.utf8.count <= Self.nameBytesMax else {
                throw self.lexer.error(at: start, "a name of more than \(Self.nameBytesMax) bytes")
            }
        }
        return try self.node(.attribute(name), from: start)
    }

    private mutating func name(after symbol: String) throws(ExpressionError) -> (String, start: Int) {
        guard case .name(let name) = self.token.kind else { throw self.error("expected a name after `\(symbol)`") }
        let start = self.token.range.lowerBound
        try self.advance()
        return (name, start)
    }

    /// The rest of a call, after its parenthesis.
    private mutating func arguments() throws(ExpressionError) -> [ExpressionNode] {
        if try self.take(.closeParenthesis) { return [] }
        var arguments: [ExpressionNode] = []
        repeat {
            arguments.append(try self.expression(tighterThan: 0))
        } while try self.take(.comma)
        try self.expect(.closeParenthesis)
        return arguments
    }

    /// How tightly comparisons bind; they are no chain, since `a == b == c` compares a truth value.
    private static let comparison = 3

    private static func operation(_ symbol: ExpressionToken.Symbol) -> (ExpressionNode.Operation, Int)? {
        switch symbol {
        case .or: (.or, 1)
        case .and: (.and, 2)
        case .equal: (.equal, Self.comparison)
        case .notEqual: (.notEqual, Self.comparison)
        case .less: (.less, Self.comparison)
        case .lessOrEqual: (.lessOrEqual, Self.comparison)
        case .greater: (.greater, Self.comparison)
        case .greaterOrEqual: (.greaterOrEqual, Self.comparison)
        case .otherwise: (.otherwise, 4)
        case .plus: (.add, 4)
        case .minus, .openParenthesis, .closeParenthesis, .openBracket, .closeBracket, .comma, .dot: nil
        }
    }
}
