package import KubernetesAPI

/// Reads `attributemanifest` objects into one vocabulary, beside the attributes that are known without any.
///
/// A manifest adds words and takes none away: rules that name what proxies send must not end with the first manifest
/// that somebody applies for an attribute of his own.
package struct ManifestReader: Sendable {
    package static let kind = "attributemanifest"
    package static let group = "config.istio.io"

    /// Attributes of all manifests together; slots beyond any need would only cost memory for each request.
    private static let attributesMax = 4096

    package private(set) var diagnoses: [PolicyDiagnosis] = []
    private var types: [String: ValueType]
    /// Which manifest an attribute is of; those of nobody are built in.
    private var owners: [String: String] = [:]

    package init() {
        self.types = Dictionary(
            AttributeVocabulary.standard.attributes.map { ($0.name, $0.type) },
            uniquingKeysWith: { $1 }
        )
    }

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
            if let known = self.types[name] {
                if known != type { self.contradicts(object, field, name, type, known) }
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

    private mutating func contradicts(
        _ object: KubernetesObject,
        _ field: String,
        _ name: String,
        _ type: ValueType,
        _ known: ValueType
    ) {
        guard let owner = self.owners[name] else {
            return self.diagnose(object, field, "is \(type), but proxies send it as \(known), which counts")
        }
        self.diagnose(object, field, "is \(type), but \(owner) says \(known), which counts", cause: .others)
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
