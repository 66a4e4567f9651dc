import KubernetesAPI

/// A kind without its version: all versions of a kind share one table.
struct GroupResource: Hashable, Sendable, CustomStringConvertible {
    var group: String
    var resource: String

    /// As Kubernetes prints it: `deployments.apps`, or `pods` for the core group.
    var description: String { self.group.isEmpty ? self.resource : "\(self.resource).\(self.group)" }
}

/// Names one object of one kind.
struct ObjectKey: Hashable, Sendable {
    var resource: GroupResource
    /// Empty for kinds without namespaces.
    var namespace: String
    var name: String
}

/// An object as it was committed, with the fields that are needed without looking into it.
struct StoredObject: Sendable {
    let key: ObjectKey
    let json: JSONValue
    let uid: String
    let resourceVersion: Int64

    init(key: ObjectKey, json: JSONValue, resourceVersion: Int64) {
        self.key = key
        self.json = json
        self.uid = json.metadata["uid"]?.string ?? ""
        self.resourceVersion = resourceVersion
    }

    var ownerUIDs: [String] {
        (self.json.metadata["ownerReferences"]?.array ?? []).compactMap { $0["uid"]?.string }
    }
}

/// One committed change, in the order of resource versions.
struct StoreChange: Sendable {
    /// `nil` for a new object.
    var before: StoredObject?
    /// For a deletion, the last state carrying the resourceVersion of the deletion.
    var after: StoredObject
    var isDeletion: Bool

    var resourceVersion: Int64 { self.after.resourceVersion }
}
