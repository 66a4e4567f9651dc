/// The JSON of a name table, `{"table": {NAME: INFO, …}, "unaddressed": …}`, cut into one piece for each name.
///
/// It checks the form of the whole text and says where it is broken; what a piece means, others decide. So a large
/// table is never there a second time as a tree of values, and a name whose piece has not changed need not be read
/// again.
package struct NameTableText {
    /// A mistake and its place.
    package struct Fault: Error, Hashable, CustomStringConvertible {
        /// Which field, such as `table["db.test"].ips[1]`; empty for the text as a whole.
        package var path: String
        /// Both count from 1.
        package var line: Int
        package var column: Int
        package var message: String

        package var description: String {
            "line \(self.line), column \(self.column): " + (self.path.isEmpty ? "" : self.path + ": ") + self.message
        }
    }

    /// A member of an object.
    package struct Member: Hashable {
        package var key: String
        /// Where the key begins.
        package var start: Int
        /// The bytes of the value, without space around it.
        package var value: Range<Int>
        /// The field of the name table that it stands in; empty for other objects.
        package var field = ""
    }

    /// What a name table has: names with addresses, and names without any.
    private static let fields = ["table", "unaddressed"]

    package let bytes: [UInt8]

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The names of the table and where what is said about each stands, in the text's order.
    package func entries() throws(Fault) -> [Member] {
        var scanner = JSONScanner(bytes: self.bytes, position: 0)
        var found: [Member] = []
        do {
            let members = try scanner.object()
            try scanner.end()
            for member in members {
                guard Self.fields.contains(member.key) else {
                    let known = Self.fields.map { "\"\($0)\"" }.joined(separator: " and ")
                    throw JSONScanner.Failure(
                        member.start,
                        "the name table has no field \"\(member.key)\", only \(known)"
                    )
                }
                // In proto3 JSON null stands for the field's default (here: no names).
                guard self.bytes[member.value] != [110, 117, 108, 108] else { continue }
                var inner = JSONScanner(bytes: self.bytes, position: member.value.lowerBound)
                guard self.bytes[member.value.lowerBound] == UInt8(ascii: "{") else {
                    throw JSONScanner.Failure(
                        member.value.lowerBound,
                        "must be an object with a member for each name",
                        member.key
                    )
                }
                for var entry in try inner.object() {
                    entry.field = member.key
                    found.append(entry)
                }
            }
            return found
        } catch let failure as JSONScanner.Failure {
            throw self.fault(at: failure.position, failure.path, failure.message)
        } catch {
            throw self.fault(at: 0, "", "\(error)")
        }
    }

    /// The members of the object that stands at `range`; it was checked before.
    package func members(of range: Range<Int>) -> [Member] {
        var scanner = JSONScanner(bytes: self.bytes, position: range.lowerBound)
        // No object: it has no members.
        return (try? scanner.object()) ?? []
    }

    /// A mistake at a place of the text.
    package func fault(at position: Int, _ path: String, _ message: String) -> Fault {
        let before = self.bytes[..<min(position, self.bytes.count)]
        let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        let line = before.count { $0 == UInt8(ascii: "\n") } + 1
        // Columns count characters: bytes that continue one are left out.
        let column = before[lineStart...].count { $0 & 0xc0 != 0x80 } + 1
        return Fault(path: path, line: line, column: column, message: message)
    }
}

/// Walks over JSON (RFC 8259) and remembers where things stand.
private struct JSONScanner {
    struct Failure: Error {
        var position: Int
        var message: String
        var path: String

        init(_ position: Int, _ message: String, _ path: String = "") {
            self.position = position
            self.message = message
            self.path = path
        }
    }

    /// A name table has three levels.
    private static let depthMax = 16

    let bytes: [UInt8]
    var position: Int
    private var depth = 0

    init(bytes: [UInt8], position: Int) {
        self.bytes = bytes
        self.position = position
    }

    private var next: UInt8? { self.position < self.bytes.count ? self.bytes[self.position] : nil }

    private mutating func skipSpace() {
        while let byte = self.next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { self.position += 1 }
    }

    private func failure(_ expected: String) -> Failure {
        guard let byte = self.next else { return Failure(self.position, "the text ends where \(expected) is due") }
        let shown = byte > 0x20 && byte < 0x7f ? "\"\(Character(UnicodeScalar(byte)))\"" : "byte \(byte)"
        return Failure(self.position, "\(shown) stands where \(expected) is due")
    }

    private mutating func expect(_ byte: UInt8, _ name: String) throws {
        guard self.next == byte else { throw self.failure(name) }
        self.position += 1
    }

    /// Nothing but space follows.
    mutating func end() throws {
        self.skipSpace()
        guard self.position == self.bytes.count else { throw Failure(self.position, "something follows the object") }
    }

    /// Reads an object; its values are walked over.
    mutating func object() throws -> [NameTableText.Member] {
        var members: [NameTableText.Member] = []
        try self.object { members.append($0) }
        return members
    }

