package import KubernetesAPI
internal import MeshModel

/// The objects that make a revision run: its Deployment, its Service, and the PodAutoscaler that scales it.
package struct RevisionObjects: Sendable {
    /// How the pods' containers are told where to listen.
    private static let portVariable = "PORT"

    package let revision: Revision
    /// Whether some traffic goes to it.
    package let isReachable: Bool
    /// Whether proxies that call it hold requests.
    private let isHeldInProxies: Bool
    private let scaling: ScalingSettings

    package init(
        _ revision: Revision,
        isReachable: Bool,
        isHeldInProxies: Bool = true,
        defaults: AutoscalerDefaults = AutoscalerDefaults()
    ) {
        self.revision = revision
        self.isReachable = isReachable
        self.isHeldInProxies = isHeldInProxies
        // What is wrong with them is told with the template.
        var scaling = ScalingAnnotations.parse(
            revision.annotations,
            containerConcurrency: revision.containerConcurrency,
            defaults: defaults
        ).annotations.settings
        scaling.isReachable = isReachable
        self.scaling = scaling
    }

    /// The pods that it begins with, and has to have before traffic moves to it.
    package var firstScale: Int { self.scaling.firstScale }

    private var owner: OwnerReference {
        OwnerReference(
            apiVersion: ResourceType.revisions.apiVersion,
            kind: ResourceType.revisions.kind,
            name: self.revision.id.name,
            uid: self.revision.uid
        )
    }

    private var labels: [String: String] {
        [
            ServingLabels.service: self.revision.service, ServingLabels.configuration: self.revision.service,
            ServingLabels.revision: self.revision.id.name,
        ]
    }

    package var deploymentName: String { self.revision.id.name + "-deployment" }

    private func object(_ type: ResourceType, _ name: String) -> KubernetesObject {
        var object = KubernetesObject(type, namespace: self.revision.id.namespace, name: name)
        object.labels = self.labels
        object.ownerReferences = [self.owner]
        return object
    }

    /// The Deployment without its number of pods, which is the autoscaler's; `initialScale` is for a new one only.
    package func deployment(initialScale: Int?) -> KubernetesObject {
        var object = self.object(.deployments, self.deploymentName)
        var pod = self.revision.spec
        for name in ["containerConcurrency", "timeoutSeconds", "responseStartTimeoutSeconds", "idleTimeoutSeconds"] {
            pod[name] = nil
        }
        pod["containers"] = .array((pod["containers"]?.array ?? []).enumerated().map(self.container))
        var podLabels = self.revision.labels.merging(self.labels) { _, ours in ours }
        if podLabels["app"] == nil { podLabels["app"] = self.revision.id.name }
        let metadata: JSONValue = [
            "labels": JSONValue(podLabels),
            "annotations": JSONValue(self.revision.annotations.merging(self.activationAnnotations) { _, ours in ours }),
        ]
        object.json["spec"] = [
            "selector": ["matchLabels": [ServingLabels.revision: .string(self.revision.id.name)]],
            "template": ["metadata": metadata, "spec": pod],
        ]
        // As long as the autoscaler waits, less what it leaves the Deployment to tell of it first.
        let deadline = self.scaling.activationTimeout - ScalingAnnotations.activationBuffer
        object.json[path: "spec", "progressDeadlineSeconds"] = JSONValue(Int(deadline.components.seconds))
        if let initialScale { object.json[path: "spec", "replicas"] = JSONValue(initialScale) }
        return object
    }

    /// On the Service for the proxies of callers, on the pods for their own, if they have one.
    private var activationAnnotations: [String: String] {
        [
            ServingLabels.activation: self.revision.id.name,
            ServingLabels.activationConcurrency: String(self.revision.containerConcurrency),
        ]
    }

    private func container(_ index: Int, _ container: JSONValue) -> JSONValue {
        var container = container
        let hasPorts = container["ports"]?.array?.isEmpty == false
        if container["name"]?.string?.isEmpty ?? true {
            container["name"] = .string(index == 0 ? "user-container" : "user-container-\(index)")
        }
        guard hasPorts || index == 0 else { return container }
        let port = self.revision.port
        container["ports"] = [
            ["name": "user-port", "containerPort": JSONValue(port), "protocol": "TCP"]
        ]
        var variables = container["env"]?.array ?? []
        if !variables.contains(where: { $0["name"]?.string == Self.portVariable }) {
            variables.append(["name": .string(Self.portVariable), "value": .string(String(port))])
        }
        for (name, value) in [
            ("K_REVISION", self.revision.id.name), ("K_CONFIGURATION", self.revision.service),
            ("K_SERVICE", self.revision.service),
        ] where !variables.contains(where: { $0["name"]?.string == name }) {
            variables.append(["name": .string(name), "value": .string(value)])
        }
        container["env"] = .array(variables)
        // Requests come as soon as a pod is ready, so a pod without a probe of its own is asked whether it listens.
        if container["readinessProbe"] == nil {
            container["readinessProbe"] = ["tcpSocket": ["port": JSONValue(port)], "periodSeconds": 1]
        }
        return container
    }

    /// The Service in front of the revision's pods. Proxies that call it hold requests as its annotations say.
    package var service: KubernetesObject {
        var object = self.object(.services, self.revision.id.name)
        if self.isHeldInProxies {
            object.annotations = self.activationAnnotations
            if self.isReadyWhenConnected { object.annotations[ServingLabels.activationProbe] = "connect" }
        }
        let name = self.revision.protocolName == "h2c" ? "http2" : "http"
        object.json["spec"] = [
            "selector": [ServingLabels.revision: .string(self.revision.id.name)],
            "ports": [["name": .string(name), "port": 80, "targetPort": JSONValue(self.revision.port)]],
        ]
        return object
    }

    /// Whether a pod that takes a connection is ready. One with another probe may listen long before.
    private var isReadyWhenConnected: Bool {
        (self.revision.spec["containers"]?.array ?? []).allSatisfy { container in
            guard let probe = container["readinessProbe"] else { return true }
            return probe["tcpSocket"] != nil
        }
    }

    package var podAutoscaler: KubernetesObject {
        var object = self.object(.podAutoscalers, self.revision.id.name)
        object.annotations = self.revision.annotations.filter {
            $0.key.hasPrefix(ScalingAnnotations.prefix) || $0.key == ScalingAnnotations.progressDeadline
        }
        object.json["spec"] = [
            "scaleTargetRef": [
                "apiVersion": "apps/v1", "kind": "Deployment", "name": .string(self.deploymentName),
            ],
            "containerConcurrency": JSONValue(self.revision.containerConcurrency),
            "timeoutSeconds": JSONValue(self.revision.timeout),
            "protocolType": .string(self.revision.protocolName),
            "reachability": .string(self.isReachable ? "Reachable" : "Unreachable"),
        ]
        return object
    }

    /// What is to be changed in the spec of a PodAutoscaler that is there; `nil`: nothing. Its other fields are as they were
    /// made.
    package static func changes(of found: KubernetesObject, to wanted: KubernetesObject) -> JSONValue? {
        var changes: [String: JSONValue] = [:]
        for name in ["reachability", "timeoutSeconds"] {
            let value = wanted.json[path: "spec", name]
            if found.json[path: "spec", name] != value { changes[name] = value ?? .null }
        }
        return changes.isEmpty ? nil : .object(changes)
    }
}
