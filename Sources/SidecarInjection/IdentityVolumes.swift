import KubernetesAPI

/// The volumes by which a proxy gets and keeps its identity; names and places are Istio's, gateways use the same.
enum IdentityVolumes {
    /// Group of the proxy: a token in a volume shall be readable for it, and need not be for others.
    static let group = 1337

    static let volumes: [JSONValue] = [
        // A token for the certificate authority alone: no other server takes it.
        [
            "name": "istio-token",
            "projected": [
                "defaultMode": 420,
                "sources": [
                    [
                        "serviceAccountToken": [
                            "audience": "istio-ca", "expirationSeconds": 43200, "path": "istio-token",
                        ]
                    ]
                ],
            ],
        ],
        // The roots that the control plane is checked with.
        ["name": "istiod-ca-cert", "configMap": ["defaultMode": 420, "name": "istio-ca-root-cert"]],
        // Key and certificates: in memory, gone with the pod.
        ["name": "istio-certs", "emptyDir": ["medium": "Memory"]],
        // The last good configuration, for a proxy that restarts while there is no control plane.
        ["name": "istio-data", "emptyDir": [:]],
    ]

    static let mounts: [JSONValue] = [
        ["name": "istio-token", "mountPath": "/var/run/secrets/tokens"],
        ["name": "istiod-ca-cert", "mountPath": "/var/run/secrets/istio"],
        ["name": "istio-certs", "mountPath": "/etc/certs"],
        ["name": "istio-data", "mountPath": "/var/run/lateen"],
    ]

    /// The pod's volumes with those that it lacks.
    static func added(to volumes: [JSONValue]) -> [JSONValue] {
        let names = Set(volumes.compactMap { $0["name"]?.string })
        return volumes + self.volumes.filter { !names.contains($0["name"]?.string ?? "") }
    }
}