    private mutating func object(_ body: (NameTableText.Member) -> Void) throws {
        self.skipSpace()
        try self.expect(UInt8(ascii: "{"), "an object")
        try self.enter()
        self.skipSpace()
        if self.next == UInt8(ascii: "}") {
            self.position += 1
            self.depth -= 1
            return
        }
        while true {
            self.skipSpace()
            let start = self.position
            let key = try self.key()
            self.skipSpace()
            try self.expect(UInt8(ascii: ":"), "a colon")
            self.skipSpace()
            let valueStart = self.position
            try self.value()
            body(NameTableText.Member(key: key, start: start, value: valueStart..<self.position))
            self.skipSpace()
            if self.next == UInt8(ascii: ",") {
                self.position += 1
            } else {
                try self.expect(UInt8(ascii: "}"), "a comma or the end of the object")
                self.depth -= 1
                return
            }
        }
    }

    private mutating func enter() throws {
        self.depth += 1
        guard self.depth <= Self.depthMax else { throw Failure(self.position, "values are nested too deeply") }
    }

    private mutating func value() throws {
        switch self.next {
        case UInt8(ascii: "{"): try self.object { _ in }
        case UInt8(ascii: "["): try self.array()
        case UInt8(ascii: "\""): _ = try self.string()
        case UInt8(ascii: "t"): try self.word("true")
        case UInt8(ascii: "f"): try self.word("false")
        case UInt8(ascii: "n"): try self.word("null")
        case .some(UInt8(ascii: "-")), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): try self.number()
        default: throw self.failure("a value")
        }
    }

    private mutating func array() throws {
        self.position += 1
        try self.enter()
        self.skipSpace()
        if self.next == UInt8(ascii: "]") {
            self.position += 1
            self.depth -= 1
            return
        }
        while true {
            self.skipSpace()
            try self.value()
            self.skipSpace()
            if self.next == UInt8(ascii: ",") {
                self.position += 1
            } else {
                try self.expect(UInt8(ascii: "]"), "a comma or the end of the list")
                self.depth -= 1
                return
            }
        }
    }

    private mutating func word(_ text: StaticString) throws {
        for index in 0..<text.utf8CodeUnitCount {
            guard self.next == text.utf8Start[index] else { throw self.failure("\"\(text)\"") }
            self.position += 1
        }
    }

    private mutating func number() throws {
        if self.next == UInt8(ascii: "-") { self.position += 1 }
        if self.next == UInt8(ascii: "0") { self.position += 1 } else { try self.digits() }
        if self.next == UInt8(ascii: ".") {
            self.position += 1
            try self.digits()
        }
        if self.next == UInt8(ascii: "e") || self.next == UInt8(ascii: "E") {
            self.position += 1
            if self.next == UInt8(ascii: "+") || self.next == UInt8(ascii: "-") { self.position += 1 }
            try self.digits()
        }
    }

    private mutating func digits() throws {
        let start = self.position
        while let byte = self.next, (0x30...0x39).contains(byte) { self.position += 1 }
        guard self.position > start else { throw self.failure("a digit") }
    }

    /// Walks over a string; returns the range between its quotes and whether it has escapes.
    private mutating func string() throws -> (range: Range<Int>, hasEscapes: Bool) {
        let quote = self.position
        try self.expect(UInt8(ascii: "\""), "a string")
        let start = self.position
        var hasEscapes = false
        while let byte = self.next {
            switch byte {
            case UInt8(ascii: "\""):
                self.position += 1
                return (start..<(self.position - 1), hasEscapes)
            case UInt8(ascii: "\\"):
                hasEscapes = true
                self.position += 1
                try self.escape()
            case 0..<0x20: throw Failure(self.position, "control characters in strings must be escaped")
            default: self.position += 1
            }
        }
        throw Failure(quote, "a string has no end")
    }

    private mutating func escape() throws {
        switch self.next {
        case UInt8(ascii: "u"):
            self.position += 1
            for _ in 0..<4 {
                guard let byte = self.next, Self.digit(byte) != nil else { throw self.failure("a hexadecimal digit") }
                self.position += 1
            }
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            self.position += 1
        default: throw self.failure("an escape")
        }
    }

    private static func digit(_ byte: UInt8) -> UInt16? {
        switch byte {
        case 0x30...0x39: UInt16(byte - 0x30)
        case 0x41...0x46: UInt16(byte - 0x41 + 10)
        case 0x61...0x66: UInt16(byte - 0x61 + 10)
        default: nil
        }
    }

    private mutating func key() throws -> String {
        let (range, hasEscapes) = try self.string()
        guard hasEscapes else { return String(decoding: self.bytes[range], as: UTF8.self) }
        var units: [UInt16] = []
        var text = ""
        var index = range.lowerBound
        func flush() {
            text += String(decoding: units, as: UTF16.self)
            units = []
        }
        while index < range.upperBound {
            let byte = self.bytes[index]
            guard byte == UInt8(ascii: "\\") else {
                flush()
                let end = self.bytes[index..<range.upperBound].firstIndex(of: UInt8(ascii: "\\")) ?? range.upperBound
                text += String(decoding: self.bytes[index..<end], as: UTF8.self)
                index = end
                continue
            }
            let kind = self.bytes[index + 1]
            index += 2
            switch kind {
            case UInt8(ascii: "u"):
                units.append(self.bytes[index..<(index + 4)].reduce(0) { $0 << 4 | (Self.digit($1) ?? 0) })
                index += 4
            case UInt8(ascii: "b"): units.append(8)
            case UInt8(ascii: "f"): units.append(12)
            case UInt8(ascii: "n"): units.append(10)
            case UInt8(ascii: "r"): units.append(13)
            case UInt8(ascii: "t"): units.append(9)
            default: units.append(UInt16(kind))
            }
        }
        flush()
        return text
    }
}
