/// Cuts an expression into words. Literals follow Go's rules, as Mixer's do; a text may stand in single quotes, too.
struct ExpressionLexer {
    /// A longer expression is refused before it is looked at. The longest published ones have some 500 bytes.
    static let bytesMax = 16_384

    private let bytes: [UInt8]
    private var index = 0

    init(_ source: String) throws(ExpressionError) {
        self.bytes = Array(source.utf8)
        guard self.bytes.count <= Self.bytesMax else {
            throw ExpressionError(
                kind: .syntax,
                column: 1,
                message: "the expression has \(self.bytes.count) bytes, more than \(Self.bytesMax)"
            )
        }
    }

    func error(at offset: Int, _ message: String) -> ExpressionError {
        ExpressionError(kind: .syntax, column: self.column(of: offset), message: message)
    }

    /// The place of a byte in characters, from 1.
    func column(of offset: Int) -> Int { self.bytes.prefix(offset).count { $0 & 0xc0 != 0x80 } + 1 }

    /// What stands at `range`, shortened for a message.
    func excerpt(_ range: Range<Int>) -> String {
        let text = String(decoding: self.bytes[range].prefix(240), as: UTF8.self)
        return text.count <= 60 ? text : text.prefix(59) + "…"
    }

    private func peek(_ distance: Int = 0) -> UInt8? {
        self.index + distance < self.bytes.count ? self.bytes[self.index + distance] : nil
    }

