internal import KubernetesAPI

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
