import KubernetesAPI

/// The two containers that make a pod part of the mesh.
struct Sidecar {
    let settings: InjectionSettings
    let labels: [String: String]
    let annotations: [String: String]

    static let containerName = "istio-proxy"
    static let initName = "istio-init"

    /// Leads the pod's traffic to the proxy, before any program of the pod runs.
    var initContainer: JSONValue {
        [
            "name": .string(Self.initName),
            "image": .string(self.settings.image),
            "imagePullPolicy": "IfNotPresent",
            "args": JSONValue(["iptables"] + self.interceptionFlags),
            "securityContext": [
                "allowPrivilegeEscalation": false,
                "privileged": false,
                "capabilities": ["add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"]],
                "runAsUser": 0,
                "runAsGroup": 0,
                "runAsNonRoot": false,
            ],
        ]
    }

    var container: JSONValue {
        let arguments = [
            "sidecar",
            "--discovery-address", self.settings.discoveryAddress,
            "--domain", "$(POD_NAMESPACE).svc.\(self.settings.domainSuffix)",
            "--concurrency", String(self.settings.concurrency),
        ]
        return [
            "name": .string(Self.containerName),
            "image": .string(self.settings.image),
            "imagePullPolicy": "IfNotPresent",
            "args": JSONValue(arguments),
            "env": [
                Self.variable("POD_NAME", "metadata.name"),
                Self.variable("POD_NAMESPACE", "metadata.namespace"),
                Self.variable("INSTANCE_IP", "status.podIP"),
                Self.variable("SERVICE_ACCOUNT", "spec.serviceAccountName"),
                ["name": "ISTIO_METAJSON_LABELS", "value": .string(JSONValue(self.labels).text())],
            ],
            "ports": [["name": "http-envoy-prom", "containerPort": 15090, "protocol": "TCP"]],
            "readinessProbe": [
                "httpGet": ["path": "/healthz/ready", "port": 15021],
                "initialDelaySeconds": 0,
                "periodSeconds": 1,
                "timeoutSeconds": 3,
                "failureThreshold": 30,
            ],
            "securityContext": [
                "allowPrivilegeEscalation": false,
                "privileged": false,
                "capabilities": ["drop": ["ALL"]],
                "readOnlyRootFilesystem": true,
                // Interception lets this user's traffic pass.
                "runAsUser": 1337,
                "runAsGroup": 1337,
                "runAsNonRoot": true,
            ],
        ]
    }

    /// What was added, so that it is not added twice.
    var status: JSONValue {
        [
            "initContainers": [.string(Self.initName)], "containers": [.string(Self.containerName)],
            "volumes": .null, "imagePullSecrets": .null, "revision": "default",
        ]
    }

    /// Annotations that narrow interception, as flags of `lateen-proxy iptables`.
    private var interceptionFlags: [String] {
        let flags = [
            ("includeInboundPorts", "--include-inbound-ports"),
            ("excludeInboundPorts", "--exclude-inbound-ports"),
            ("includeOutboundIPRanges", "--include-outbound-ip-ranges"),
            ("excludeOutboundIPRanges", "--exclude-outbound-ip-ranges"),
            ("includeOutboundPorts", "--include-outbound-ports"),
            ("excludeOutboundPorts", "--exclude-outbound-ports"),
            ("excludeInterfaces", "--exclude-interfaces"),
        ]
        return flags.flatMap { name, flag in
            guard var value = self.annotations["traffic.sidecar.istio.io/\(name)"] else { return [String]() }
            // The proxy's own ports stay reachable whatever a person excludes besides.
            if name == "excludeInboundPorts" { value = Self.joined("15020,15021,15090", value) }
            return [flag, value]
        }
    }

    private static func joined(_ own: String, _ other: String) -> String { other.isEmpty ? own : "\(own),\(other)" }

    private static func variable(_ name: String, _ field: String) -> JSONValue {
        ["name": .string(name), "valueFrom": ["fieldRef": ["apiVersion": "v1", "fieldPath": .string(field)]]]
    }
}
