internal import Yams

/// A YAML or JSON document as plain values, in the order in which it was written.
indirect enum ConfigurationTree: Sendable {
    case null
    case boolean(Bool)
    /// As written.
    case number(String)
    case string(String)
    case list([ConfigurationTree])
    case map([(key: String, value: ConfigurationTree)])

    /// Parses YAML 1.2 (JSON included); throws Yams' error, which names line and column.
    init(parsing text: String) throws {
        // JSON may be indented with tabs, which YAML forbids; inside its strings they cannot stand.
        let isJSON = text.utf8.first { ![9, 10, 13, 32].contains($0) } == UInt8(ascii: "{")
        let source = isJSON ? text.replacing("\t", with: " ") : text
        guard let node = try Yams.compose(yaml: source, .basic) else {
            self = .null
            return
        }
        self.init(node)
    }

    private init(_ node: Node) {
        switch node {
        case .scalar(let scalar):
            self = scalar.style == .plain ? Self.plain(scalar.string) : .string(scalar.string)
        case .sequence(let sequence):
            self = .list(sequence.map(ConfigurationTree.init))
        case .mapping(let mapping):
            self = .map(
                mapping.map { (key: $0.key.scalar?.string ?? "", value: ConfigurationTree($0.value)) }
            )
        case .alias:
            self = .null
        }
    }

    /// The core schema of YAML 1.2.
    private static func plain(_ text: String) -> ConfigurationTree {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .boolean(true)
        case "false", "False", "FALSE": return .boolean(false)
        default: return Self.isNumber(text) ? .number(text) : .string(text)
        }
    }

    /// Whether JSON would call it a number.
    private static func isNumber(_ text: String) -> Bool {
        var rest = Substring(text).utf8
        func digits(_ rest: inout Substring.UTF8View) -> Int {
            let count = rest.prefix { (48...57).contains($0) }.count
            rest = rest.dropFirst(count)
            return count
        }
        if rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
        let startsWithZero = rest.first == UInt8(ascii: "0")
        let count = digits(&rest)
        guard count == 1 || count > 1 && !startsWithZero else { return false }
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            guard digits(&rest) > 0 else { return false }
        }
        if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
            rest = rest.dropFirst()
            if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
            guard digits(&rest) > 0 else { return false }
        }
        return rest.isEmpty
    }

    subscript(_ key: String) -> ConfigurationTree? {
        guard case .map(let entries) = self else { return nil }
        return entries.first { snakeCase($0.key) == key }?.value
    }

    var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// JSON text.
    var json: String {
        var text = ""
        self.write(to: &text)
        return text
    }

    private func write(to text: inout String) {
        switch self {
        case .null: text += "null"
        case .boolean(let value): text += value ? "true" : "false"
        case .number(let digits): text += digits
        case .string(let string): Self.write(string, to: &text)
        case .list(let elements):
            text += "["
            for (index, element) in elements.enumerated() {
                if index > 0 { text += "," }
                element.write(to: &text)
            }
            text += "]"
        case .map(let entries):
            text += "{"
            for (index, entry) in entries.enumerated() {
                if index > 0 { text += "," }
                Self.write(entry.key, to: &text)
                text += ":"
                entry.value.write(to: &text)
            }
            text += "}"
        }
    }

    private static func write(_ string: String, to text: inout String) {
        text += "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            default:
                if scalar.value < 0x20 {
                    let digits = String(scalar.value, radix: 16)
                    text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                } else {
                    text.unicodeScalars.append(scalar)
                }
            }
        }
        text += "\""
    }
}

/// `statPrefix` and `stat_prefix` are one field (proto3 JSON).
func snakeCase(_ key: String) -> String {
    guard key.utf8.contains(where: { (65...90).contains($0) }) else { return key }
    var result = ""
    for character in key {
        if character.isUppercase { result += "_" }
        result += character.lowercased()
    }
    return result
}
