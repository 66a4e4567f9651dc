import Foundation
import KubernetesAPI
import NIOCore

/// The body of a delete request.
struct DeleteOptions: Sendable {
    var gracePeriodSeconds: Int?
    var propagationPolicy: String?
    var uid: String?
    var resourceVersion: String?
    var isDryRun = false

    init() {}

    init(_ request: APIRequest) throws {
        let body = request.body.readableBytes > 0 ? try request.document() : .null
        self.gracePeriodSeconds = try body["gracePeriodSeconds"]?.int ?? request.integer("gracePeriodSeconds")
        self.propagationPolicy = body["propagationPolicy"]?.string ?? request.parameter("propagationPolicy")
        if body["orphanDependents"]?.bool == true { self.propagationPolicy = "Orphan" }
        self.uid = body.at("preconditions", "uid")?.string
        self.resourceVersion = body.at("preconditions", "resourceVersion")?.string
        self.isDryRun = request.isDryRun || (body["dryRun"]?.array ?? []).contains("All")
        if let seconds = self.gracePeriodSeconds, seconds < 0 { self.gracePeriodSeconds = 1 }
    }
}

extension ResourceService {
    private enum Deletion: Sendable {
        case marked(JSONValue)
        case removed(JSONValue)
    }

    /// Deletes an object, or marks it when a grace period, finalizers or the contents of a namespace must go first.
    ///
    /// - Returns: The marked object, or a `Status` that says it is gone.
    func delete(
        _ info: ResourceInfo,
        namespace: String?,
        name: String,
        options: DeleteOptions
    ) async throws -> JSONValue {
        let key = self.key(info, namespace, name)
        let group = info.resource
        if options.isDryRun {
            guard let object = self.store.object(key) else { throw APIFailure.notFound(group, name) }
            try Self.checkPreconditions(object, options, group)
            return VersionConversion.present(object.json, as: info)
        }
        if options.propagationPolicy == "Orphan", let object = self.store.object(key) {
            try await self.orphanDependents(of: object.uid)
        }
        let deletion = try await self.store.write { transaction -> Deletion in
            guard let object = transaction.object(key) else { throw APIFailure.notFound(group, name) }
            try Self.checkPreconditions(object, options, group)
            guard let marked = Self.marked(object, options) else {
                if key.resource == Self.definitions { Self.removeCustomObjects(of: object.json, in: &transaction) }
                return .removed(transaction.remove(object).json)
            }
            if marked == object.json { return .marked(object.json) }
            return .marked(transaction.put(key, marked).json)
        }
        if key.resource == Self.definitions { self.reloadDefinitions() }
        switch deletion {
        case .marked(let object): return VersionConversion.present(object, as: info)
        case .removed(let object):
            return [
                "kind": "Status", "apiVersion": "v1", "metadata": .object([:]), "status": "Success",
                "details": [
                    "name": .string(name), "group": .string(info.group), "kind": .string(info.plural),
                    "uid": object.metadata["uid"] ?? .null,
                ],
            ]
        }
    }

    /// Objects of a custom kind go with their definition.
    private static func removeCustomObjects(of definition: JSONValue, in transaction: inout StoreTransaction) {
        let resource = GroupResource(
            group: definition.at("spec", "group")?.string ?? "",
            resource: definition.at("spec", "names", "plural")?.string ?? ""
        )
        for object in transaction.objects(of: resource, namespace: nil) { transaction.remove(object) }
    }

    private static func checkPreconditions(
        _ object: StoredObject,
        _ options: DeleteOptions,
        _ resource: GroupResource
    ) throws {
        if let uid = options.uid, uid != object.uid {
            throw APIFailure.conflict(
                resource,
                object.key.name,
                "Precondition failed: UID in precondition: \(uid), UID in object meta: \(object.uid)"
            )
        }
        if let version = options.resourceVersion, version != String(object.resourceVersion) {
            throw APIFailure.conflict(resource, object.key.name)
        }
    }

    /// The object as it stays while it is being deleted; `nil` if it may go at once.
    private static func marked(_ object: StoredObject, _ options: DeleteOptions) -> JSONValue? {
        var json = object.json
        let isMarked = json.metadata["deletionTimestamp"] != nil
        var grace = 0
        switch object.key.resource {
        case Self.pods:
            grace = options.gracePeriodSeconds ?? json.at("spec", "terminationGracePeriodSeconds")?.int ?? 30
            let phase = json.at("status", "phase")?.string ?? ""
            let hasStarted =
                json.at("spec", "nodeName") != nil || json.at("status", "startTime") != nil
                || json.at("status", "podIP") != nil
            // A pod that nobody runs has nothing to end gracefully.
            if !hasStarted || phase == "Succeeded" || phase == "Failed" { grace = 0 }
            if isMarked, grace > 0 { grace = min(grace, json.metadata["deletionGracePeriodSeconds"]?.int ?? grace) }
            if grace == 0, (json.metadata["finalizers"]?.array ?? []).isEmpty { return nil }
        case Self.namespaces:
            if isMarked { return json }
            json.set("status", ["phase": "Terminating"])
        default:
            if (json.metadata["finalizers"]?.array ?? []).isEmpty { return nil }
            if isMarked { return json }
        }
        if isMarked, json.metadata["deletionGracePeriodSeconds"]?.int == grace { return json }
        let end = Int64(Date().timeIntervalSince1970) + Int64(grace)
        json.mutate("metadata") { metadata in
            metadata.set("deletionTimestamp", .string(KubernetesTime.text(seconds: end)))
            metadata.set("deletionGracePeriodSeconds", JSONValue(grace))
        }
        return json
    }

    private func orphanDependents(of uid: String) async throws {
        let keys = self.store.read { $0.dependents(ofUID: uid) }
        try await self.store.write { transaction in
            for key in keys {
                guard var json = transaction.object(key)?.json else { continue }
                json.mutate("metadata") { metadata in
                    let left = (metadata["ownerReferences"]?.array ?? []).filter { $0["uid"]?.string != uid }
                    metadata.set("ownerReferences", left.isEmpty ? nil : .array(left))
                }
                transaction.put(key, json)
            }
        }
    }
}
