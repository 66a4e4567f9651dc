/// Which objects are meant, by their labels; all that is said must hold, and nothing said means all.
package struct LabelSelector: Codable, Hashable, Sendable {
    package struct Requirement: Codable, Hashable, Sendable {
        package var key: String
        /// `In`, `NotIn`, `Exists`, `DoesNotExist`.
        package var `operator`: String
        package var values: [String]

        package init(key: String, operator: String, values: [String] = []) {
            self.key = key
            self.operator = `operator`
            self.values = values
        }

        /// An operator that is none of the four matches nothing.
        package func matches(_ labels: [String: String]) -> Bool {
            let value = labels[self.key]
            switch self.operator {
            case "In": return value.map(self.values.contains) ?? false
            case "NotIn": return value.map { !self.values.contains($0) } ?? true
            case "Exists": return value != nil
            case "DoesNotExist": return value == nil
            default: return false
            }
        }
    }

    package var matchLabels: [String: String]
    package var matchExpressions: [Requirement]

    package init(matchLabels: [String: String] = [:], matchExpressions: [Requirement] = []) {
        self.matchLabels = matchLabels
        self.matchExpressions = matchExpressions
    }

    /// Reads the form that selectors have inside objects; anything malformed selects nothing more.
    package init(json: JSONValue?) {
        self.init(
            matchLabels: json?["matchLabels"]?.stringMap ?? [:],
            matchExpressions: (json?["matchExpressions"]?.array ?? []).map { requirement in
                Requirement(
                    key: requirement["key"]?.string ?? "",
                    operator: requirement["operator"]?.string ?? "",
                    values: (requirement["values"]?.array ?? []).compactMap(\.string)
                )
            }
        )
    }

    package func matches(_ labels: [String: String]) -> Bool {
        self.matchLabels.allSatisfy { labels[$0.key] == $0.value }
            && self.matchExpressions.allSatisfy { $0.matches(labels) }
    }

    /// Parses the form of URLs and command lines: `a=b,c!=d,e in (x,y),f notin (z),g,!h`; `nil` if it is malformed.
    package init?(_ text: String) {
        self.init()
        for part in Self.parts(of: text) {
            guard let requirement = Self.requirement(part) else { return nil }
            self.matchExpressions.append(requirement)
        }
    }

    /// The form of URLs and command lines.
    package var text: String {
        let labels = self.matchLabels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        let expressions = self.matchExpressions.map { requirement in
            switch requirement.operator {
            case "In": "\(requirement.key) in (\(requirement.values.joined(separator: ",")))"
            case "NotIn": "\(requirement.key) notin (\(requirement.values.joined(separator: ",")))"
            case "DoesNotExist": "!\(requirement.key)"
            default: requirement.key
            }
        }
        return (labels + expressions).joined(separator: ",")
    }

    /// Splits at the commas that are not inside parentheses.
    private static func parts(of text: String) -> [Substring] {
        var parts: [Substring] = []
        var depth = 0
        var start = text.startIndex
        for index in text.indices {
            switch text[index] {
            case "(": depth += 1
            case ")": depth -= 1
            case "," where depth == 0:
                parts.append(text[start..<index])
                start = text.index(after: index)
            default: ()
            }
        }
        if !text.allSatisfy(\.isWhitespace) { parts.append(text[start...]) }
        return parts
    }

    private static func requirement(_ part: Substring) -> Requirement? {
        let text = part.trimmed
        if text.hasPrefix("!") {
            return self.key(text.dropFirst()).map { Requirement(key: $0, operator: "DoesNotExist") }
        }
        if text.hasSuffix(")"), let open = text.firstIndex(of: "(") {
            let words = text[..<open].split(whereSeparator: \.isWhitespace)
            let values = text[text.index(after: open)...].dropLast()
                .split(separator: ",", omittingEmptySubsequences: false).map { String($0.trimmed) }
            guard words.count == 2, let key = self.key(words[0]), values.allSatisfy(self.isValue) else { return nil }
            switch words[1] {
            case "in": return Requirement(key: key, operator: "In", values: values)
            case "notin": return Requirement(key: key, operator: "NotIn", values: values)
            default: return nil
            }
        }
        guard let sign = text.firstIndex(where: { $0 == "=" || $0 == "!" }) else {
            return self.key(text).map { Requirement(key: $0, operator: "Exists") }
        }
        let isNegated = text[sign] == "!"
        var value = text[text.index(after: sign)...]
        if value.hasPrefix("=") { value = value.dropFirst() } else if isNegated { return nil }
        guard let key = self.key(text[..<sign]), self.isValue(String(value.trimmed)) else { return nil }
        return Requirement(key: key, operator: isNegated ? "NotIn" : "In", values: [String(value.trimmed)])
    }

    private static func key(_ text: Substring) -> String? {
        let key = text.trimmed
        let isKey = key.utf8.allSatisfy { Self.isLabelByte($0) || $0 == UInt8(ascii: "/") }
        return key.isEmpty || !isKey ? nil : String(key)
    }

    private static func isValue(_ text: String) -> Bool { text.utf8.allSatisfy(Self.isLabelByte) }

    private static func isLabelByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        var text = self.drop(while: \.isWhitespace)
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
