import KubernetesAPI

/// OpenAPI v3 documents, one per group and version: `kubectl explain` reads them, and `kubectl apply` learns from them
/// that the server validates fields.
struct OpenAPIDocuments {
    let catalogue: ResourceCatalogue

    func index() -> JSONValue {
        var paths: [String: JSONValue] = [:]
        for group in self.catalogue.groups {
            for version in self.catalogue.versions(of: group) {
                let path = Self.path(group, version)
                paths[path] = ["serverRelativeURL": .string("/openapi/v3/\(path)")]
            }
        }
        return ["paths": .object(paths)]
    }

    private static func path(_ group: String, _ version: String) -> String {
        group.isEmpty ? "api/\(version)" : "apis/\(group)/\(version)"
    }

    func document(group: String, version: String) -> JSONValue? {
        let kinds = self.catalogue.resources(group: group, version: version)
        guard !kinds.isEmpty else { return nil }
        var schemas: [String: JSONValue] = [:]
        var paths: [String: JSONValue] = [:]
        for info in kinds {
            let name = self.schemaName(info)
            let gvk: JSONValue = [
                "group": .string(info.group), "version": .string(info.version), "kind": .string(info.kind),
            ]
            var schema = Self.describe(info.schema, into: &schemas)
            if let reference = schema["$ref"]?.string, let own = reference.split(separator: "/").last {
                schema = schemas[String(own)] ?? schema
            }
            schema.set("x-kubernetes-group-version-kind", [gvk])
            schemas[name] = schema
            let reference: JSONValue = ["$ref": .string("#/components/schemas/\(name)")]
            let base =
                "/\(Self.path(group, version))" + (info.isNamespaced ? "/namespaces/{namespace}" : "")
                + "/\(info.plural)"
            paths[base] = [
                "get": Self.operation("list", gvk, reference), "post": Self.operation("post", gvk, reference),
            ]
            paths["\(base)/{name}"] = [
                "get": Self.operation("get", gvk, reference), "put": Self.operation("put", gvk, reference),
                "patch": Self.operation("patch", gvk, reference), "delete": Self.operation("delete", gvk, reference),
            ]
        }
        return [
            "openapi": "3.0.0", "info": ["title": "Lateen", "version": "v1.32.0"], "paths": .object(paths),
            "components": ["schemas": .object(schemas)],
        ]
    }

    private func schemaName(_ info: ResourceInfo) -> String {
        let group = info.group.isEmpty ? "core" : info.group
        return "dev.lateen.\(group).\(info.version).\(info.kind)"
    }

    private static func operation(_ action: String, _ gvk: JSONValue, _ reference: JSONValue) -> JSONValue {
        var operation: JSONValue = [
            "x-kubernetes-action": .string(action), "x-kubernetes-group-version-kind": gvk,
            "responses": ["200": ["description": "OK", "content": ["application/json": ["schema": reference]]]],
        ]
        let isWrite = ["post", "put", "patch"].contains(action)
        if isWrite {
            operation.set(
                "parameters",
                .array(
                    ["dryRun", "fieldManager", "fieldValidation"].map { name in
                        [
                            "name": .string(name), "in": "query",
                            "schema": ["type": "string", "uniqueItems": true],
                        ]
                    }
                )
            )
            let types =
                action == "patch"
                ? ["application/merge-patch+json", "application/json-patch+json"] : ["application/json"]
            operation.set(
                "requestBody",
                [
                    "required": true,
                    "content": .object(Dictionary(uniqueKeysWithValues: types.map { ($0, ["schema": reference]) })),
                ]
            )
        }
        return operation
    }

    /// The OpenAPI form of a schema; named types go into `schemas` and are referred to.
    private static func describe(_ schema: Schema, into schemas: inout [String: JSONValue]) -> JSONValue {
        if let source = schema.source { return source }
        if let name = schema.typeName {
            let key = "dev.lateen.types.\(name)"
            if schemas[key] == nil {
                schemas[key] = .object([:])
                schemas[key] = self.structure(schema, into: &schemas)
            }
            return ["$ref": .string("#/components/schemas/\(key)")]
        }
        return self.structure(schema, into: &schemas)
    }

    private static func structure(_ schema: Schema, into schemas: inout [String: JSONValue]) -> JSONValue {
        var form: [String: JSONValue] = [:]
        if let kind = schema.kind { form["type"] = .string(kind.rawValue) }
        if schema.isIntOrString { form["x-kubernetes-int-or-string"] = true }
        if schema.preservesUnknown {
            form["type"] = "object"
            form["x-kubernetes-preserve-unknown-fields"] = true
        }
        if let format = schema.format { form["format"] = .string(format) }
        if !schema.description.isEmpty { form["description"] = .string(schema.description) }
        if !schema.required.isEmpty { form["required"] = JSONValue(schema.required) }
        if !schema.properties.isEmpty {
            var properties: [String: JSONValue] = [:]
            for (name, property) in schema.properties { properties[name] = self.describe(property, into: &schemas) }
            form["properties"] = .object(properties)
        }
        if let items = schema.items { form["items"] = self.describe(items, into: &schemas) }
        if let values = schema.additional { form["additionalProperties"] = self.describe(values, into: &schemas) }
        return .object(form)
    }
}
