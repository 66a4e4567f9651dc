package import KubernetesAPI

/// Writes an OpenAPI v2 document as the messages of `openapi.v2` (gnostic), which Kubernetes' clients read.
package enum SwaggerEncoding {
    package static func document(_ json: JSONValue) -> [UInt8] {
        var writer = MessageWriter()
        writer.text(1, json["swagger"])
        writer.message(2) { info in
            info.text(1, json[path: "info", "title"])
            info.text(2, json[path: "info", "version"])
        }
        writer.message(8) { paths in
            for (path, item) in self.sorted(json["paths"]) {
                paths.message(2) { named in
                    named.text(1, .string(path))
                    named.message(2) { self.path(item, &$0) }
                }
            }
        }
        writer.message(9) { definitions in self.schemas(json["definitions"], &definitions) }
        return writer.bytes
    }

    private static func sorted(_ value: JSONValue?) -> [(key: String, value: JSONValue)] {
        (value?.object ?? [:]).sorted { $0.key < $1.key }
    }

    /// `PathItem`
    private static func path(_ item: JSONValue, _ writer: inout MessageWriter) {
        let numbers: [(String, Int)] = [("get", 2), ("put", 3), ("post", 4), ("delete", 5), ("patch", 8)]
        for (method, number) in numbers {
            guard let operation = item[method] else { continue }
            writer.message(number) { self.operation(operation, &$0) }
        }
    }

    /// `Operation`
    private static func operation(_ operation: JSONValue, _ writer: inout MessageWriter) {
        for parameter in operation["parameters"]?.array ?? [] {
            // ParametersItem, Parameter, NonBodyParameter, QueryParameterSubSchema
            writer.message(8) { item in
                item.message(1) { parameters in
                    parameters.message(2) { other in
                        other.message(3) { query in
                            query.text(2, parameter["in"])
                            query.text(4, parameter["name"])
                            query.text(6, parameter["type"])
                        }
                    }
                }
            }
        }
        writer.message(9) { responses in
            for (code, response) in self.sorted(operation["responses"]) {
                responses.message(1) { named in
                    named.text(1, .string(code))
                    named.message(2) { value in value.message(1) { $0.text(1, response["description"]) } }
                }
            }
        }
        self.extensions(operation, 13, &writer)
    }

    /// What begins with `x-`: `NamedAny` with the value as YAML, which JSON is.
    private static func extensions(_ value: JSONValue, _ number: Int, _ writer: inout MessageWriter) {
        for (name, content) in self.sorted(value) where name.hasPrefix("x-") {
            writer.message(number) { named in
                named.text(1, .string(name))
                named.message(2) { $0.text(2, .string(content.text())) }
            }
        }
    }

    /// `Definitions` and `Properties`: schemas by name.
    private static func schemas(_ value: JSONValue?, _ writer: inout MessageWriter) {
        for (name, schema) in self.sorted(value) {
            writer.message(1) { named in
                named.text(1, .string(name))
                named.message(2) { self.schema(schema, &$0) }
            }
        }
    }

    /// `Schema`
    private static func schema(_ schema: JSONValue, _ writer: inout MessageWriter) {
        let texts: [(String, Int)] = [("$ref", 1), ("format", 2), ("title", 3), ("description", 4), ("pattern", 13)]
        for (name, number) in texts { writer.text(number, schema[name]) }
        writer.number(7, schema["maximum"])
        writer.number(9, schema["minimum"])
        let counts: [(String, Int)] = [("maxLength", 11), ("minLength", 12), ("maxItems", 14), ("minItems", 15)]
        for (name, number) in counts { writer.count(number, schema[name]) }
        for name in schema["required"]?.array ?? [] { writer.text(19, name) }
        for choice in schema["enum"]?.array ?? [] { writer.message(20) { $0.text(2, .string(choice.text())) } }
        if let values = schema["additionalProperties"] {
            writer.message(21) { item in item.message(1) { self.schema(values, &$0) } }
        }
        if let type = schema["type"] { writer.message(22) { $0.text(1, type) } }
        if let items = schema["items"] {
            writer.message(23) { item in item.message(1) { self.schema(items, &$0) } }
        }
        if let properties = schema["properties"] { writer.message(25) { self.schemas(properties, &$0) } }
        self.extensions(schema, 31, &writer)
    }
}

/// Fields of a protobuf message, one behind the other.
private struct MessageWriter {
    private(set) var bytes: [UInt8] = []

    mutating func text(_ number: Int, _ value: JSONValue?) {
        guard let text = value?.string, !text.isEmpty else { return }
        self.delimited(number, Array(text.utf8))
    }

    mutating func count(_ number: Int, _ value: JSONValue?) {
        guard let count = value?.int, count > 0 else { return }
        self.varint(UInt64(number) << 3)
        self.varint(UInt64(count))
    }

    mutating func number(_ number: Int, _ value: JSONValue?) {
        guard let value = value?.double else { return }
        self.varint(UInt64(number) << 3 | 1)
        withUnsafeBytes(of: value.bitPattern.littleEndian) { self.bytes.append(contentsOf: $0) }
    }

    /// Also one without fields: that it is there may say something.
    mutating func message(_ number: Int, _ write: (inout MessageWriter) -> Void) {
        var message = MessageWriter()
        write(&message)
        self.delimited(number, message.bytes)
    }

    private mutating func delimited(_ number: Int, _ content: [UInt8]) {
        self.varint(UInt64(number) << 3 | 2)
        self.varint(UInt64(content.count))
        self.bytes.append(contentsOf: content)
    }

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest > 0x7f {
            self.bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        self.bytes.append(UInt8(truncatingIfNeeded: rest))
    }
}
