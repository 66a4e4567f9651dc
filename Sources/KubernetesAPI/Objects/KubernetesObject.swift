/// An object of the Kubernetes API, kept as it came so that nothing is lost on the way back.
package struct KubernetesObject: Sendable, Hashable {
    package var json: JSONValue

    package init(json: JSONValue) { self.json = json }

    /// A new object with a name; the rest is filled in by the caller or the API server.
    package init(_ type: ResourceType, namespace: String? = nil, name: String) {
        self.json = [
            "apiVersion": .string(type.apiVersion), "kind": .string(type.kind), "metadata": ["name": .string(name)],
        ]
        self.namespace = namespace
    }

    package var apiVersion: String {
        get { self.json["apiVersion"]?.string ?? "" }
        set { self.json["apiVersion"] = .string(newValue) }
    }

    package var kind: String {
        get { self.json["kind"]?.string ?? "" }
        set { self.json["kind"] = .string(newValue) }
    }

    /// The part of `apiVersion` before the slash; empty for the core group.
    package var group: String {
        let parts = self.apiVersion.split(separator: "/", maxSplits: 1)
        return parts.count == 2 ? String(parts[0]) : ""
    }

    package var name: String {
        get { self.text("name") ?? "" }
        set { self.setText("name", newValue) }
    }

    package var namespace: String? {
        get { self.text("namespace") }
        set { self.setText("namespace", newValue) }
    }

    package var generateName: String? {
        get { self.text("generateName") }
        set { self.setText("generateName", newValue) }
    }

    package var uid: String {
        get { self.text("uid") ?? "" }
        set { self.setText("uid", newValue) }
    }

    package var resourceVersion: String {
        get { self.text("resourceVersion") ?? "" }
        set { self.setText("resourceVersion", newValue.isEmpty ? nil : newValue) }
    }

    package var generation: Int {
        get { self.json[path: "metadata", "generation"]?.int ?? 0 }
        set { self.json[path: "metadata", "generation"] = JSONValue(newValue) }
    }

    package var labels: [String: String] {
        get { self.json[path: "metadata", "labels"]?.stringMap ?? [:] }
        set { self.json[path: "metadata", "labels"] = newValue.isEmpty ? nil : JSONValue(newValue) }
    }

    package var annotations: [String: String] {
        get { self.json[path: "metadata", "annotations"]?.stringMap ?? [:] }
        set { self.json[path: "metadata", "annotations"] = newValue.isEmpty ? nil : JSONValue(newValue) }
    }

    package var finalizers: [String] {
        get { self.json[path: "metadata", "finalizers"]?.array?.compactMap(\.string) ?? [] }
        set { self.json[path: "metadata", "finalizers"] = newValue.isEmpty ? nil : JSONValue(newValue) }
    }

    package var ownerReferences: [OwnerReference] {
        get { (self.json[path: "metadata", "ownerReferences"]?.array ?? []).map(OwnerReference.init(json:)) }
        set {
            self.json[path: "metadata", "ownerReferences"] = newValue.isEmpty ? nil : .array(newValue.map(\.json))
        }
    }

    /// The owner that manages it, of which there is one at most.
    package var controller: OwnerReference? { self.ownerReferences.first(where: \.isController) }

    package var creationTimestamp: String? {
        get { self.text("creationTimestamp") }
        set { self.setText("creationTimestamp", newValue) }
    }

    /// `creationTimestamp` in seconds since 1970; 0 if it has none.
    package var createdAt: Int64 { self.creationTimestamp.flatMap(KubernetesTime.seconds) ?? 0 }

    package var deletionTimestamp: String? {
        get { self.text("deletionTimestamp") }
        set { self.setText("deletionTimestamp", newValue) }
    }

    package var isBeingDeleted: Bool { self.deletionTimestamp != nil }

    package var spec: JSONValue {
        get { self.json["spec"] ?? .null }
        set { self.json["spec"] = newValue }
    }

    package var status: JSONValue {
        get { self.json["status"] ?? .null }
        set { self.json["status"] = newValue }
    }

    package var key: ObjectKey { ObjectKey(namespace: self.namespace, name: self.name) }

    /// A typed view of the whole object; see ``JSONValue/decode(_:)``.
    package func decode<T: Decodable>(_ type: T.Type = T.self) throws -> T { try self.json.decode(type) }

    private func text(_ member: String) -> String? {
        guard let text = self.json[path: "metadata", member]?.string, !text.isEmpty else { return nil }
        return text
    }

    private mutating func setText(_ member: String, _ value: String?) {
        self.json[path: "metadata", member] = value.map(JSONValue.string)
    }
}

extension KubernetesObject: CustomStringConvertible {
    /// `Pod default/sleep`
    package var description: String { "\(self.kind) \(self.key)" }
}

/// The name of an object among those of its type; objects of the cluster itself have no namespace.
package struct ObjectKey: Hashable, Sendable, Comparable, CustomStringConvertible {
    package var namespace: String?
    package var name: String

    package init(namespace: String?, name: String) {
        self.namespace = namespace
        self.name = name
    }

    package var description: String { self.namespace.map { "\($0)/\(self.name)" } ?? self.name }

    package static func < (left: ObjectKey, right: ObjectKey) -> Bool {
        (left.namespace ?? "", left.name) < (right.namespace ?? "", right.name)
    }
}

/// Who an object belongs to; it goes when its owner goes.
package struct OwnerReference: Hashable, Sendable {
    package var apiVersion: String
    package var kind: String
    package var name: String
    package var uid: String
    package var isController: Bool

    package init(apiVersion: String, kind: String, name: String, uid: String, isController: Bool = true) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.name = name
        self.uid = uid
        self.isController = isController
    }

    /// A reference to `object` as the controller.
    package init(to object: KubernetesObject) {
        self.init(apiVersion: object.apiVersion, kind: object.kind, name: object.name, uid: object.uid)
    }

    init(json: JSONValue) {
        self.init(
            apiVersion: json["apiVersion"]?.string ?? "",
            kind: json["kind"]?.string ?? "",
            name: json["name"]?.string ?? "",
            uid: json["uid"]?.string ?? "",
            isController: json["controller"]?.bool ?? false
        )
    }

    package var json: JSONValue {
        var json: JSONValue = [
            "apiVersion": .string(self.apiVersion), "kind": .string(self.kind), "name": .string(self.name),
            "uid": .string(self.uid),
        ]
        if self.isController {
            json["controller"] = true
            json["blockOwnerDeletion"] = true
        }
        return json
    }
}
