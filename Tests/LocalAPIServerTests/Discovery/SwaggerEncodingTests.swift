import KubernetesAPI
import LocalAPIServer
import Testing

@Suite struct SwaggerEncodingTests {
    /// A field of a message: its number, and its content or value.
    private struct Field: Equatable {
        var number: Int
        var bytes: [UInt8] = []
        var value: UInt64 = 0
    }

    /// The fields of a message; `nil` for what is none.
    private func fields(_ message: [UInt8]) -> [Field]? {
        var rest = message[...]
        func varint() -> UInt64? {
            var (value, shift): (UInt64, UInt64) = (0, 0)
            while let byte = rest.popFirst() {
                value |= UInt64(byte & 0x7f) << shift
                if byte < 0x80 { return value }
                shift += 7
            }
            return nil
        }
        var fields: [Field] = []
        while !rest.isEmpty {
            guard let tag = varint() else { return nil }
            switch tag & 7 {
            case 0:
                guard let value = varint() else { return nil }
                fields.append(Field(number: Int(tag >> 3), value: value))
            case 1:
                guard rest.count >= 8 else { return nil }
                fields.append(Field(number: Int(tag >> 3), bytes: Array(rest.prefix(8))))
                rest = rest.dropFirst(8)
            case 2:
                guard let count = varint(), rest.count >= Int(count) else { return nil }
                fields.append(Field(number: Int(tag >> 3), bytes: Array(rest.prefix(Int(count)))))
                rest = rest.dropFirst(Int(count))
            default: return nil
            }
        }
        return fields
    }

    /// The message at a path of field numbers, the first at each step.
    private func message(_ bytes: [UInt8], _ path: Int...) throws -> [UInt8] {
        var bytes = bytes
        for number in path {
            let fields = try #require(self.fields(bytes))
            bytes = try #require(fields.first { $0.number == number }).bytes
        }
        return bytes
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test("A schema is written with its type, properties, items and extensions, where openapi.v2 has them")
    func schemas() throws {
        let encoded = SwaggerEncoding.document([
            "swagger": "2.0", "info": ["title": "T", "version": "v1"],
            "definitions": [
                "a.Thing": [
                    "type": "object", "description": "what it is", "required": ["name"],
                    "properties": [
                        "name": ["type": "string", "maxLength": 300],
                        "list": ["type": "array", "items": ["$ref": "#/definitions/b"]],
                    ], "x-kubernetes-group-version-kind": [["group": "", "version": "v1", "kind": "Thing"]],
                ]
            ],
        ])
        #expect(try self.text(self.message(encoded, 1)) == "2.0")
        #expect(try self.text(self.message(encoded, 2, 2)) == "v1")
        #expect(try self.text(self.message(encoded, 9, 1, 1)) == "a.Thing")
        let thing = try self.message(encoded, 9, 1, 2)
        #expect(try self.text(self.message(thing, 4)) == "what it is")
        #expect(try self.text(self.message(thing, 19)) == "name")
        #expect(try self.text(self.message(thing, 22, 1)) == "object")
        #expect(try self.text(self.message(thing, 31, 1)) == "x-kubernetes-group-version-kind")
        let kind = try JSONValue.parse(self.message(thing, 31, 2, 2))
        #expect(kind == [["group": "", "version": "v1", "kind": "Thing"]])
        let properties = try #require(self.fields(try self.message(thing, 25)))
        #expect(try properties.map { try self.text(self.message($0.bytes, 1)) } == ["list", "name"])
        #expect(try self.text(self.message(properties[0].bytes, 2, 23, 1, 1)) == "#/definitions/b")
        let name = try #require(self.fields(try self.message(properties[1].bytes, 2)))
        #expect(name.contains(Field(number: 11, value: 300)))
    }

    @Test("An operation is written with its kind and its parameters")
    func operations() throws {
        let encoded = SwaggerEncoding.document([
            "paths": [
                "/api/v1/namespaces/{name}": [
                    "patch": [
                        "x-kubernetes-group-version-kind": ["kind": "Namespace"],
                        "responses": ["200": ["description": "OK"]],
                        "parameters": [["name": "fieldValidation", "in": "query", "type": "string"]],
                    ]
                ]
            ]
        ])
        let path = try self.message(encoded, 8, 2)
        #expect(try self.text(self.message(path, 1)) == "/api/v1/namespaces/{name}")
        let operation = try self.message(path, 2, 8)
        let parameter = try self.message(operation, 8, 1, 2, 3)
        #expect(try self.text(self.message(parameter, 2)) == "query")
        #expect(try self.text(self.message(parameter, 4)) == "fieldValidation")
        #expect(try self.text(self.message(operation, 13, 2, 2)) == #"{"kind":"Namespace"}"#)
        #expect(try self.text(self.message(operation, 9, 1, 1)) == "200")
    }
}
