import KubernetesAPI

/// All committed objects in memory, with the recent changes of each kind: what reads and watches are answered from.
package struct StoreIndex: Sendable {
    struct Name: Hashable, Sendable {
        var namespace: String
        var name: String
    }

    /// Objects and history of one kind.
    struct Table: Sendable {
        var objects: [Name: StoredObject] = [:]
        /// Oldest first.
        var history: [StoreChange] = []
        /// Watches that resume below this version have lost changes.
        var historyStart: Int64
    }

    package private(set) var version: Int64
    private var tables: [GroupResource: Table] = [:]
    /// Dependents by the uid of their owner, for garbage collection.
    private var dependents: [String: Set<StoreKey>] = [:]
    private var uids: Set<String> = []
    private let loadedVersion: Int64
    private let historyMax: Int

    init(version: Int64, objects: [StoredObject], historyMax: Int) {
        self.version = version
        self.loadedVersion = version
        self.historyMax = historyMax
        for object in objects { self.insert(object) }
    }

    func object(_ key: StoreKey) -> StoredObject? {
        self.tables[key.resource]?.objects[Name(namespace: key.namespace, name: key.name)]
    }

    /// Objects of a kind in the order of namespace and name.
    func objects(of resource: GroupResource, namespace: String?) -> [StoredObject] {
        guard let table = self.tables[resource] else { return [] }
        return table.objects.values
            .filter { namespace == nil || $0.key.namespace == namespace }
            .sorted { ($0.key.namespace, $0.key.name) < ($1.key.namespace, $1.key.name) }
    }

    func objects(inNamespace namespace: String) -> [StoredObject] {
        self.tables.values.flatMap { table in table.objects.values.filter { $0.key.namespace == namespace } }
    }

    func dependents(ofUID uid: String) -> Set<StoreKey> { self.dependents[uid] ?? [] }

    /// Every uid that some object names as its owner.
    var ownerUIDs: [String] { Array(self.dependents.keys) }

    func hasObject(withUID uid: String) -> Bool { self.uids.contains(uid) }

    /// Changes of a kind after a version; `nil` if some of them are forgotten.
    package func changes(of resource: GroupResource, after version: Int64) -> ArraySlice<StoreChange>? {
        guard let table = self.tables[resource] else { return version >= self.loadedVersion ? [] : nil }
        guard version >= table.historyStart else { return nil }
        var low = 0
        var high = table.history.count
        while low < high {
            let middle = (low + high) / 2
            if table.history[middle].resourceVersion > version { high = middle } else { low = middle + 1 }
        }
        return table.history[low...]
    }

    mutating func apply(_ changes: some Sequence<StoreChange>, version: Int64) {
        for change in changes {
            if let before = change.before { self.unlink(before) }
            let key = change.after.key
            if change.isDeletion {
                self.tables[key.resource]?.objects[Name(namespace: key.namespace, name: key.name)] = nil
                self.uids.remove(change.after.uid)
            } else {
                self.insert(change.after)
            }
            self.remember(change)
        }
        self.version = version
    }

    private mutating func insert(_ object: StoredObject) {
        let name = Name(namespace: object.key.namespace, name: object.key.name)
        self.tables[object.key.resource, default: Table(historyStart: self.loadedVersion)].objects[name] = object
        self.uids.insert(object.uid)
        for owner in object.ownerUIDs { self.dependents[owner, default: []].insert(object.key) }
    }

    private mutating func unlink(_ object: StoredObject) {
        for owner in object.ownerUIDs {
            self.dependents[owner]?.remove(object.key)
            if self.dependents[owner]?.isEmpty == true { self.dependents[owner] = nil }
        }
    }

    private mutating func remember(_ change: StoreChange) {
        let resource = change.after.key.resource
        self.tables[resource, default: Table(historyStart: self.loadedVersion)].history.append(change)
        guard let history = self.tables[resource]?.history, history.count >= self.historyMax * 2 else { return }
        // Dropping half at a time makes the cost of forgetting constant per change.
        let dropped = history.count - self.historyMax
        self.tables[resource]?.historyStart = history[dropped - 1].resourceVersion
        self.tables[resource]?.history = Array(history[dropped...])
    }
}
