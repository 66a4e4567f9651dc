import KubernetesAPI

/// Reads the compact notation that the schemas of built-in kinds are written in.
///
/// One type per line: `Name field:type field:type …`. Types are `str int bool num quantity ios time any map`, the
/// name of another type, `[T]` a list and `{T}` a map with free keys. A trailing `!` marks a required field, `@key` the
/// field that tells elements of a list apart (`@` alone: a set). A text in quotes after a name describes it.
package struct SchemaText {
    private var lines: [String: [Substring]] = [:]
    private var types: [String: Schema] = [:]

    package init(_ text: String) {
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            // Long types go on in lines that start with the same name.
            if let name = words.first { self.lines[String(name), default: []] += words.dropFirst() }
        }
    }

    /// The schema of a named type; the notation is ours, so a mistake in it is a programming error.
    package mutating func type(_ name: String) -> Schema {
        if let known = self.types[name] { return known }
        guard let fields = self.lines[name] else { preconditionFailure("schema text has no type \(name)") }
        var properties: [String: Schema] = [:]
        var required: [String] = []
        for field in fields {
            guard let colon = field.firstIndex(of: ":") else { preconditionFailure("schema text: \(name) \(field)") }
            let fieldName = String(field[..<colon])
            var typeText = field[field.index(after: colon)...]
            if typeText.hasSuffix("!") {
                required.append(fieldName)
                typeText = typeText.dropLast()
            }
            properties[fieldName] = self.reference(typeText)
        }
        let schema = Schema(kind: .object, properties: properties, required: required, typeName: name)
        self.types[name] = schema
        return schema
    }

    private mutating func reference(_ text: Substring) -> Schema {
        if text.hasPrefix("[") {
            let parts = text.dropFirst().split(separator: "]", omittingEmptySubsequences: false)
            let suffix = parts.count > 1 ? parts[1] : ""
            let keys = suffix.dropFirst().split(separator: ",").map(String.init)
            return Schema(
                kind: .array,
                items: self.reference(parts[0]),
                mergeKeys: keys,
                isSet: suffix == "@"
            )
        }
        if text.hasPrefix("{") {
            return Schema(kind: .object, additional: self.reference(text.dropFirst().dropLast()))
        }
        switch text {
        case "str": return Schema(kind: .string)
        case "time": return Schema(kind: .string, format: "date-time")
        case "int": return Schema(kind: .integer)
        case "int32": return Schema(kind: .integer, format: "int32")
        case "num": return Schema(kind: .number)
        case "bool": return Schema(kind: .boolean)
        case "ios", "quantity": return Schema(kind: nil, isIntOrString: true)
        case "map": return Schema(kind: .object, additional: Schema(kind: .string))
        case "any": return Schema(kind: nil, preservesUnknown: true)
        default: return self.type(String(text))
        }
    }
}
