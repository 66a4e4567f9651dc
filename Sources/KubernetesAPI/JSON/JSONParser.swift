/// Why bytes are no JSON document, and where.
package struct JSONParseError: Error, Hashable, CustomStringConvertible {
    package var line: Int
    package var column: Int
    package var message: String

    package var description: String { "line \(self.line), column \(self.column): \(self.message)" }
}

extension JSONValue {
    /// Nesting beyond this is refused, so that a hostile document cannot exhaust the stack.
    package static let depthMax = 512

    /// Parses one document (RFC 8259); `bytesMax` is the caller's limit on its size.
    package static func parse(
        _ bytes: some Collection<UInt8>,
        bytesMax: Int = 16 << 20
    ) throws(JSONParseError) -> JSONValue {
        guard bytes.count <= bytesMax else {
            throw JSONParseError(line: 1, column: 1, message: "\(bytes.count) bytes, more than \(bytesMax)")
        }
        let result = bytes.withContiguousStorageIfAvailable(Self.result(of:))
        return try (result ?? Array(bytes).withUnsafeBufferPointer(Self.result(of:))).get()
    }

    package static func parse(_ text: String, bytesMax: Int = 16 << 20) throws(JSONParseError) -> JSONValue {
        try self.parse(text.utf8, bytesMax: bytesMax)
    }

    private static func result(of bytes: UnsafeBufferPointer<UInt8>) -> Result<JSONValue, JSONParseError> {
        var parser = JSONParser(bytes: bytes)
        do throws(JSONParser.Failure) {
            return .success(try parser.document())
        } catch {
            return .failure(parser.explain(error))
        }
    }
}

/// A recursive descent over the bytes of one document.
private struct JSONParser {
    enum Failure: Error {
        case unexpectedEnd, unexpectedByte, badNumber, badEscape, controlCharacter, notUTF8, tooDeep, trailingBytes
    }

    let bytes: UnsafeBufferPointer<UInt8>
    private var position = 0
    private var depth = 0

    init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    mutating func document() throws(Failure) -> JSONValue {
        let value = try self.value()
        self.skipBlanks()
        guard self.position == self.bytes.count else { throw .trailingBytes }
        return value
    }

    func explain(_ failure: Failure) -> JSONParseError {
        let before = self.bytes.prefix(self.position)
        let lineStart = (before.lastIndex(of: UInt8(ascii: "\n")) ?? -1) + 1
        let message =
            switch failure {
            case .unexpectedEnd: "the document ends too early"
            case .unexpectedByte: "unexpected character"
            case .badNumber: "not a number"
            case .badEscape: "bad escape in a string"
            case .controlCharacter: "control character in a string"
            case .notUTF8: "the string is not UTF-8"
            case .tooDeep: "nested deeper than \(JSONValue.depthMax)"
            case .trailingBytes: "something follows the document"
            }
        return JSONParseError(
            line: before.count { $0 == UInt8(ascii: "\n") } + 1,
            column: self.position - lineStart + 1,
            message: message
        )
    }

