import Foundation
import KubernetesAPI
import MeshConfig
import MeshModel
import MeshTranslate
import Testing
import XDSAPI

/// A mesh with a gateway and objects given as YAML.
struct GatewayMesh {
    private(set) var objects = MeshObjects()

    enum Gateway: String { case egress, ingress }

    /// With the Service and the endpoint of a gateway, or without anything that leads to the gateway pods; the objects
    /// are in `default` unless they say otherwise.
    init(_ gateway: Gateway?, _ yaml: String = "") throws {
        if let gateway { try self.apply(Self.file("\(gateway.rawValue)/gateway")) }
        try self.apply(yaml)
    }

    /// A file beside the expected results.
    static func file(_ name: String) throws -> String {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: folder.appending(path: "Golden/\(name).yaml"), encoding: .utf8)
    }

    mutating func apply(_ yaml: String) throws {
        for object in try Self.parse(yaml) { try self.apply(object) }
    }

    mutating func apply(_ object: KubernetesObject) throws {
        let kind = try #require(MeshKind(rawValue: object.kind))
        _ = self.objects.apply(kind, .added(object))
    }

    mutating func delete(_ object: KubernetesObject) throws {
        let kind = try #require(MeshKind(rawValue: object.kind))
        _ = self.objects.apply(kind, .deleted(object))
    }

    static func parse(_ yaml: String) throws -> [KubernetesObject] {
        try YAML.documents(yaml).map { document in
            var object = KubernetesObject(json: document.value)
            object.namespace = object.namespace ?? "default"
            return object
        }
    }

    var snapshot: MeshSnapshot { SnapshotBuilder.build(self.objects, revision: 1) }

    func sidecar(in namespace: String = "default") throws -> ProxyResources {
        Translator.resources(
            of: ProxyKey(
                role: .sidecar,
                address: try address("10.213.9.9"),
                workload: ObjectID(namespace: namespace, name: "sleep"),
                dnsDomain: "\(namespace).svc.cluster.local",
                labels: ["app": "sleep"]
            ),
            in: self.snapshot
        )
    }

    func egress(labels: [String: String] = [:]) throws -> ProxyResources {
        try self.router("egress", "10.213.1.2", labels: labels)
    }

    func ingress(labels: [String: String] = [:]) throws -> ProxyResources {
        try self.router("ingress", "10.213.1.3", labels: labels)
    }

    private func router(_ name: String, _ text: String, labels: [String: String]) throws -> ProxyResources {
        let own = ["app": "istio-\(name)gateway", "istio": "\(name)gateway"]
        return Translator.resources(
            of: ProxyKey(
                role: .router,
                address: try address(text),
                workload: ObjectID(namespace: "istio-system", name: name),
                dnsDomain: "istio-system.svc.cluster.local",
                labels: own.merging(labels) { $1 }
            ),
            in: self.snapshot
        )
    }
}
