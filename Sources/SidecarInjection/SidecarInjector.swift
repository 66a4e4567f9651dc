package import KubernetesAPI

/// Adds the sidecar to pods; pure, so that the webhook and the command line do exactly the same.
package struct SidecarInjector: Sendable {
    package let settings: InjectionSettings

    package init(settings: InjectionSettings = InjectionSettings()) { self.settings = settings }

    package static let injectName = "sidecar.istio.io/inject"
    package static let statusName = "sidecar.istio.io/status"
    /// Tells others whether a pod can be spoken to with mutual TLS: `istio` or `disabled`.
    package static let modeName = "security.istio.io/tlsMode"

    /// Decides for a pod, or a pod template, in a namespace with the given labels.
    ///
    /// The pod has the last word within a namespace that is not disabled; its label counts more than its annotation.
    package func decision(
        pod: JSONValue,
        namespace: String,
        namespaceLabels: [String: String]
    ) -> InjectionDecision {
        if ["kube-system", "kube-public", "kube-node-lease"].contains(namespace) { return .skip(.systemNamespace) }
        if pod[path: "spec", "hostNetwork"]?.bool == true { return .skip(.hostNetwork) }
        let metadata = KubernetesObject(json: pod)
        let names = Self.containers(of: pod, "containers") + Self.containers(of: pod, "initContainers")
        if metadata.annotations[Self.statusName] != nil || names.contains(Sidecar.containerName) {
            return .skip(.alreadyInjected)
        }
        let policy = namespaceLabels["istio-injection"]
        if policy == "disabled" { return .skip(.namespaceDisabled) }
        switch (metadata.labels[Self.injectName] ?? metadata.annotations[Self.injectName])?.lowercased() {
        case "true", "yes", "y", "on": return .inject
        case "false", "no", "n", "off": return .skip(.refusedByPod)
        default: return policy == "enabled" ? .inject : .skip(.namespaceNotEnabled)
        }
    }

    /// The pod, or pod template, with a sidecar; `owner` names what made it, for pods without a name of their own.
    package func inject(_ pod: JSONValue, owner: String? = nil) -> JSONValue {
        var object = KubernetesObject(json: pod)
        let application = Self.containers(of: pod, "containers").first
        object.labels = self.labels(of: object, owner: owner)
        var annotations = object.annotations
        annotations["kubectl.kubernetes.io/default-container"] =
            annotations["kubectl.kubernetes.io/default-container"] ?? application
        annotations["kubectl.kubernetes.io/default-logs-container"] =
            annotations["kubectl.kubernetes.io/default-logs-container"] ?? application
        let sidecar = Sidecar(settings: self.settings, labels: object.labels, annotations: annotations)
        annotations[Self.statusName] = sidecar.status.text()
        object.annotations = annotations
        var json = object.json
        // Last of the init containers: the others still reach the network without a proxy.
        let setUp = json[path: "spec", "initContainers"]?.array ?? []
        json[path: ["spec", "initContainers"]] = .array(setUp + [sidecar.initContainer])
        let containers = json[path: "spec", "containers"]?.array ?? []
        json[path: ["spec", "containers"]] = .array(containers + [sidecar.container])
        json[path: ["spec", "volumes"]] = .array(
            IdentityVolumes.added(to: json[path: "spec", "volumes"]?.array ?? [])
        )
        if json[path: "spec", "securityContext", "fsGroup"] == nil {
            json[path: ["spec", "securityContext", "fsGroup"]] = JSONValue(IdentityVolumes.group)
        }
        return json
    }

    /// What the dashboards of a mesh group by, and that the pod speaks mutual TLS.
    private func labels(of object: KubernetesObject, owner: String?) -> [String: String] {
        var labels = object.labels
        let name = labels["app.kubernetes.io/name"] ?? labels["app"] ?? owner ?? object.workloadName
        let revision = labels["app.kubernetes.io/version"] ?? labels["version"] ?? "latest"
        if let name, labels["service.istio.io/canonical-name"] == nil {
            labels["service.istio.io/canonical-name"] = name
        }
        if labels["service.istio.io/canonical-revision"] == nil {
            labels["service.istio.io/canonical-revision"] = revision
        }
        // A pod may say `disabled` for itself.
        if labels[Self.modeName] == nil { labels[Self.modeName] = "istio" }
        return labels
    }

    private static func containers(of pod: JSONValue, _ list: String) -> [String] {
        (pod[path: "spec", list]?.array ?? []).compactMap { $0["name"]?.string }
    }
}

extension KubernetesObject {
    /// The name of the Deployment or the like behind a pod, as far as the pod's own name tells.
    fileprivate var workloadName: String? {
        if !self.name.isEmpty { return self.name }
        guard var name = self.generateName, !name.isEmpty else { return nil }
        while name.hasSuffix("-") { name.removeLast() }
        if let hash = self.labels["pod-template-hash"], name.hasSuffix("-" + hash) { name.removeLast(hash.count + 1) }
        return name
    }
}
