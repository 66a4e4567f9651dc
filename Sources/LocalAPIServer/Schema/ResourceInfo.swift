import KubernetesAPI

/// Everything the server knows about one kind in one version.
package struct ResourceInfo: Sendable {
    var group: String
    var version: String
    package var plural: String
    var singular: String
    var kind: String
    var listKind: String
    var shortNames: [String] = []
    var categories: [String] = []
    var isNamespaced: Bool
    var hasStatus = false
    var hasScale = false
    /// Where objects are kept if not under the kind's own name (events of `events.k8s.io`).
    var storage: GroupResource?
    package var schema: Schema
    var isCustom = false
    /// Columns of a custom kind.
    var columns: [JSONValue] = []
    /// Order among the versions of the group in discovery, first is preferred.
    var versionRank = 0

    var resource: GroupResource { GroupResource(group: self.group, resource: self.plural) }
    var storageResource: GroupResource { self.storage ?? self.resource }
    var apiVersion: String { self.group.isEmpty ? self.version : "\(self.group)/\(self.version)" }

    /// Changes of the desired state count up `metadata.generation`.
    var hasGeneration: Bool {
        self.isCustom || ["apps", "admissionregistration.k8s.io", "apiextensions.k8s.io"].contains(self.group)
    }

    /// Subresources as discovery lists them.
    var subresources: [(name: String, kind: String, group: String, version: String, verbs: [String])] {
        var list: [(String, String, String, String, [String])] = []
        if self.hasStatus { list.append(("status", self.kind, "", "", ["get", "patch", "update"])) }
        if self.hasScale { list.append(("scale", "Scale", "autoscaling", "v1", ["get", "patch", "update"])) }
        switch (self.group, self.plural) {
        case ("", "pods"):
            list.append(("log", "Pod", "", "", ["get"]))
            list.append(("exec", "PodExecOptions", "", "", ["create", "get"]))
            list.append(("attach", "PodAttachOptions", "", "", ["create", "get"]))
            list.append(("eviction", "Eviction", "policy", "v1", ["create"]))
        case ("", "serviceaccounts"):
            list.append(("token", "TokenRequest", "authentication.k8s.io", "v1", ["create"]))
        default: ()
        }
        return list
    }

    static let verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
}
