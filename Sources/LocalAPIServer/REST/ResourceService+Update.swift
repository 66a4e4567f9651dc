import Foundation
import KubernetesAPI

/// Part of an object that a write goes to.
enum UpdateTarget: Sendable {
    case object, status
}

extension ResourceService {
    /// Tries before an update that keeps losing races is given up with 409.
    private static let attemptsMax = 16

    private struct LostRace: Error {}

    /// Replaces an object by what `transform` makes of its current state.
    ///
    /// When another write comes in between, `transform` runs again on the newer state; a resourceVersion that the
    /// client named is compared first, so that its conflict is reported instead.
    func update(
        _ info: ResourceInfo,
        namespace: String?,
        name: String,
        target: UpdateTarget = .object,
        options: WriteOptions,
        transform: @Sendable (JSONValue) throws -> JSONValue
    ) async throws -> WriteOutcome {
        let key = self.key(info, namespace, name)
        for _ in 0..<Self.attemptsMax {
            guard let current = self.store.object(key) else { throw APIFailure.notFound(info.resource, name) }
            let before = VersionConversion.present(current.json, as: info)
            var warnings: [String] = []
            var next = try self.prepare(try transform(before), over: before, info: info, target: target)
            if next == before { return WriteOutcome(object: before) }
            next = try self.checkFields(next, info: info, options: options, warnings: &warnings)
            Defaults.apply(to: &next, info: info)
            if target == .object {
                let admitted = try await self.admission.admit(
                    AdmissionWebhooks.Review(
                        info: info,
                        operation: "UPDATE",
                        namespace: namespace,
                        object: next,
                        oldObject: before,
                        options: options
                    )
                )
                warnings += admitted.warnings
                next = admitted.object
                try self.checkRules(next, info: info)
                try Immutability.check(next, over: before, info: info)
                if info.storageResource == Self.definitions { next.set("status", CustomDefinitions.status(of: next)) }
            }
            if info.hasGeneration, Self.desired(next) != Self.desired(before) {
                next = next.settingMetadata("generation", JSONValue((before.metadata["generation"]?.int ?? 0) + 1))
            }
            if next == before { return WriteOutcome(object: before, warnings: warnings) }
            if options.isDryRun { return WriteOutcome(object: next, warnings: warnings) }
            do {
                let stored = try await self.commit(next, over: current, info: info)
                if key.resource == Self.definitions { self.reloadDefinitions() }
                return WriteOutcome(object: VersionConversion.present(stored.json, as: info), warnings: warnings)
            } catch is LostRace {
                continue
            }
        }
        throw APIFailure.conflict(info.resource, name)
    }

    private func commit(_ next: JSONValue, over current: StoredObject, info: ResourceInfo) async throws -> StoredObject
    {
        let final = VersionConversion.stored(next, as: info)
        let range = self.configuration.serviceCIDR
        return try await self.store.write { transaction in
            guard transaction.object(current.key)?.resourceVersion == current.resourceVersion else { throw LostRace() }
            var final = final
            if current.key.resource == Self.services {
                try ServiceAddresses.assign(
                    &final,
                    current: current.json,
                    name: current.key.name,
                    range: range,
                    in: transaction
                )
            }
            if Self.isReleased(final, current.key.resource) {
                return transaction.remove(StoredObject(key: current.key, json: final, resourceVersion: 0))
            }
            return transaction.put(current.key, final)
        }
    }

    /// An object that was being deleted and that nothing holds any more.
    private static func isReleased(_ object: JSONValue, _ resource: GroupResource) -> Bool {
        guard object.metadata["deletionTimestamp"] != nil, (object.metadata["finalizers"]?.array ?? []).isEmpty else {
            return false
        }
        if resource == Self.namespaces { return false }
        return resource != Self.pods || object.metadata["deletionGracePeriodSeconds"]?.int ?? 0 == 0
    }

    /// Everything but metadata and status.
    private static func desired(_ object: JSONValue) -> JSONValue {
        var object = object
        object.set("metadata", nil)
        object.set("status", nil)
        return object
    }

