/// Reads the common part of RE2's syntax: literals, `.`, classes, `\d \w \s \b` and their opposites, groups, alternation,
/// `* + ? {m,n}` (also lazy: the same for a yes-or-no match), anchors, and the flags `i` and `s`.
struct PatternParser {
    /// RE2 has the same bound on counted repetition.
    private static let repetitionsMax = 1000
    /// Groups inside groups; bounds the recursion.
    private static let depthMax = 100

    private let source: [Unicode.Scalar]
    private var index = 0
    private var depth = 0
    private var ignoresCase = false
    private var dotIsAll = false

    init(_ source: String) { self.source = Array(source.unicodeScalars) }

    mutating func parse() throws(Pattern.SyntaxError) -> PatternNode {
        let node = try self.alternation()
        guard self.index == self.source.count else { throw self.error("unexpected `)`") }
        return node
    }

    private func error(_ message: String) -> Pattern.SyntaxError {
        Pattern.SyntaxError(message: "\(message) at position \(self.index)")
    }

    private var next: Unicode.Scalar? { self.index < self.source.count ? self.source[self.index] : nil }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard self.next == scalar else { return false }
        self.index += 1
        return true
    }

    private mutating func alternation() throws(Pattern.SyntaxError) -> PatternNode {
        var branches = [try self.sequence()]
        while self.take("|") { branches.append(try self.sequence()) }
        return branches.count == 1 ? branches[0] : .either(branches)
    }

    private mutating func sequence() throws(Pattern.SyntaxError) -> PatternNode {
        var nodes: [PatternNode] = []
        while let scalar = self.next, scalar != "|", scalar != ")" {
            let node = try self.atom()
            nodes.append(try self.repeated(node))
        }
        return nodes.count == 1 ? nodes[0] : .sequence(nodes)
    }

    private mutating func repeated(_ atom: PatternNode) throws(Pattern.SyntaxError) -> PatternNode {
        var node = atom
        var isRepeated = false
        while let (least, most) = try self.bounds() {
            // RE2 refuses `a**` as well; a lazy mark is taken by `bounds`.
            guard !isRepeated else { throw self.error("a repetition of a repetition") }
            isRepeated = true
            node = .times(node, least: least, most: most)
        }
        return node
    }

    private mutating func bounds() throws(Pattern.SyntaxError) -> (Int, Int?)? {
        var result: (Int, Int?)?
        if self.take("*") {
            result = (0, nil)
        } else if self.take("+") {
            result = (1, nil)
        } else if self.take("?") {
            result = (0, 1)
        } else if self.next == "{" {
            result = try self.countedBounds()
        }
        if result != nil { _ = self.take("?") }
        return result
    }

    /// `{m}`, `{m,}` or `{m,n}`; a brace that begins none of these is a literal.
    private mutating func countedBounds() throws(Pattern.SyntaxError) -> (Int, Int?)? {
        let start = self.index
        self.index += 1
        guard let least = self.number() else {
            self.index = start
            return nil
        }
        var most: Int? = least
        if self.take(",") { most = self.number() }
        guard self.take("}") else {
            self.index = start
            return nil
        }
        guard least <= Self.repetitionsMax, (most ?? 0) <= Self.repetitionsMax, least <= (most ?? least) else {
            throw self.error("repetition counts must ascend and be at most \(Self.repetitionsMax)")
        }
        return (least, most)
    }

    private mutating func number() -> Int? {
        let start = self.index
        var value = 0
        while let scalar = self.next, ("0"..."9").contains(scalar) {
            value = min(value * 10 + Int(scalar.value - 48), 1_000_000)
            self.index += 1
        }
        return self.index > start ? value : nil
    }

    private mutating func atom() throws(Pattern.SyntaxError) -> PatternNode {
        guard let scalar = self.next else { return .empty }
        self.index += 1
        switch scalar {
        case ".": return .bytes(self.dotIsAll ? .all : .allButNewline)
        case "^": return .assertion(.start)
        case "$": return .assertion(.end)
        case "(": return try self.group()
        case "[": return .bytes(try self.bracketClass())
        case "\\": return try self.escape()
        case "*", "+", "?":
            self.index -= 1
            throw self.error("nothing to repeat before `\(scalar)`")
        case "{":
            // A count without anything before it; any other brace is a literal.
            self.index -= 1
            let isCount = try self.countedBounds() != nil
            if isCount { throw self.error("nothing to repeat before `{`") }
            self.index += 1
            return self.literal(scalar)
        default: return self.literal(scalar)
        }
    }

    /// One character; several bytes if it is not ASCII.
    private func literal(_ scalar: Unicode.Scalar) -> PatternNode {
        let bytes = String(scalar).utf8.map { PatternNode.bytes(self.folded(ByteClass($0...$0))) }
        return bytes.count == 1 ? bytes[0] : .sequence(bytes)
    }

    private func folded(_ set: ByteClass) -> ByteClass { self.ignoresCase ? set.ignoringCase : set }

    private mutating func group() throws(Pattern.SyntaxError) -> PatternNode {
        guard self.depth < Self.depthMax else { throw self.error("groups nested deeper than \(Self.depthMax)") }
        self.depth += 1
        defer { self.depth -= 1 }
        let flags = (self.ignoresCase, self.dotIsAll)
        if self.take("?") {
            let isOnlyFlags = try self.groupPrefix()
            // `(?i)` holds to the end of the group around it.
            if isOnlyFlags { return .empty }
        }
        let node = try self.alternation()
        guard self.take(")") else { throw self.error("missing `)`") }
        (self.ignoresCase, self.dotIsAll) = flags
        return node
    }

    /// What stands after `(?`; `true` if it was flags up to `)`.
    private mutating func groupPrefix() throws(Pattern.SyntaxError) -> Bool {
        if self.next == "P" || self.next == "<" {
            _ = self.take("P")
            guard self.take("<") else { throw self.error("back references are not supported") }
            if self.next == "=" || self.next == "!" { throw self.error("look-behind is not supported") }
            while let scalar = self.next, scalar != ">" {
                guard scalar == "_" || scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) else {
                    throw self.error("invalid group name")
                }
                self.index += 1
            }
            guard self.take(">") else { throw self.error("missing `>`") }
            return false
        }
        var value = true
        while let scalar = self.next {
            self.index += 1
            switch scalar {
            case "i": self.ignoresCase = value
            case "s": self.dotIsAll = value
            case "U": ()  // swaps greedy and lazy, which makes no difference here
            case "-": value = false
            case ":": return false
            case ")": return true
            case "=", "!": throw self.error("look-ahead is not supported")
            default: throw self.error("flag `\(scalar)` is not supported")
            }
        }
        throw self.error("missing `)`")
    }

    private mutating func escape() throws(Pattern.SyntaxError) -> PatternNode {
        guard let scalar = self.next else { throw self.error("a `\\` at the end") }
        if let set = Self.namedClass(scalar) {
            self.index += 1
            return .bytes(set)
        }
        switch scalar {
        case "b", "B", "A", "z":
            self.index += 1
            return .assertion(
                scalar == "b" ? .wordBoundary : scalar == "B" ? .noWordBoundary : scalar == "A" ? .start : .end
            )
        case "Q":
            self.index += 1
            return self.quoted()
        default:
            return self.literal(try self.escapedCharacter())
        }
    }

    /// Everything up to `\E` as it stands.
    private mutating func quoted() -> PatternNode {
        var nodes: [PatternNode] = []
        while let scalar = self.next {
            self.index += 1
            if scalar == "\\", self.take("E") { break }
            nodes.append(self.literal(scalar))
        }
        return .sequence(nodes)
    }

    /// A character after `\`, inside or outside a class.
    private mutating func escapedCharacter() throws(Pattern.SyntaxError) -> Unicode.Scalar {
        guard let scalar = self.next else { throw self.error("a `\\` at the end") }
        self.index += 1
        switch scalar {
        case "t": return "\t"
        case "n": return "\n"
        case "r": return "\r"
        case "f": return "\u{0c}"
        case "v": return "\u{0b}"
        case "a": return "\u{07}"
        case "x": return try self.hexadecimal()
        default:
            let isWordCharacter = scalar.isASCII && ByteClass.word.contains(UInt8(scalar.value))
            guard scalar.isASCII, !isWordCharacter else { throw self.error("`\\\(scalar)` is not supported") }
            return scalar
        }
    }

    private mutating func hexadecimal() throws(Pattern.SyntaxError) -> Unicode.Scalar {
        let isBraced = self.take("{")
        var digits = ""
        while let scalar = self.next, scalar.properties.isASCIIHexDigit, digits.utf8.count < (isBraced ? 6 : 2) {
            digits.unicodeScalars.append(scalar)
            self.index += 1
        }
        guard let value = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(value), !isBraced || self.take("}"),
            isBraced || digits.utf8.count == 2
        else { throw self.error("invalid `\\x`") }
        return scalar
    }

    private static func namedClass(_ scalar: Unicode.Scalar) -> ByteClass? {
        switch scalar {
        case "d": .digits
        case "D": ByteClass.digits.inverted
        case "w": .word
        case "W": ByteClass.word.inverted
        case "s": .spaces
        case "S": ByteClass.spaces.inverted
        default: nil
        }
    }

    private mutating func bracketClass() throws(Pattern.SyntaxError) -> ByteClass {
        let isInverted = self.take("^")
        var set = ByteClass()
        var isFirst = true
        while true {
            guard let scalar = self.next else { throw self.error("missing `]`") }
            if scalar == "]", !isFirst { break }
            isFirst = false
            if scalar == "[", self.index + 1 < self.source.count, self.source[self.index + 1] == ":" {
                set.formUnion(try self.posixClass())
                continue
            }
            if scalar == "\\", self.index + 1 < self.source.count,
                let named = Self.namedClass(self.source[self.index + 1])
            {
                self.index += 2
                set.formUnion(named)
                continue
            }
            let low = try self.classCharacter()
            var high = low
            let hasRange = self.next == "-" && self.index + 1 < self.source.count && self.source[self.index + 1] != "]"
            if hasRange {
                self.index += 1
                high = try self.classCharacter()
            }
            guard low <= high else { throw self.error("a range that descends") }
            set.insert(low...high)
        }
        self.index += 1
        let result = self.folded(set)
        return isInverted ? result.inverted : result
    }

    private mutating func classCharacter() throws(Pattern.SyntaxError) -> UInt8 {
        guard let scalar = self.next else { throw self.error("missing `]`") }
        self.index += 1
        let member = scalar == "\\" ? try self.escapedCharacter() : scalar
        guard member.isASCII else { throw self.error("classes may hold ASCII characters only") }
        return UInt8(member.value)
    }

    private mutating func posixClass() throws(Pattern.SyntaxError) -> ByteClass {
        let rest = String(String.UnicodeScalarView(self.source[self.index...].prefix(14)))
        let classes: [(String, ByteClass)] = [
            ("[:alpha:]", ByteClass(0x41...0x5a, 0x61...0x7a)), ("[:digit:]", .digits), ("[:word:]", .word),
            ("[:alnum:]", ByteClass(0x30...0x39, 0x41...0x5a, 0x61...0x7a)), ("[:upper:]", ByteClass(0x41...0x5a)),
            ("[:lower:]", ByteClass(0x61...0x7a)), ("[:space:]", ByteClass(0x09...0x0d, 0x20...0x20)),
            ("[:xdigit:]", ByteClass(0x30...0x39, 0x41...0x46, 0x61...0x66)),
            ("[:punct:]", ByteClass(0x21...0x2f, 0x3a...0x40, 0x5b...0x60, 0x7b...0x7e)),
        ]
        guard let found = classes.first(where: { rest.hasPrefix($0.0) }) else {
            throw self.error("unknown class name")
        }
        self.index += found.0.utf8.count
        return found.1
    }
}
