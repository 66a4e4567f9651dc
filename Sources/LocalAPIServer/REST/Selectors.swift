import KubernetesAPI

/// The `fieldSelector` query of a list or watch.
struct FieldQuery: Sendable {
    private var requirements: [(path: [String], value: String, isEqual: Bool)] = []
    /// The name that must match, when that is all that is asked.
    private(set) var name: String?

    init(_ text: String, for info: ResourceInfo) throws {
        for part in text.split(separator: ",") {
            let isEqual = !part.contains("!=")
            let pair = part.replacing(isEqual ? "==" : "!=", with: "=").split(
                separator: "=",
                maxSplits: 1,
                omittingEmptySubsequences: false
            )
            guard pair.count == 2 else { throw APIFailure.badRequest("invalid selector: '\(part)'") }
            let field = String(pair[0])
            guard Self.isSupported(field, info) else {
                throw APIFailure.badRequest("field label not supported: \(field)")
            }
            if field == "metadata.name", isEqual { self.name = String(pair[1]) }
            self.requirements.append((field.split(separator: ".").map(String.init), String(pair[1]), isEqual))
        }
    }

    func matches(_ object: JSONValue) -> Bool {
        self.requirements.allSatisfy { requirement in
            let value = object[path: requirement.path]
            let text = value?.string ?? value.map { $0 == .null ? "" : $0.text() } ?? ""
            return (text == requirement.value) == requirement.isEqual
        }
    }

    private static func isSupported(_ field: String, _ info: ResourceInfo) -> Bool {
        switch field {
        case "metadata.name", "metadata.namespace": true
        case "spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName", "spec.schedulerName", "status.podIP",
            "status.nominatedNodeName":
            info.plural == "pods"
        case "status.phase": ["pods", "namespaces"].contains(info.plural)
        case "status.replicas": info.plural == "replicasets"
        case "type": ["secrets", "events"].contains(info.plural)
        case "spec.clusterIP", "spec.type": info.plural == "services"
        case "spec.unschedulable": info.plural == "nodes"
        case "reason", "source", "reportingComponent": info.plural == "events"
        default:
            info.plural == "events" && (field.hasPrefix("involvedObject.") || field.hasPrefix("regarding."))
        }
    }
}
