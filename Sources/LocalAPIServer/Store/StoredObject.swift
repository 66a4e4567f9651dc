package import KubernetesAPI

/// A kind without its version: all versions of a kind share one table.
package struct GroupResource: Hashable, Sendable, CustomStringConvertible {
    package var group: String
    package var resource: String

    package init(group: String, resource: String) {
        self.group = group
        self.resource = resource
    }

    /// As Kubernetes prints it: `deployments.apps`, or `pods` for the core group.
    package var description: String { self.group.isEmpty ? self.resource : "\(self.resource).\(self.group)" }
}

/// Names one object of one kind.
package struct StoreKey: Hashable, Sendable {
    package var resource: GroupResource
    /// Empty for kinds without namespaces.
    package var namespace: String
    package var name: String

    package init(resource: GroupResource, namespace: String, name: String) {
        self.resource = resource
        self.namespace = namespace
        self.name = name
    }
}

/// An object as it was committed, with the fields that are needed without looking into it.
package struct StoredObject: Sendable {
    package let key: StoreKey
    package let json: JSONValue
    package let uid: String
    package let resourceVersion: Int64

    init(key: StoreKey, json: JSONValue, resourceVersion: Int64) {
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
package struct StoreChange: Sendable {
    /// `nil` for a new object.
    var before: StoredObject?
    /// For a deletion, the last state carrying the resourceVersion of the deletion.
    var after: StoredObject
    var isDeletion: Bool

    var resourceVersion: Int64 { self.after.resourceVersion }
}
