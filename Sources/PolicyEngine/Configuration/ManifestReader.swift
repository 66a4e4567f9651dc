package import KubernetesAPI

/// Reads `attributemanifest` objects into one vocabulary.
package struct ManifestReader: Sendable {
    package static let kind = "attributemanifest"
    package static let group = "config.istio.io"

    /// Attributes of all manifests together; slots beyond any need would only cost memory for each request.
    private static let attributesMax = 4096

    package private(set) var diagnoses: [PolicyDiagnosis] = []
    private var types: [String: ValueType] = [:]
    private var owners: [String: String] = [:]

    package init() {}

    package var vocabulary: AttributeVocabulary { AttributeVocabulary(self.types) }

    package static func isManifest(_ object: KubernetesObject) -> Bool {
        object.group == self.group && object.kind == self.kind
    }

    /// Adds one manifest. What is wrong in it becomes a diagnosis, and the rest counts.
    package mutating func add(_ object: KubernetesObject) {
        guard let attributes = object.spec["attributes"]?.object else {
            // Without attributes it is valid and says nothing.
            let isOther = object.spec["attributes"].map { !$0.isNull } ?? false
            if isOther {
                self.diagnose(
                    object,
                    "spec.attributes",
                    "is a \(object.spec["attributes"]?.typeName ?? ""), not an object"
                )
            }
            return
        }
        for (name, info) in attributes.sorted(by: { $0.key < $1.key }) {
            let field = "spec.attributes[\(name)].valueType"
            guard let type = Self.type(info["valueType"] ?? info["value_type"]) else {
                let names = ValueType.allCases.map(\.rawValue).joined(separator: ", ")
                self.diagnose(object, field, "names no type; there are \(names)")
                continue
            }
            if let known = self.types[name], known != type {
                self.diagnose(
                    object,
                    field,
                    "is \(type), but \(self.owners[name] ?? "another") says \(known), which counts",
                    cause: .others
                )
                continue
            }
            guard self.types.count < Self.attributesMax else {
                self.diagnose(object, field, "there are more than \(Self.attributesMax) attributes")
                return
            }
            self.types[name] = type
            self.owners[name] = object.description
        }
    }

    private static func type(_ value: JSONValue?) -> ValueType? {
        if let number = value?.int { return ValueType.allCases.first { $0.number == number } }
        return value?.string.flatMap(ValueType.init(rawValue:))
    }

    private mutating func diagnose(
        _ object: KubernetesObject,
        _ field: String,
        _ message: String,
        cause: PolicyDiagnosis.Cause = .object
    ) {
        self.diagnoses.append(PolicyDiagnosis(object, field: field, message: message, cause: cause))
    }
}
