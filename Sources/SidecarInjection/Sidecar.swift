import KubernetesAPI
import MeshModel

/// The two containers that make a pod part of the mesh.
struct Sidecar {
    let settings: InjectionSettings
    let labels: [String: String]
    let annotations: [String: String]

    static let containerName = "istio-proxy"
    static let initName = "istio-init"
    static let imageName = "sidecar.istio.io/proxyImage"

    /// Leads the pod's traffic to the proxy, before any program of the pod runs.
    var initContainer: JSONValue {
        [
            "name": .string(Self.initName),
            "image": .string(self.image),
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
        let environment: [JSONValue] = [
            Self.variable("POD_NAME", "metadata.name"),
            Self.variable("POD_NAMESPACE", "metadata.namespace"),
            Self.variable("INSTANCE_IP", "status.podIP"),
            Self.variable("SERVICE_ACCOUNT", "spec.serviceAccountName"),
            ["name": "TRUST_DOMAIN", "value": .string(self.settings.trustDomain)],
            ["name": "ISTIO_METAJSON_LABELS", "value": .string(JSONValue(self.labels).text())],
        ]
        return [
            "name": .string(Self.containerName),
            "image": .string(self.image),
            "imagePullPolicy": "IfNotPresent",
            "args": JSONValue(arguments),
            "env": .array(
                environment + self.places + self.ownChoices
                    + ProxyMetadata.variables(self.annotations, besides: environment)
            ),
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
            "volumeMounts": .array(IdentityVolumes.mounts),
        ]
    }

    /// Which cluster and network the proxy is in.
    private var places: [JSONValue] {
        let network = self.labels["topology.istio.io/network"] ?? self.settings.network
        return [("ISTIO_META_CLUSTER_ID", self.settings.cluster), ("ISTIO_META_NETWORK", network)]
            .filter { !$0.1.isEmpty }.map { ["name": .string($0.0), "value": .string($0.1)] }
    }

    /// What a pod decides for itself against the mesh's settings.
    private var ownChoices: [JSONValue] {
        guard let mode = self.annotations["lateen.dev/dns-bound-egress"] else { return [] }
        return [["name": "LATEEN_DNS_BOUND_EGRESS", "value": .string(mode)]]
    }

    /// What was added, so that it is not added twice.
    var status: JSONValue {
        [
            "initContainers": [.string(Self.initName)], "containers": [.string(Self.containerName)],
            "volumes": .array(IdentityVolumes.volumes.compactMap { $0["name"] }), "imagePullSecrets": .null,
            "revision": "default",
        ]
    }

    /// A pod may name another one: with another engine, or another version.
    private var image: String {
        self.annotations[Self.imageName].flatMap { $0.isEmpty ? nil : $0 } ?? self.settings.image
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
        let ranges = self.settings.virtualAddresses
        let virtual =
            ranges == VirtualAddressRanges()
            ? [] : ["--virtual-ip-ranges", ranges.all.map(\.description).joined(separator: ",")]
        // Queries to which servers are intercepted: ours, Istio knows no such choice for a pod.
        let servers = self.annotations["lateen.dev/dns-servers"].map { ["--dns-servers", $0] } ?? []
        return virtual + servers
            + flags.flatMap { name, flag in
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
