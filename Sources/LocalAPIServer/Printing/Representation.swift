import KubernetesAPI

/// The form that a client wants objects in: whole, as rows of a table, or metadata only.
enum Representation: Sendable {
    enum IncludedObject: Sendable { case none, metadata, object }

    case object
    case table(IncludedObject)
    case metadata

    /// Chooses by the `Accept` header; the first entry that we can serve wins.
    init(_ request: APIRequest) throws {
        let accepted = request.accepted
        for (type, parameters) in accepted {
            guard type == "application/json" || type == "*/*" || type == "application/yaml" || type == "application/*"
            else { continue }
            switch parameters["as"] {
            case nil:
                self = .object
                return
            case "Table"? where parameters["v"] == "v1":
                switch request.parameter("includeObject") {
                case "None"?: self = .table(.none)
                case "Object"?: self = .table(.object)
                default: self = .table(.metadata)
                }
                return
            case "PartialObjectMetadata"?, "PartialObjectMetadataList"?:
                self = .metadata
                return
            default: continue
            }
        }
        guard accepted.isEmpty else {
            throw APIFailure(
                406,
                "NotAcceptable",
                "only the following media types are accepted: application/json, application/yaml"
            )
        }
        self = .object
    }

    func one(_ object: JSONValue, info: ResourceInfo, withColumns: Bool = true) -> JSONValue {
        switch self {
        case .object: return object
        case .metadata: return Self.partial(object)
        case .table(let included):
            return TablePrinter(info: info).table(
                [object],
                metadata: ["resourceVersion": object.metadata["resourceVersion"] ?? ""],
                including: included,
                withColumns: withColumns
            )
        }
    }

    func list(_ objects: [JSONValue], metadata: JSONValue, info: ResourceInfo) -> JSONValue {
        switch self {
        case .object:
            return [
                "apiVersion": .string(info.apiVersion), "kind": .string(info.listKind), "metadata": metadata,
                "items": .array(objects),
            ]
        case .metadata:
            return [
                "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": metadata,
                "items": .array(objects.map(Self.partial)),
            ]
        case .table(let included):
            return TablePrinter(info: info).table(objects, metadata: metadata, including: included, withColumns: true)
        }
    }

    static func partial(_ object: JSONValue) -> JSONValue {
        ["apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object.metadata]
    }
}
