import KubernetesAPI

/// What Kubernetes' service account admission does to a new pod: an account, and its token mounted.
enum PodAdmission {
    private static let mountPath = "/var/run/secrets/kubernetes.io/serviceaccount"

    /// May run twice: after webhooks it serves containers that they added.
    static func apply(to pod: inout JSONValue, store: ObjectStore) throws {
        let namespace = pod.metadataString("namespace")
        pod.mutate("spec") { spec in
            spec.setDefault("serviceAccountName", "default")
            if let name = spec["serviceAccountName"] { spec.set("serviceAccount", name) }
            spec.setDefault("enableServiceLinks", true)
            spec.setDefault("preemptionPolicy", "PreemptLowerPriority")
            spec.setDefault("priority", 0)
        }
        let name = pod.at("spec", "serviceAccountName")?.string ?? "default"
        let key = StoreKey(
            resource: GroupResource(group: "", resource: "serviceaccounts"),
            namespace: namespace,
            name: name
        )
        guard let account = store.object(key) else {
            throw APIFailure.forbidden(
                ResourceService.pods,
                pod.metadataString("name"),
                "error looking up service account \(namespace)/\(name): serviceaccount \"\(name)\" not found"
            )
        }
        let mounts =
            pod.at("spec", "automountServiceAccountToken")?.bool
            ?? account.json["automountServiceAccountToken"]?.bool ?? true
        if mounts { pod.mutate("spec", self.mountToken) }
    }

    private static func mountToken(_ spec: inout JSONValue) {
        let prefix = "kube-api-access-"
        let volumes = spec["volumes"]?.array ?? []
        let existing = volumes.compactMap { $0["name"]?.string }.first { $0.hasPrefix(prefix) }
        let volume = existing ?? prefix + Names.randomSuffix()
        var isUsed = false
        for list in ["initContainers", "containers"] {
            spec.mutateEach(list) { container in
                var mounts = container["volumeMounts"]?.array ?? []
                if mounts.contains(where: { $0["mountPath"]?.string == self.mountPath }) { return }
                mounts.append(["name": .string(volume), "readOnly": true, "mountPath": .string(self.mountPath)])
                container.set("volumeMounts", .array(mounts))
                isUsed = true
            }
        }
        guard existing == nil, isUsed else { return }
        spec.set(
            "volumes",
            .array(
                volumes + [
                    [
                        "name": .string(volume),
                        "projected": [
                            "defaultMode": 420,
                            "sources": [
                                ["serviceAccountToken": ["expirationSeconds": 3607, "path": "token"]],
                                [
                                    "configMap": [
                                        "name": "kube-root-ca.crt", "items": [["key": "ca.crt", "path": "ca.crt"]],
                                    ]
                                ],
                                [
                                    "downwardAPI": [
                                        "items": [
                                            [
                                                "path": "namespace",
                                                "fieldRef": ["apiVersion": "v1", "fieldPath": "metadata.namespace"],
                                            ]
                                        ]
                                    ]
                                ],
                            ],
                        ],
                    ]
                ]
            )
        )
    }

    /// The pod's class, by what its containers ask for.
    static func qualityOfService(_ spec: JSONValue) -> String {
        let containers = (spec["containers"]?.array ?? []) + (spec["initContainers"]?.array ?? [])
        let resources = containers.map { $0["resources"] ?? .null }
        if resources.allSatisfy({
            ($0["limits"]?.object ?? [:]).isEmpty && ($0["requests"]?.object ?? [:]).isEmpty
        }) {
            return "BestEffort"
        }
        let isGuaranteed = resources.allSatisfy { resource in
            guard let limits = resource["limits"]?.object, limits["cpu"] != nil, limits["memory"] != nil else {
                return false
            }
            let requests = resource["requests"]?.object ?? limits
            return ["cpu", "memory"].allSatisfy { requests[$0] == nil || requests[$0] == limits[$0] }
        }
        return isGuaranteed ? "Guaranteed" : "Burstable"
    }
}
