import KubernetesAPI

extension JSONValue {
    /// The `metadata` object; `.null` if there is none.
    var metadata: JSONValue { self["metadata"] ?? .null }

    func metadataString(_ field: String) -> String { self.metadata[field]?.string ?? "" }

    /// A copy with one field of `metadata` set, or removed with `nil`.
    func settingMetadata(_ field: String, _ value: JSONValue?) -> JSONValue {
        var copy = self
        copy.mutate("metadata") { $0.set(field, value) }
        return copy
    }

    /// Sets or removes a field; anything but an object becomes one first.
    mutating func set(_ field: String, _ value: JSONValue?) {
        var fields = self.object ?? [:]
        self = .null
        fields[field] = value
        self = .object(fields)
    }

    /// Changes one field in place, starting from `.null` if it is absent.
    mutating func mutate(_ field: String, _ body: (inout JSONValue) -> Void) {
        var fields = self.object ?? [:]
        self = .null
        var value = fields.removeValue(forKey: field) ?? .null
        body(&value)
        fields[field] = value
        self = .object(fields)
    }

    /// Changes each element of an array field in place; does nothing if the field is not an array.
    mutating func mutateEach(_ field: String, _ body: (inout JSONValue) -> Void) {
        guard case .object(var fields) = self, case .array(var elements)? = fields[field] else { return }
        for index in elements.indices { body(&elements[index]) }
        fields[field] = .array(elements)
        self = .object(fields)
    }

    /// Sets a field that is absent or null.
    mutating func setDefault(_ field: String, _ value: @autoclosure () -> JSONValue) {
        switch self[field] {
        case nil, .null?: self.set(field, value())
        default: ()
        }
    }

    /// Follows field names.
    func at(_ path: String...) -> JSONValue? {
        var value = self
        for field in path {
            guard let next = value[field] else { return nil }
            value = next
        }
        return value
    }

    /// Labels of an object.
    var labels: [String: String] { self.metadata["labels"]?.stringMap ?? [:] }

    /// Name of the JSON type, as Kubernetes writes it in messages.
    var schemaTypeName: String {
        switch self {
        case .null: "null"
        case .bool: "boolean"
        case .integer: "integer"
        case .number: "number"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }

    /// A short form for messages.
    var shortText: String {
        switch self {
        case .string(let text): "\"\(text.count > 200 ? String(text.prefix(200)) + "…" : text)\""
        default:
            String(String(decoding: self.serialize(), as: UTF8.self).prefix(200))
        }
    }
}
