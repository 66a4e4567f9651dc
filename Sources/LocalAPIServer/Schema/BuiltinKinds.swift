/// The kinds that are always there.
package enum BuiltinKinds {
    package static func catalogue(preferredVersions: [String: String]) -> ResourceCatalogue {
        var schemas = SchemaText(BuiltinSchemas.text)
        var catalogue = ResourceCatalogue(preferredVersions: preferredVersions)

        func add(
            _ apiVersion: String,
            _ kind: String,
            _ plural: String,
            _ shortNames: [String] = [],
            isNamespaced: Bool = true,
            status: Bool = false,
            scale: Bool = false,
            categories: [String] = [],
            storage: GroupResource? = nil,
            schema: String? = nil
        ) {
            let parts = apiVersion.split(separator: "/")
            catalogue.add(
                ResourceInfo(
                    group: parts.count == 2 ? String(parts[0]) : "",
                    version: String(parts[parts.count - 1]),
                    plural: plural,
                    singular: kind.lowercased(),
                    kind: kind,
                    listKind: "\(kind)List",
                    shortNames: shortNames,
                    categories: categories,
                    isNamespaced: isNamespaced,
                    hasStatus: status,
                    hasScale: scale,
                    storage: storage,
                    schema: schemas.type(schema ?? kind)
                )
            )
        }

        add("v1", "Namespace", "namespaces", ["ns"], isNamespaced: false, status: true)
        add("v1", "Pod", "pods", ["po"], status: true, categories: ["all"])
        add("v1", "Service", "services", ["svc"], status: true, categories: ["all"])
        add("v1", "Endpoints", "endpoints", ["ep"])
        add("v1", "ServiceAccount", "serviceaccounts", ["sa"])
        add("v1", "Secret", "secrets")
        add("v1", "ConfigMap", "configmaps", ["cm"])
        add("v1", "Event", "events", ["ev"])
        add("v1", "Node", "nodes", ["no"], isNamespaced: false, status: true)
        add("apps/v1", "Deployment", "deployments", ["deploy"], status: true, scale: true, categories: ["all"])
        add("apps/v1", "ReplicaSet", "replicasets", ["rs"], status: true, scale: true, categories: ["all"])
        add("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
        add("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", ["netpol"])
        add(
            "events.k8s.io/v1",
            "Event",
            "events",
            ["ev"],
            storage: GroupResource(group: "", resource: "events"),
            schema: "EventsEvent"
        )
        let admission = "admissionregistration.k8s.io/v1"
        add(admission, "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", isNamespaced: false)
        add(admission, "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", isNamespaced: false)
        add("coordination.k8s.io/v1", "Lease", "leases")
        let rbac = "rbac.authorization.k8s.io/v1"
        add(rbac, "Role", "roles")
        add(rbac, "RoleBinding", "rolebindings")
        add(rbac, "ClusterRole", "clusterroles", isNamespaced: false)
        add(rbac, "ClusterRoleBinding", "clusterrolebindings", isNamespaced: false)
        add(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            "customresourcedefinitions",
            ["crd", "crds"],
            isNamespaced: false,
            status: true
        )
        return catalogue
    }
}
