import Foundation
import KubernetesAPI

/// Objects that every cluster has; written at start where they are missing or out of date.
struct DefaultObjects: Sendable {
    let service: ResourceService
    /// Port that this server listens on.
    let port: Int

    private static let namespaces = ["default", "kube-system", "kube-public", "kube-node-lease"]

    func write() async throws {
        let entries =
            Self.namespaces.flatMap { name in [self.namespace(name)] + self.service.namespaceContents(name) }
            + Self.roles.map { self.role($0, $1) }
        let service = self.service.configuration
        let kubernetes = self.kubernetesService(service)
        let rootCertificates = self.service.store.objects(of: ResourceService.namespaces).flatMap {
            self.service.namespaceContents($0.key.name)
        }.filter { $0.0.name == "kube-root-ca.crt" }
        try await self.service.store.write { transaction in
            for (key, object) in entries where transaction.object(key) == nil { transaction.put(key, object) }
            for (key, object) in kubernetes + rootCertificates {
                let old = transaction.object(key)?.json
                let isSame = ["spec", "subsets", "endpoints", "ports", "data"].allSatisfy { old?[$0] == object[$0] }
                if old == nil || !isSame {
                    var object = object
                    // Kept, so that a changed port does not look like another Service.
                    if let uid = old?.metadata["uid"] { object = object.settingMetadata("uid", uid) }
                    transaction.put(key, object)
                }
            }
        }
    }

    /// Roles of Kubernetes that manifests of others bind to.
    private static let roles: [(name: String, rule: JSONValue)] = [
        ("cluster-admin", ["apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]]),
        (
            "system:auth-delegator",
            ["apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]]
        ),
    ]

    private func role(_ name: String, _ rule: JSONValue) -> (StoreKey, JSONValue) {
        let group = "rbac.authorization.k8s.io"
        return (
            StoreKey(resource: GroupResource(group: group, resource: "clusterroles"), namespace: "", name: name),
            self.object("\(group)/v1", "ClusterRole", nil, name, labels: [:], ["rules": [rule]])
        )
    }

    private func object(
        _ apiVersion: String,
        _ kind: String,
        _ namespace: String?,
        _ name: String,
        labels: [String: String],
        _ fields: [String: JSONValue]
    ) -> JSONValue {
        var metadata: JSONValue = [
            "name": .string(name), "uid": .string(UUID().uuidString.lowercased()),
            "creationTimestamp": ResourceService.now(), "labels": JSONValue(labels),
        ]
        if let namespace { metadata.set("namespace", .string(namespace)) }
        let base: [String: JSONValue] = [
            "apiVersion": .string(apiVersion), "kind": .string(kind), "metadata": metadata,
        ]
        return .object(base.merging(fields) { $1 })
    }

    private func namespace(_ name: String) -> (StoreKey, JSONValue) {
        (
            StoreKey(resource: ResourceService.namespaces, namespace: "", name: name),
            self.object(
                "v1",
                "Namespace",
                nil,
                name,
                labels: ["kubernetes.io/metadata.name": name],
                ["spec": ["finalizers": ["kubernetes"]], "status": ["phase": "Active"]]
            )
        )
    }

    private func kubernetesService(_ configuration: APIServerConfiguration) -> [(StoreKey, JSONValue)] {
        let address = JSONValue.string(configuration.kubernetesServiceAddress)
        let endpoint = JSONValue.string(configuration.endpointAddress)
        let port = JSONValue(self.port)
        func key(_ group: String, _ resource: String) -> StoreKey {
            StoreKey(
                resource: GroupResource(group: group, resource: resource),
                namespace: "default",
                name: "kubernetes"
            )
        }
        let labels = ["component": "apiserver", "provider": "kubernetes"]
        let service = self.object(
            "v1",
            "Service",
            "default",
            "kubernetes",
            labels: labels,
            [
                "spec": [
                    "type": "ClusterIP", "clusterIP": address, "clusterIPs": [address], "sessionAffinity": "None",
                    "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "internalTrafficPolicy": "Cluster",
                    "ports": [["name": "https", "port": 443, "protocol": "TCP", "targetPort": port]],
                ], "status": ["loadBalancer": .object([:])],
            ]
        )
        let endpoints = self.object(
            "v1",
            "Endpoints",
            "default",
            "kubernetes",
            labels: ["endpointslice.kubernetes.io/skip-mirror": "true"],
            [
                "subsets": [
                    [
                        "addresses": [["ip": endpoint]],
                        "ports": [["name": "https", "port": port, "protocol": "TCP"]],
                    ]
                ]
            ]
        )
        let slice = self.object(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            "default",
            "kubernetes",
            labels: ["kubernetes.io/service-name": "kubernetes"],
            [
                "addressType": "IPv4", "endpoints": [["addresses": [endpoint], "conditions": ["ready": true]]],
                "ports": [["name": "https", "port": port, "protocol": "TCP"]],
            ]
        )
        return [
            (key("", "services"), service), (key("", "endpoints"), endpoints),
            (key("discovery.k8s.io", "endpointslices"), slice),
        ]
    }
}