    mutating func next() throws(ExpressionError) -> ExpressionToken {
        while let byte = self.peek(), [0x20, 0x09, 0x0a, 0x0d].contains(byte) { self.index += 1 }
        let start = self.index
        guard let byte = self.peek() else { return ExpressionToken(kind: .end, range: start..<start) }
        let kind: ExpressionToken.Kind
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "`"): kind = .string(try self.string(byte))
        case 0x30...0x39: kind = try self.number()
        case UInt8(ascii: ".") where (0x30...0x39).contains(self.peek(1) ?? 0): kind = try self.number()
        case _ where Self.beginsName(byte): kind = .name(try self.name())
        default: kind = .symbol(try self.symbol())
        }
        return ExpressionToken(kind: kind, range: start..<self.index)
    }

    private static func beginsName(_ byte: UInt8) -> Bool {
        (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) || byte == UInt8(ascii: "_") || byte >= 0x80
    }

    private mutating func name() throws(ExpressionError) -> String {
        let start = self.index
        while let byte = self.peek(), Self.beginsName(byte) || (0x30...0x39).contains(byte) { self.index += 1 }
        let name = String(decoding: self.bytes[start..<self.index], as: UTF8.self)
        for scalar in name.unicodeScalars where !scalar.isASCII {
            let isLetter = scalar.properties.isAlphabetic || scalar.properties.numericType == .decimal
            guard isLetter else { throw self.error(at: start, "`\(scalar)` can be no part of a name") }
        }
        return name
    }

    private mutating func number() throws(ExpressionError) -> ExpressionToken.Kind {
        let start = self.index
        var isDouble = false
        func skipDigits(_ lexer: inout ExpressionLexer) {
            while let byte = lexer.peek(), (0x30...0x39).contains(byte) { lexer.index += 1 }
        }
        skipDigits(&self)
        if self.peek() == UInt8(ascii: "."), !Self.beginsName(self.peek(1) ?? 0) {
            isDouble = true
            self.index += 1
            skipDigits(&self)
        }
        if let byte = self.peek(), byte | 0x20 == UInt8(ascii: "e") {
            let hasSign = [UInt8(ascii: "+"), UInt8(ascii: "-")].contains(self.peek(1) ?? 0)
            if (0x30...0x39).contains(self.peek(hasSign ? 2 : 1) ?? 0) {
                isDouble = true
                self.index += hasSign ? 2 : 1
                skipDigits(&self)
            }
        }
        let text = String(decoding: self.bytes[start..<self.index], as: UTF8.self)
        if let byte = self.peek(), Self.beginsName(byte) {
            throw self.error(at: start, "numbers are decimal, such as 200 or 1.5; a duration is a text, such as \"5s\"")
        }
        if isDouble, let value = Double(text.hasSuffix(".") ? text + "0" : text), value.isFinite {
            return .double(value)
        }
        if !isDouble, let value = Int64(text) { return .int64(value) }
        throw self.error(at: start, "the number \(text) is out of range")
    }

    private mutating func symbol() throws(ExpressionError) -> ExpressionToken.Symbol {
        let first = String(UnicodeScalar(self.bytes[self.index]))
        if let second = self.peek(1),
            let symbol = ExpressionToken.Symbol(rawValue: first + String(UnicodeScalar(second)))
        {
            self.index += 2
            return symbol
        }
        if let symbol = ExpressionToken.Symbol(rawValue: first) {
            self.index += 1
            return symbol
        }
        throw self.error(at: self.index, Self.advice(on: first))
    }

    private static func advice(on character: String) -> String {
        switch character {
        case "=": "`=` is no operator; `==` compares"
        case "&": "`&` is no operator; `&&` is the logical and"
        case "!": "`!` is no operator; compare with `== false` instead"
        case "*", "/", "%", "^": "`\(character)` is no operator; there are == != < <= > >= && || | + and []"
        default: "`\(character)` has no meaning here"
        }
    }

    // MARK: Texts

    private mutating func string(_ quote: UInt8) throws(ExpressionError) -> String {
        let start = self.index
        self.index += 1
        var content: [UInt8] = []
        while true {
            guard let byte = self.peek() else { throw self.error(at: start, "the text is not closed") }
            self.index += 1
            if byte == quote { break }
            if quote != UInt8(ascii: "`") {
                if byte == 0x0a { throw self.error(at: start, "the text is not closed on its line") }
                if byte == UInt8(ascii: "\\") {
                    try self.escape(into: &content)
                    continue
                }
            } else if byte == 0x0d {
                continue  // Go leaves them out of raw texts.
            }
            content.append(byte)
        }
        guard let text = String(validating: content, as: UTF8.self) else {
            throw self.error(at: start, "the text's escapes make no valid UTF-8")
        }
        return text
    }

    private mutating func escape(into content: inout [UInt8]) throws(ExpressionError) {
        let start = self.index - 1
        guard let byte = self.peek() else { throw self.error(at: start, "a `\\` at the end") }
        self.index += 1
        switch byte {
        case UInt8(ascii: "a"): content.append(0x07)
        case UInt8(ascii: "b"): content.append(0x08)
        case UInt8(ascii: "f"): content.append(0x0c)
        case UInt8(ascii: "n"): content.append(0x0a)
        case UInt8(ascii: "r"): content.append(0x0d)
        case UInt8(ascii: "t"): content.append(0x09)
        case UInt8(ascii: "v"): content.append(0x0b)
        case UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "'"): content.append(byte)
        case UInt8(ascii: "x"): content.append(UInt8(truncatingIfNeeded: try self.digits(2, radix: 16, from: start)))
        case UInt8(ascii: "u"): try self.append(try self.digits(4, radix: 16, from: start), from: start, to: &content)
        case UInt8(ascii: "U"): try self.append(try self.digits(8, radix: 16, from: start), from: start, to: &content)
        case 0x30...0x37:
            self.index -= 1
            let value = try self.digits(3, radix: 8, from: start)
            guard value < 256 else { throw self.error(at: start, "an octal escape above \\377") }
            content.append(UInt8(value))
        default:
            throw self.error(
                at: start,
                "`\\\(UnicodeScalar(byte))` is no escape; write \\\\ for a backslash, or the text in backquotes"
            )
        }
    }

    private mutating func digits(_ count: Int, radix: Int, from start: Int) throws(ExpressionError) -> UInt32 {
        let end = self.index + count
        guard end <= self.bytes.count,
            let value = UInt32(String(decoding: self.bytes[self.index..<end], as: UTF8.self), radix: radix),
            self.bytes[self.index] != UInt8(ascii: "+")
        else { throw self.error(at: start, "an escape that lacks digits") }
        self.index = end
        return value
    }

    private func append(_ value: UInt32, from start: Int, to content: inout [UInt8]) throws(ExpressionError) {
        guard let scalar = Unicode.Scalar(value) else {
            throw self.error(at: start, "an escape that is no character")
        }
        content.append(contentsOf: String(scalar).utf8)
    }
}
