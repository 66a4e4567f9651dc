import KubernetesAPI
import MeshConfig
import MeshModel
import Testing

import struct Foundation.Data

/// Objects given as YAML, as the tests of this room need them.
struct Mesh {
    var objects = MeshObjects()

    init(_ yaml: String = "") throws { try self.apply(yaml) }

    init(virtualAddresses: VirtualAddressRanges) { self.objects = MeshObjects(virtualAddresses: virtualAddresses) }

    /// Adds objects and gives the changes that follow.
    @discardableResult
    mutating func apply(_ yaml: String) throws -> [MeshChange] {
        try YAML.documents(yaml).map { document in
            var object = KubernetesObject(json: document.value)
            let kind = try #require(MeshKind(rawValue: object.kind))
            // As kubectl does.
            if kind.resourceType.isNamespaced, object.namespace == nil { object.namespace = "default" }
            return self.objects.apply(kind, .added(object))
        }
    }

    mutating func delete(_ kind: MeshKind, _ name: String, namespace: String = "default") -> MeshChange {
        let object = KubernetesObject(kind.resourceType, namespace: namespace, name: name)
        return self.objects.apply(kind, .deleted(object))
    }

    var snapshot: MeshSnapshot { SnapshotBuilder.build(self.objects, revision: 1) }

    /// Endpoints of a host, by its first service.
    func endpoints(_ host: String) -> [Endpoint] {
        let snapshot = self.snapshot
        guard let service = snapshot.services.first(where: { $0.host.text == host }) else { return [] }
        return snapshot.endpoints[ServiceKey(service)] ?? []
    }

    func errors() -> [String] {
        self.snapshot.diagnoses.filter { $0.severity == .error }.map { "\($0.field): \($0.message)" }
    }

    func warnings() -> [String] {
        self.snapshot.diagnoses.filter { $0.severity == .warning }.map { "\($0.field): \($0.message)" }
    }
}

enum Samples {
    /// The entry of the reference, with the address that the local platform gives its database.
    static let mysqlExternal = """
        apiVersion: networking.istio.io/v1alpha3
        kind: ServiceEntry
        metadata:
          name: mysql-external
          namespace: default
        spec:
          hosts:
          - mysqldb.outside.test
          addresses:
          - 10.215.0.10/32
          ports:
          - name: tcp
            number: 3306
            protocol: tcp
          location: MESH_EXTERNAL
        """

    static let ratings = """
        apiVersion: v1
        kind: Service
        metadata: {name: ratings, namespace: default, creationTimestamp: "2026-01-01T00:00:00Z"}
        spec:
          clusterIP: 10.214.0.7
          selector: {app: ratings}
          ports:
          - {name: http, port: 9080, targetPort: 9080}
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: ratings-1, namespace: default, labels: {kubernetes.io/service-name: ratings}}
        addressType: IPv4
        ports: [{name: http, port: 9080}]
        endpoints:
        - addresses: [10.213.1.5]
          conditions: {ready: true}
          targetRef: {kind: Pod, name: ratings-v1, namespace: default}
        - addresses: [10.213.1.4]
          conditions: {ready: false}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: ratings-v1, namespace: default, labels: {app: ratings, version: v1}}
        spec: {serviceAccountName: bookinfo-ratings}
        status: {phase: Running, podIP: 10.213.1.5, conditions: [{type: Ready, status: "True"}]}
        """

    static func entry(_ spec: String, name: String = "e", created: String = "2026-01-02T00:00:00Z") -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {name: \(name), namespace: default, creationTimestamp: "\(created)"}
        spec: \(spec)
        """
    }

    static func routes(_ spec: String, name: String = "r") -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: \(name), namespace: default}
        spec: \(spec)
        """
    }

    static func policy(_ spec: String, name: String = "d") -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {name: \(name), namespace: default}
        spec: \(spec)
        """
    }

    static func gateway(
        _ servers: String,
        name: String = "g",
        namespace: String = "default",
        created: String = "2026-01-02T00:00:00Z"
    ) -> String {
        """
        apiVersion: networking.istio.io/v1
        kind: Gateway
        metadata: {name: \(name), namespace: \(namespace), creationTimestamp: "\(created)"}
        spec: {selector: {istio: egressgateway}, servers: \(servers)}
        """
    }

    /// An object of any kind of security, in `namespace`.
    static func security(_ kind: String, _ spec: String, name: String = "s", namespace: String = "default") -> String {
        """
        apiVersion: security.istio.io/v1
        kind: \(kind)
        metadata: {name: \(name), namespace: \(namespace)}
        spec: \(spec)
        """
    }

    static func legacy(_ spec: String, name: String = "default", namespace: String = "default") -> String {
        """
        apiVersion: authentication.istio.io/v1alpha1
        kind: Policy
        metadata: {name: \(name), namespace: \(namespace)}
        spec: \(spec)
        """
    }

    static let pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    static let keyPEM = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"

    static func secret(_ data: [String: String], name: String, namespace: String = "istio-system") -> String {
        let members = data.map { "\($0.key): \(Data($0.value.utf8).base64EncodedString())" }.sorted()
        return """
            apiVersion: v1
            kind: Secret
            metadata: {name: \(name), namespace: \(namespace)}
            data: {\(members.joined(separator: ", "))}
            """
    }

    static func settings(_ mesh: String) -> String {
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: istio, namespace: istio-system}
        data:
          mesh: |
            \(mesh)
        """
    }
}