    private mutating func value() throws(Failure) -> JSONValue {
        self.skipBlanks()
        switch try self.peek() {
        case UInt8(ascii: "{"): return try self.object()
        case UInt8(ascii: "["): return try self.array()
        case UInt8(ascii: "\""): return .string(try self.string())
        case UInt8(ascii: "t"): return try self.word("true", .bool(true))
        case UInt8(ascii: "f"): return try self.word("false", .bool(false))
        case UInt8(ascii: "n"): return try self.word("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try self.number()
        default: throw .unexpectedByte
        }
    }

    private mutating func object() throws(Failure) -> JSONValue {
        try self.enter()
        var members: [String: JSONValue] = [:]
        self.skipBlanks()
        if try self.peek() == UInt8(ascii: "}") {
            self.leave()
            return .object(members)
        }
        while true {
            self.skipBlanks()
            guard try self.peek() == UInt8(ascii: "\"") else { throw .unexpectedByte }
            let name = try self.string()
            self.skipBlanks()
            guard try self.peek() == UInt8(ascii: ":") else { throw .unexpectedByte }
            self.position += 1
            members[name] = try self.value()
            self.skipBlanks()
            switch try self.peek() {
            case UInt8(ascii: ","): self.position += 1
            case UInt8(ascii: "}"):
                self.leave()
                return .object(members)
            default: throw .unexpectedByte
            }
        }
    }

    private mutating func array() throws(Failure) -> JSONValue {
        try self.enter()
        var elements: [JSONValue] = []
        self.skipBlanks()
        if try self.peek() == UInt8(ascii: "]") {
            self.leave()
            return .array(elements)
        }
        while true {
            elements.append(try self.value())
            self.skipBlanks()
            switch try self.peek() {
            case UInt8(ascii: ","): self.position += 1
            case UInt8(ascii: "]"):
                self.leave()
                return .array(elements)
            default: throw .unexpectedByte
            }
        }
    }

    private mutating func string() throws(Failure) -> String {
        self.position += 1
        let start = self.position
        while self.position < self.bytes.count {
            let byte = self.bytes[self.position]
            if byte == UInt8(ascii: "\"") {
                let text = try self.text(start..<self.position)
                self.position += 1
                return text
            }
            if byte == UInt8(ascii: "\\") { return try self.stringWithEscapes(from: start) }
            if byte < 0x20 { throw .controlCharacter }
            self.position += 1
        }
        throw .unexpectedEnd
    }

    private mutating func stringWithEscapes(from start: Int) throws(Failure) -> String {
        var text = try self.text(start..<self.position)
        var runStart = self.position
        while self.position < self.bytes.count {
            let byte = self.bytes[self.position]
            switch byte {
            case UInt8(ascii: "\""):
                text += try self.text(runStart..<self.position)
                self.position += 1
                return text
            case UInt8(ascii: "\\"):
                text += try self.text(runStart..<self.position)
                self.position += 1
                text.unicodeScalars.append(try self.escape())
                runStart = self.position
            case 0..<0x20: throw .controlCharacter
            default: self.position += 1
            }
        }
        throw .unexpectedEnd
    }

    private mutating func escape() throws(Failure) -> Unicode.Scalar {
        let byte = try self.peek()
        self.position += 1
        switch byte {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try self.unicodeEscape()
        default: throw .badEscape
        }
    }

    /// RFC 8259 section 7: characters past the basic plane come as a surrogate pair. A lone surrogate becomes U+FFFD.
    private mutating func unicodeEscape() throws(Failure) -> Unicode.Scalar {
        let first = try self.hexQuad()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard (0xD800..<0xDC00).contains(first), self.position + 6 <= self.bytes.count,
            self.bytes[self.position] == UInt8(ascii: "\\"), self.bytes[self.position + 1] == UInt8(ascii: "u")
        else { return "\u{FFFD}" }
        let afterFirst = self.position
        self.position += 2
        let second = try self.hexQuad()
        guard (0xDC00..<0xE000).contains(second) else {
            self.position = afterFirst
            return "\u{FFFD}"
        }
        return Unicode.Scalar(0x10000 + (UInt32(first) - 0xD800) << 10 + (UInt32(second) - 0xDC00)) ?? "\u{FFFD}"
    }

    private mutating func hexQuad() throws(Failure) -> UInt16 {
        var value: UInt16 = 0
        for _ in 0..<4 {
            let digit: UInt8
            switch try self.peek() {
            case let byte where (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte): digit = byte - UInt8(ascii: "0")
            case let byte where (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte): digit = byte - 87
            case let byte where (UInt8(ascii: "A")...UInt8(ascii: "F")).contains(byte): digit = byte - 55
            default: throw .badEscape
            }
            value = value << 4 | UInt16(digit)
            self.position += 1
        }
        return value
    }

    private mutating func number() throws(Failure) -> JSONValue {
        let start = self.position
        if self.bytes[self.position] == UInt8(ascii: "-") { self.position += 1 }
        let firstDigit = self.position
        guard self.skipDigits() > 0 else { throw .badNumber }
        // RFC 8259 section 6: no leading zeros.
        if self.position - firstDigit > 1, self.bytes[firstDigit] == UInt8(ascii: "0") { throw .badNumber }
        var isWhole = true
        if self.position < self.bytes.count, self.bytes[self.position] == UInt8(ascii: ".") {
            isWhole = false
            self.position += 1
            guard self.skipDigits() > 0 else { throw .badNumber }
        }
        if self.position < self.bytes.count, self.bytes[self.position] | 0x20 == UInt8(ascii: "e") {
            isWhole = false
            self.position += 1
            if self.position < self.bytes.count,
                [UInt8(ascii: "+"), UInt8(ascii: "-")].contains(self.bytes[self.position])
            {
                self.position += 1
            }
            guard self.skipDigits() > 0 else { throw .badNumber }
        }
        let text = String(decoding: self.bytes[start..<self.position], as: UTF8.self)
        if isWhole, let value = Int64(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else { throw .badNumber }
        return .number(value)
    }

    private mutating func skipDigits() -> Int {
        let start = self.position
        while self.position < self.bytes.count, (48...57).contains(self.bytes[self.position]) { self.position += 1 }
        return self.position - start
    }

    private mutating func word(_ word: StaticString, _ value: JSONValue) throws(Failure) -> JSONValue {
        let length = word.utf8CodeUnitCount
        guard self.position + length <= self.bytes.count else { throw .unexpectedEnd }
        for offset in 0..<length where self.bytes[self.position + offset] != word.utf8Start[offset] {
            throw .unexpectedByte
        }
        self.position += length
        return value
    }

    private func text(_ range: Range<Int>) throws(Failure) -> String {
        guard let text = String(validating: self.bytes[range], as: UTF8.self) else { throw .notUTF8 }
        return text
    }

    private mutating func enter() throws(Failure) {
        guard self.depth < JSONValue.depthMax else { throw .tooDeep }
        self.depth += 1
        self.position += 1
    }

    private mutating func leave() {
        self.depth -= 1
        self.position += 1
    }

    private func peek() throws(Failure) -> UInt8 {
        guard self.position < self.bytes.count else { throw .unexpectedEnd }
        return self.bytes[self.position]
    }

    private mutating func skipBlanks() {
        while self.position < self.bytes.count {
            switch self.bytes[self.position] {
            case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"): self.position += 1
            default: return
            }
        }
    }
}
