import KubernetesAPI

/// Fields that Kubernetes does not let anybody change after creation.
enum Immutability {
    static func check(_ next: JSONValue, over before: JSONValue, info: ResourceInfo) throws {
        var causes: [APIFailure.Cause] = []
        func keep(_ path: String...) {
            let value = next[path: path]
            if value != before[path: path] {
                causes.append(.invalid(path.joined(separator: "."), value ?? .null, "field is immutable"))
            }
        }
        switch (info.group, info.plural) {
        case ("", "pods"):
            if self.comparable(next) != self.comparable(before) {
                causes.append(
                    .forbidden(
                        "spec",
                        "pod updates may not change fields other than `spec.containers[*].image`,"
                            + "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` "
                            + "(only additions to existing tolerations),`spec.terminationGracePeriodSeconds`"
                    )
                )
            }
        case ("apps", _): keep("spec", "selector")
        case ("", "secrets"): keep("type")
        case ("rbac.authorization.k8s.io", "rolebindings"), ("rbac.authorization.k8s.io", "clusterrolebindings"):
            keep("roleRef")
        case ("apiextensions.k8s.io", _):
            keep("spec", "group")
            keep("spec", "names", "plural")
            keep("spec", "scope")
        case ("", "configmaps"):
            if before["immutable"] == true {
                keep("data")
                keep("binaryData")
            }
        default: ()
        }
        guard causes.isEmpty else {
            throw APIFailure.invalid(
                kind: info.kind,
                group: info.group,
                name: next.metadataString("name"),
                causes
            )
        }
    }

    /// The pod's spec without what may change; a pod without a node may still be given one.
    private static func comparable(_ pod: JSONValue) -> JSONValue {
        var spec = pod["spec"] ?? .null
        for list in ["containers", "initContainers"] { spec.mutateEach(list) { $0.set("image", nil) } }
        for field in ["activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "nodeName"] {
            spec.set(field, nil)
        }
        return spec
    }
}