    /// Puts back what a client may not change.
    private func prepare(
        _ given: JSONValue,
        over before: JSONValue,
        info: ResourceInfo,
        target: UpdateTarget
    ) throws -> JSONValue {
        let name = before.metadataString("name")
        let version = given.metadataString("resourceVersion")
        if !version.isEmpty, version != before.metadataString("resourceVersion") {
            throw APIFailure.conflict(info.resource, name)
        }
        let uid = given.metadataString("uid")
        if !uid.isEmpty, uid != before.metadataString("uid") {
            throw APIFailure.conflict(
                info.resource,
                name,
                "Precondition failed: UID in precondition: \(uid), UID in object meta: \(before.metadataString("uid"))"
            )
        }
        let givenName = given.metadataString("name")
        if !givenName.isEmpty, givenName != name {
            throw APIFailure.badRequest(
                "the name of the object (\(givenName)) does not match the name on the URL (\(name))"
            )
        }
        for (field, expected) in [("apiVersion", info.apiVersion), ("kind", info.kind)] {
            if let value = given[field]?.string, !value.isEmpty, value != expected {
                throw APIFailure.badRequest("the object's \(field) is \(value), the address says \(expected)")
            }
        }
        if target == .status {
            var next = before
            next.set("status", given["status"])
            return next
        }
        var next = given
        next.set("apiVersion", .string(info.apiVersion))
        next.set("kind", .string(info.kind))
        next.mutate("metadata") { metadata in
            for field in [
                "name", "namespace", "uid", "creationTimestamp", "generation", "deletionTimestamp",
                "deletionGracePeriodSeconds", "resourceVersion", "generateName",
            ] {
                metadata.set(field, before.metadata[field])
            }
            metadata.set("managedFields", nil)
            metadata.set("selfLink", nil)
            for map in ["labels", "annotations"] where metadata[map]?.object?.isEmpty == true || metadata[map] == .null
            {
                metadata.set(map, nil)
            }
            if metadata["finalizers"]?.array?.isEmpty == true { metadata.set("finalizers", nil) }
        }
        if info.hasStatus { next.set("status", before["status"]) }
        return next
    }

    /// Applies a patch; an apply patch makes the object if it is absent.
    func patch(
        _ info: ResourceInfo,
        namespace: String?,
        name: String,
        target: UpdateTarget,
        request: APIRequest,
        options: WriteOptions
    ) async throws -> WriteOutcome {
        let patch = try request.document()
        let transform: @Sendable (JSONValue) throws -> JSONValue
        switch request.contentType {
        case "application/json-patch+json":
            transform = { current in
                do { return try current.applyingJSONPatch(patch) } catch {
                    throw APIFailure(422, "Invalid", "the patch cannot be applied: \(error)")
                }
            }
        case "application/merge-patch+json": transform = { $0.applyingMergePatch(patch) }
        case "application/strategic-merge-patch+json":
            guard !info.isCustom else {
                throw APIFailure(
                    415,
                    "UnsupportedMediaType",
                    "the body of the request was in an unsupported format - accepted media types include: "
                        + "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
                )
            }
            transform = { try StrategicMerge.apply(patch, to: $0, schema: info.schema) }
        case "application/apply-patch+yaml":
            guard request.parameter("fieldManager")?.isEmpty == false else {
                throw APIFailure.badRequest("fieldManager is required for apply patch")
            }
            if target == .object, self.store.object(self.key(info, namespace, name)) == nil {
                do {
                    return try await self.create(
                        info,
                        namespace: namespace,
                        object: patch.settingMetadata("name", .string(name)),
                        options: options
                    )
                } catch let failure as APIFailure where failure.reason == "AlreadyExists" {
                    // Somebody else made it in between: apply to that one.
                }
            }
            transform = { ApplyMerge.apply(patch, to: $0, schema: info.schema) }
        case let other:
            throw APIFailure(415, "UnsupportedMediaType", "patches of type \(other) are not supported")
        }
        return try await self.update(
            info,
            namespace: namespace,
            name: name,
            target: target,
            options: options,
            transform: transform
        )
    }
}
