package import KubernetesAPI

/// What a value of an object may be: the subset of OpenAPI v3 that custom resources and the built-in kinds use.
///
/// One tree serves validation, `kubectl explain`, strategic merge patches and apply.
package final class Schema: Sendable {
    enum Kind: String, Sendable { case object, array, string, integer, number, boolean }

    let kind: Kind?
    package let properties: [String: Schema]
    /// Value type of a map with free keys.
    let additional: Schema?
    let items: Schema?
    let required: [String]
    let choices: [JSONValue]
    /// Fields that are not declared are kept without being looked at.
    let preservesUnknown: Bool
    let isIntOrString: Bool
    let isNullable: Bool
    let format: String?
    let pattern: String?
    let minimum: Double?
    let maximum: Double?
    let lengthMax: Int?
    let itemsMin: Int?
    let description: String
    /// Fields that tell elements of a list apart; empty for lists that are replaced as a whole.
    let mergeKeys: [String]
    /// Elements are a set of scalars.
    let isSet: Bool
    /// Name under `components.schemas`; types of built-in kinds only.
    let typeName: String?
    /// Other spellings of a property, e.g. `sni_hosts` for `sniHosts`.
    let aliases: [String: String]
    let oneOf: [Schema]
    let anyOf: [Schema]
    let allOf: [Schema]
    let not: Schema?
    let source: JSONValue?

    init(
        kind: Kind?,
        properties: [String: Schema] = [:],
        additional: Schema? = nil,
        items: Schema? = nil,
        required: [String] = [],
        choices: [JSONValue] = [],
        preservesUnknown: Bool = false,
        isIntOrString: Bool = false,
        format: String? = nil,
        description: String = "",
        mergeKeys: [String] = [],
        isSet: Bool = false,
        typeName: String? = nil
    ) {
        self.kind = kind
        self.properties = properties
        self.additional = additional
        self.items = items
        self.required = required
        self.choices = choices
        self.preservesUnknown = preservesUnknown
        self.isIntOrString = isIntOrString
        self.isNullable = false
        self.format = format
        self.pattern = nil
        self.minimum = nil
        self.maximum = nil
        self.lengthMax = nil
        self.itemsMin = nil
        self.description = description
        self.mergeKeys = mergeKeys
        self.isSet = isSet
        self.typeName = typeName
        self.aliases = [:]
        self.oneOf = []
        self.anyOf = []
        self.allOf = []
        self.not = nil
        self.source = nil
    }

    /// Reads the `openAPIV3Schema` of a CustomResourceDefinition.
    package init(openAPI json: JSONValue) {
        self.kind = json["type"]?.string.flatMap(Kind.init(rawValue:))
        let properties = (json["properties"]?.object ?? [:]).mapValues { Schema(openAPI: $0) }
        self.properties = properties
        self.additional = json["additionalProperties"].flatMap { value in
            switch value {
            case .object: Schema(openAPI: value)
            case .bool(true): Schema(kind: nil, preservesUnknown: true)
            default: nil
            }
        }
        self.items = json["items"].map { Schema(openAPI: $0) }
        self.required = (json["required"]?.array ?? []).compactMap(\.string)
        self.choices = json["enum"]?.array ?? []
        self.preservesUnknown = json["x-kubernetes-preserve-unknown-fields"]?.bool ?? false
        self.isIntOrString = json["x-kubernetes-int-or-string"]?.bool ?? false
        self.isNullable = json["nullable"]?.bool ?? false
        self.format = json["format"]?.string
        self.pattern = json["pattern"]?.string
        self.minimum = json["minimum"]?.double
        self.maximum = json["maximum"]?.double
        self.lengthMax = json["maxLength"]?.int
        self.itemsMin = json["minItems"]?.int
        self.description = json["description"]?.string ?? ""
        self.mergeKeys = (json["x-kubernetes-list-map-keys"]?.array ?? []).compactMap(\.string)
        self.isSet = json["x-kubernetes-list-type"]?.string == "set"
        self.typeName = nil
        self.aliases = Self.aliases(of: properties.keys)
        self.oneOf = (json["oneOf"]?.array ?? []).map { Schema(openAPI: $0) }
        self.anyOf = (json["anyOf"]?.array ?? []).map { Schema(openAPI: $0) }
        self.allOf = (json["allOf"]?.array ?? []).map { Schema(openAPI: $0) }
        self.not = json["not"].map { Schema(openAPI: $0) }
        self.source = json
    }

    /// The snake_case spelling of each camelCase property: protobuf's JSON form takes either, and older Istio
    /// manifests use it.
    private static func aliases(of names: some Sequence<String>) -> [String: String] {
        var aliases: [String: String] = [:]
        for name in names {
            let alias = name.reduce(into: "") { text, character in
                if character.isUppercase { text += "_" + character.lowercased() } else { text.append(character) }
            }
            if alias != name { aliases[alias] = name }
        }
        return aliases
    }

    /// The property that a field name stands for.
    func property(_ name: String) -> Schema? {
        self.properties[name] ?? self.aliases[name].flatMap { self.properties[$0] } ?? self.additional
    }

    var isFreeForm: Bool { self.preservesUnknown || (self.kind == nil && self.properties.isEmpty) }
}
