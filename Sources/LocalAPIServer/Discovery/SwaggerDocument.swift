package import KubernetesAPI
import NIOCore

/// The OpenAPI v2 document of all kinds: `kubectl` asks for it before it applies a `List`, and for
/// `explain --output=plaintext-openapiv2`; older clients check objects by it. It takes it in protobuf only.
///
/// It says the same as the documents of version 3, as far as the older version has words for it.
package struct SwaggerDocument {
    /// What clients ask for, and what they are answered with: `@` has no place in a media type.
    private static let askedType = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    private static let protobufType = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

    package let json: JSONValue

    init(_ documents: OpenAPIDocuments) {
        var paths: [String: JSONValue] = [:]
        var definitions: [String: JSONValue] = [:]
        let catalogue = documents.catalogue
        for group in catalogue.groups {
            for version in catalogue.versions(of: group) {
                guard let document = documents.document(group: group, version: version) else { continue }
                for (path, item) in document["paths"]?.object ?? [:] { paths[path] = Self.path(item) }
                for (name, schema) in document[path: "components", "schemas"]?.object ?? [:] {
                    definitions[name] = Self.schema(schema)
                }
            }
        }
        self.json = [
            "swagger": "2.0", "info": ["title": "Lateen", "version": "v1.32.0"], "paths": .object(paths),
            "definitions": .object(definitions),
        ]
    }

    /// As a client asks for it: protobuf if it says so, else JSON.
    func response(to request: APIRequest) -> APIResponse {
        let wantsProtobuf = request.accepted.contains { $0.type == Self.askedType || $0.type == Self.protobufType }
        guard wantsProtobuf else { return .json(self.json) }
        let bytes = SwaggerEncoding.document(self.json)
        return APIResponse(code: 200, body: .bytes(ByteBuffer(bytes: bytes), contentType: Self.protobufType))
    }

    // MARK: From version 3 to version 2

    private static func path(_ item: JSONValue) -> JSONValue {
        .object((item.object ?? [:]).mapValues(self.operation))
    }

    private static func operation(_ operation: JSONValue) -> JSONValue {
        var members: [String: JSONValue] = [:]
        for name in ["x-kubernetes-action", "x-kubernetes-group-version-kind"] { members[name] = operation[name] }
        members["parameters"] = operation["parameters"].map { parameters in
            .array((parameters.array ?? []).map { ["name": $0["name"] ?? "", "in": "query", "type": "string"] })
        }
        members["responses"] = ["200": ["description": "OK"]]
        return .object(members)
    }

    /// A schema without what version 2 lacks; where that is, anything may stand.
    private static func schema(_ schema: JSONValue) -> JSONValue {
        guard let members = schema.object else { return .object([:]) }
        if let reference = members["$ref"]?.string {
            return ["$ref": .string(reference.replacing("#/components/schemas/", with: "#/definitions/"))]
        }
        var result: [String: JSONValue] = [:]
        let kept: Set<String> = [
            "type", "format", "title", "description", "required", "enum", "pattern", "minimum", "maximum", "minLength",
            "maxLength", "minItems", "maxItems",
        ]
        for (name, value) in members where kept.contains(name) || name.hasPrefix("x-kubernetes-") {
            result[name] = value
        }
        if members["x-kubernetes-int-or-string"]?.bool == true {
            result["type"] = "string"
            result["format"] = "int-or-string"
        }
        if let properties = members["properties"]?.object {
            result["properties"] = .object(properties.mapValues(self.schema))
        }
        if let items = members["items"] { result["items"] = self.schema(items) }
        // A list must say of what.
        if members["type"]?.string == "array", members["items"] == nil { result["items"] = .object([:]) }
        if let values = members["additionalProperties"], values.object != nil {
            result["additionalProperties"] = self.schema(values)
        }
        return .object(result)
    }
}
