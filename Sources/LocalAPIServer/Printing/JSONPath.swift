package import KubernetesAPI

/// The paths that printer columns use: `.spec.hosts`, `.spec.ports[0].name`, `.metadata.annotations['a\.b']`,
/// `.status.conditions[?(@.type=="Ready")].status`. Of several values there is the first one only, as columns show one.
package struct JSONPath: Sendable {
    private enum Step: Sendable {
        /// Of an object, or an element of a list by its number.
        case member(String)
        case any
        /// The first element of a list that has this text in a member.
        case first(member: String, text: String)
    }

    private var steps: [Step] = []

    package init(_ text: String) {
        var rest = text[...]
        while let character = rest.popFirst() {
            switch character {
            case ".": ()
            case "[":
                let step = Self.bracket(&rest)
                self.steps.append(step)
            default:
                var name = ""
                Self.take(character, &rest, into: &name)
                while let next = rest.first, next != ".", next != "[" {
                    rest.removeFirst()
                    Self.take(next, &rest, into: &name)
                }
                self.steps.append(.member(name))
            }
        }
    }

    /// Behind a backslash stands a character that is meant as it is.
    private static func take(_ character: Character, _ rest: inout Substring, into name: inout String) {
        if character != "\\" {
            name.append(character)
        } else if let next = rest.popFirst() {
            name.append(next)
        }
    }

    /// What stands in brackets, the closing one included.
    private static func bracket(_ rest: inout Substring) -> Step {
        var content = ""
        var quote: Character?
        while let character = rest.popFirst() {
            if quote == nil, character == "]" { break }
            if character == quote {
                quote = nil
            } else if quote == nil, character == "'" || character == "\"" {
                quote = character
            } else {
                self.take(character, &rest, into: &content)
            }
        }
        if content == "*" { return .any }
        // Quotes are gone: `?(@.type==Ready)`.
        guard content.hasPrefix("?(@."), content.hasSuffix(")") else { return .member(content) }
        let parts = content.dropFirst(4).dropLast().split(separator: "==", maxSplits: 1)
        guard parts.count == 2 else { return .member(content) }
        func trimmed(_ part: Substring) -> String {
            String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
        return .first(member: trimmed(parts[0]), text: trimmed(parts[1]))
    }

    package func find(in object: JSONValue) -> JSONValue? {
        var value = object
        for step in self.steps {
            let next: JSONValue? =
                switch step {
                case .member(let name): value[path: [name]]
                case .any: value[0]
                case .first(let member, let text): value.array?.first { $0[member]?.string == text }
                }
            guard let next else { return nil }
            value = next
        }
        return value
    }
}
