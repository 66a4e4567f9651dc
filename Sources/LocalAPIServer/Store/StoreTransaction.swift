import Foundation
package import KubernetesAPI

/// The view of one write: committed objects overlaid with what earlier writes of the same batch and this one changed.
package struct StoreTransaction {
    private let index: StoreIndex
    /// Latest state per key; `nil` marks a deletion.
    private var overlay: [StoreKey: StoredObject?] = [:]
    private(set) var changes: [StoreChange] = []
    private(set) var version: Int64

    init(index: StoreIndex) {
        self.index = index
        self.version = index.version
    }

    func object(_ key: StoreKey) -> StoredObject? {
        if let changed = self.overlay[key] { return changed }
        return self.index.object(key)
    }

    func objects(of resource: GroupResource, namespace: String?) -> [StoredObject] {
        var objects = self.index.objects(of: resource, namespace: namespace).filter { self.overlay[$0.key] == nil }
        for case .some(let changed) in self.overlay.values
        where changed.key.resource == resource && (namespace == nil || changed.key.namespace == namespace) {
            objects.append(changed)
        }
        return objects
    }

    /// Writes an object with the next resourceVersion.
    @discardableResult
    package mutating func put(_ key: StoreKey, _ json: JSONValue) -> StoredObject {
        let before = self.object(key)
        self.version += 1
        let object = StoredObject(
            key: key,
            json: json.settingMetadata("resourceVersion", .string(String(self.version))),
            resourceVersion: self.version
        )
        self.overlay[key] = .some(object)
        self.changes.append(StoreChange(before: before, after: object, isDeletion: false))
        return object
    }

    /// Removes an object; its last state carries the version of the removal, as watches report it.
    @discardableResult
    package mutating func remove(_ object: StoredObject) -> StoredObject {
        self.version += 1
        let last = StoredObject(
            key: object.key,
            json: object.json.settingMetadata("resourceVersion", .string(String(self.version))),
            resourceVersion: self.version
        )
        self.overlay[object.key] = .some(nil)
        self.changes.append(StoreChange(before: object, after: last, isDeletion: true))
        return last
    }
}
