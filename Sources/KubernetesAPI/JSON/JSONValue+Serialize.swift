extension JSONValue: CustomStringConvertible {
    /// The document as bytes, members in the order of their names, so that equal values give equal bytes.
    package func serialize(pretty: Bool = false) -> [UInt8] {
        var writer = JSONWriter(isPretty: pretty)
        writer.write(self)
        return writer.bytes
    }

    /// The document as text; see ``serialize(pretty:)``.
    package func text(pretty: Bool = false) -> String {
        String(decoding: self.serialize(pretty: pretty), as: UTF8.self)
    }

    package var description: String { self.text() }
}

private struct JSONWriter {
    let isPretty: Bool
    var bytes: [UInt8] = []
    private var depth = 0

    init(isPretty: Bool) {
        self.isPretty = isPretty
        self.bytes.reserveCapacity(512)
    }

    mutating func write(_ value: JSONValue) {
        switch value {
        case .null: self.bytes += "null".utf8
        case .bool(let value): self.bytes += (value ? "true" : "false").utf8
        case .integer(let value): self.bytes += String(value).utf8
        // JSON has no word for infinity or NaN; the parser never makes one.
        case .number(let value): self.bytes += (value.isFinite ? "\(value)" : "null").utf8
        case .string(let value): self.write(value)
        case .array(let elements):
            self.open("[")
            for (index, element) in elements.enumerated() {
                self.separate(isFirst: index == 0)
                self.write(element)
            }
            self.close("]", isEmpty: elements.isEmpty)
        case .object(let members):
            self.open("{")
            for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
                self.separate(isFirst: index == 0)
                self.write(member.key)
                self.bytes += (self.isPretty ? ": " : ":").utf8
                self.write(member.value)
            }
            self.close("}", isEmpty: members.isEmpty)
        }
    }

    private mutating func write(_ text: String) {
        self.bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): self.bytes += "\\\"".utf8
            case UInt8(ascii: "\\"): self.bytes += "\\\\".utf8
            case UInt8(ascii: "\n"): self.bytes += "\\n".utf8
            case UInt8(ascii: "\r"): self.bytes += "\\r".utf8
            case UInt8(ascii: "\t"): self.bytes += "\\t".utf8
            case 0..<0x20:
                let hex = String(byte, radix: 16)
                self.bytes += ("\\u00" + (hex.count == 1 ? "0" : "") + hex).utf8
            default: self.bytes.append(byte)
            }
        }
        self.bytes.append(UInt8(ascii: "\""))
    }

    private mutating func open(_ bracket: Unicode.Scalar) {
        self.bytes.append(UInt8(ascii: bracket))
        self.depth += 1
    }

    private mutating func close(_ bracket: Unicode.Scalar, isEmpty: Bool) {
        self.depth -= 1
        if !isEmpty { self.breakLine() }
        self.bytes.append(UInt8(ascii: bracket))
    }

    private mutating func separate(isFirst: Bool) {
        if !isFirst { self.bytes.append(UInt8(ascii: ",")) }
        self.breakLine()
    }

    private mutating func breakLine() {
        guard self.isPretty else { return }
        self.bytes.append(UInt8(ascii: "\n"))
        self.bytes += repeatElement(UInt8(ascii: " "), count: 4 * self.depth)
    }
}
