import Foundation
import KubernetesAPI
import Logging

/// Deletes what nothing needs any more: dependents of deleted owners, contents of namespaces being deleted, old
/// events; and keeps each namespace's service account and root certificate in place.
struct Housekeeper: Sendable {
    let service: ResourceService
    let logger: Logger

    /// Passes are at least this far apart, so that a burst of writes costs one pass.
    private static let pause: Duration = .milliseconds(20)
    private static let eventAgeMax: Int64 = 3600
    private static let eventsMax = 4000
    private static let eventInterval: Duration = .seconds(60)

    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                let wakeups = self.service.store.wakeups(for: nil)
                await self.pass()
                for await _ in wakeups {
                    await self.pass()
                    try await Task.sleep(for: Self.pause)
                }
            }
            group.addTask {
                while true {
                    await self.expireEvents()
                    try await Task.sleep(for: Self.eventInterval)
                }
            }
            try await group.next()
            group.cancelAll()
        }
    }

    private func pass() async {
        for key in self.orphans() { await self.delete(key, "garbage collection") }
        for namespace in self.service.store.objects(of: ResourceService.namespaces) {
            if namespace.json.metadata["deletionTimestamp"] != nil {
                await self.empty(namespace)
            } else {
                await self.complete(namespace.key.name)
            }
        }
    }

    /// Objects all of whose owners are gone.
    private func orphans() -> Set<StoreKey> {
        self.service.store.read { index in
            var orphans = Set<StoreKey>()
            for uid in index.ownerUIDs where !index.hasObject(withUID: uid) {
                for key in index.dependents(ofUID: uid) {
                    guard let object = index.object(key) else { continue }
                    if object.ownerUIDs.allSatisfy({ !index.hasObject(withUID: $0) }) { orphans.insert(key) }
                }
            }
            return orphans
        }
    }

    private func empty(_ namespace: StoredObject) async {
        let contents = self.service.store.read { $0.objects(inNamespace: namespace.key.name) }
        if contents.isEmpty {
            do {
                try await self.service.store.write { transaction in
                    guard let object = transaction.object(namespace.key) else { return }
                    guard (object.json.metadata["finalizers"]?.array ?? []).isEmpty else { return }
                    transaction.remove(object)
                }
            } catch {
                self.report(namespace.key, "namespace removal", error)
            }
        }
        for object in contents { await self.delete(object.key, "namespace deletion") }
    }

    /// Remakes what a namespace always has, if somebody deleted it.
    private func complete(_ namespace: String) async {
        let missing = self.service.namespaceContents(namespace).filter { self.service.store.object($0.0) == nil }
        guard !missing.isEmpty else { return }
        do {
            try await self.service.store.write { transaction in
                for (key, object) in missing where transaction.object(key) == nil { transaction.put(key, object) }
            }
        } catch {
            self.report(missing[0].0, "namespace contents", error)
        }
    }

    private func expireEvents() async {
        let now = Int64(Date().timeIntervalSince1970)
        let events = self.service.store.objects(of: GroupResource(group: "", resource: "events")).map { event in
            let moment = ["lastTimestamp", "eventTime", "firstTimestamp"].compactMap { event.json[$0]?.string }.first
            let seconds = KubernetesTime.seconds(moment ?? event.json.metadataString("creationTimestamp")) ?? 0
            return (event: event, seconds: seconds)
        }.sorted { $0.seconds > $1.seconds }
        for (index, entry) in events.enumerated()
        where index >= Self.eventsMax || now - entry.seconds > Self.eventAgeMax {
            await self.delete(entry.event.key, "event expiry")
        }
    }

    private func delete(_ key: StoreKey, _ reason: String) async {
        guard let object = self.service.store.object(key) else { return }
        // A kind whose definition is gone has no rules left either: its objects are just removed.
        guard let info = self.service.registry.current.find(key.resource) else {
            do { try await self.service.store.write { _ = $0.remove(object) } } catch {
                self.report(key, reason, error)
            }
            return
        }
        do {
            var options = DeleteOptions()
            options.uid = object.uid
            _ = try await self.service.delete(
                info,
                namespace: key.namespace.isEmpty ? nil : key.namespace,
                name: key.name,
                options: options
            )
        } catch let failure as APIFailure where failure.code == 404 || failure.code == 409 {
            // Somebody was faster.
        } catch {
            self.report(key, reason, error)
        }
    }

    private func report(_ key: StoreKey, _ reason: String, _ error: any Error) {
        self.logger.error(
            "cannot delete object",
            metadata: [
                "object": "\(key.resource)/\(key.namespace)/\(key.name)", "for": "\(reason)", "error": "\(error)",
            ]
        )
    }
}
