package import KubernetesAPI

/// Columns that a CustomResourceDefinition asks for.
enum CustomColumns {
    static func columns(_ info: ResourceInfo) -> [TableColumn] {
        let name = TableColumn("Name") { object, _ in .string(object.metadataString("name")) }
        let age = TableColumn("Age") { object, context in context.age(object.metadata["creationTimestamp"]) }
        guard !info.columns.isEmpty else { return [name, age] }
        return [name]
            + info.columns.map { column in
                let path = JSONPath(column["jsonPath"]?.string ?? "")
                let type = column["type"]?.string ?? "string"
                var result = TableColumn(column["name"]?.string ?? "", type: type == "date" ? "string" : type) {
                    object,
                    context in
                    guard let value = path.find(in: object) else { return type == "date" ? "<unknown>" : "" }
                    switch type {
                    case "date": return context.age(value)
                    case "integer": return value.int.map(JSONValue.init) ?? .null
                    case "boolean": return value.bool.map(JSONValue.bool) ?? .null
                    case "number": return value.double.map(JSONValue.number) ?? .null
                    default: return .string(value.string ?? value.text())
                    }
                }
                result.priority = column["priority"]?.int ?? 0
                result.description = column["description"]?.string ?? ""
                return result
            }
    }
}

/// The simple paths that printer columns use: `.spec.hosts`, `.spec.ports[0].name`, `.metadata.annotations['a\.b']`.
package struct JSONPath: Sendable {
    private var steps: [String] = []
    private let takesAll: Bool

    package init(_ text: String) {
        self.takesAll = text.contains("[*]")
        var current = ""
        var characters = Array(text.hasPrefix(".") ? text.dropFirst() : text[...])[...]
        func isEscape(_ character: Character?) -> Bool { character == "\\" }
        while let character = characters.popFirst() {
            switch character {
            case "\\": if let next = characters.popFirst() { current.append(next) }
            case ".", "[":
                if !current.isEmpty { self.steps.append(current) }
                current = ""
            case "]", "'", "\"": ()
            default: current.append(character)
            }
        }
        if !current.isEmpty { self.steps.append(current) }
    }

    package func find(in object: JSONValue) -> JSONValue? {
        var value = object
        for step in self.steps {
            if step == "*" {
                // Columns show one value; Kubernetes takes the first of several too.
                guard let first = value[0] else { return nil }
                value = first
            } else if let next = value[path: [step]] {
                value = next
            } else {
                return nil
            }
        }
        return value
    }
}
