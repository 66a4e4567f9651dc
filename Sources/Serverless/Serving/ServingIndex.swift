package import KubernetesAPI
package import MeshModel

/// The objects that there are for each Knative Service: a value that events keep up to date.
///
/// Of each object only what decides about something is kept: with ten thousand services whole Deployments would fill the
/// memory, and events that change nothing of it concern nobody.
package struct ServingIndex: Sendable {
    /// What is followed of each kind. All have the label of their service but the services themselves.
    package enum Kind: Sendable, Hashable, CaseIterable {
        case knativeServices, revisions, podAutoscalers, deployments, services, virtualServices

        package var type: ResourceType {
            switch self {
            case .knativeServices: .knativeServices
            case .revisions: .revisions
            case .podAutoscalers: .podAutoscalers
            case .deployments: .deployments
            case .services: .services
            case .virtualServices: .virtualServices
            }
        }

        package var labelSelector: String? { self == .knativeServices ? nil : ServingLabels.service }
    }

    /// What there is for one service, by kind and name.
    package struct Entry: Sendable, Hashable {
        fileprivate var objects: [Kind: [String: KubernetesObject]] = [:]

        package init() {}

        package func all(_ kind: Kind) -> [String: KubernetesObject] { self.objects[kind] ?? [:] }
        package func object(_ kind: Kind, _ name: String) -> KubernetesObject? { self.objects[kind]?[name] }

        /// Names of the objects of a kind that belong to the owner with this `uid`.
        package func names(_ kind: Kind, ownedBy uid: String) -> Set<String> {
            Set(self.all(kind).filter { $0.value.ownerReferences.contains { $0.uid == uid } }.keys)
        }
    }

    private var entries: [ObjectID: Entry] = [:]
    /// Whose an object is: what is gone, or has other labels now, is taken out there.
    private var homes: [Kind: [ObjectID: ObjectID]] = [:]

    package init() {}

    package func entry(_ service: ObjectID) -> Entry { self.entries[service] ?? Entry() }

    /// All services that exist.
    package var services: [ObjectID] { Array((self.homes[.knativeServices] ?? [:]).keys) }

    /// Takes in a change; gives the services that it concerns.
    package mutating func changed(_ kind: Kind, _ change: ObjectChange) -> Set<ObjectID> {
        var concerned: Set<ObjectID> = []
        switch change {
        case .replacedAll(let objects):
            let ids = Set(objects.map(Self.id))
            for id in (self.homes[kind] ?? [:]).keys where !ids.contains(id) { self.remove(kind, id, &concerned) }
            for object in objects { self.take(kind, object, &concerned) }
        case .added(let object), .modified(let object): self.take(kind, object, &concerned)
        case .deleted(let object): self.remove(kind, Self.id(object), &concerned)
        }
        return concerned
    }

    private mutating func take(_ kind: Kind, _ object: KubernetesObject, _ concerned: inout Set<ObjectID>) {
        let id = Self.id(object)
        let name = kind == .knativeServices ? object.name : object.labels[ServingLabels.service]
        guard let name else { return self.remove(kind, id, &concerned) }
        let home = ObjectID(namespace: id.namespace, name: name)
        if let before = self.homes[kind]?[id], before != home { self.remove(kind, id, &concerned) }
        self.homes[kind, default: [:]][id] = home
        let kept = Self.kept(kind, object)
        guard self.entries[home]?.objects[kind]?[id.name] != kept else { return }
        self.entries[home, default: Entry()].objects[kind, default: [:]][id.name] = kept
        concerned.insert(home)
    }

    private mutating func remove(_ kind: Kind, _ id: ObjectID, _ concerned: inout Set<ObjectID>) {
        guard let home = self.homes[kind]?.removeValue(forKey: id) else { return }
        self.entries[home]?.objects[kind]?[id.name] = nil
        if self.entries[home]?.objects.values.allSatisfy(\.isEmpty) ?? false { self.entries[home] = nil }
        concerned.insert(home)
    }

    private static func id(_ object: KubernetesObject) -> ObjectID {
        ObjectID(namespace: object.namespace ?? "", name: object.name)
    }

    /// The part of an object that something is decided by.
    private static func kept(_ kind: Kind, _ object: KubernetesObject) -> KubernetesObject {
        let paths: [[String]] =
            switch kind {
            case .knativeServices: [["metadata", "generation"], ["spec"], ["status"]]
            case .revisions: [["metadata", "labels"], ["metadata", "annotations"], ["spec"], ["status"]]
            case .podAutoscalers:
                [
                    ["spec", "reachability"], ["spec", "timeoutSeconds"], ["status", "path"],
                    ["status", "desiredScale"],
                    ["status", "conditions"],
                ]
            case .deployments: [["spec", "replicas"], ["status", "readyReplicas"], ["status", "conditions"]]
            case .services: []
            case .virtualServices: [["spec"]]
            }
        let identity = ["namespace", "name", "uid", "deletionTimestamp", "ownerReferences"]
        var kept = KubernetesObject(json: .object([:]))
        for path in identity.map({ ["metadata", $0] }) + paths {
            guard let value = object.json[path: path] else { continue }
            kept.json[path: path] = path.last == "conditions" ? Self.withoutTimes(value) : value
        }
        return kept
    }

    private static func withoutTimes(_ conditions: JSONValue) -> JSONValue {
        .array(
            (conditions.array ?? []).map { condition in
                var condition = condition
                for name in ["lastTransitionTime", "lastUpdateTime"] { condition[name] = nil }
                return condition
            }
        )
    }
}
