internal import Foundation
package import KubernetesAPI
package import Logging
internal import MeshModel
internal import Synchronization

/// Makes Knative Services run: revisions, their Deployments, Services and PodAutoscalers, and the routes to them.
package final class ServingController: Sendable {
    private struct State {
        var index = ServingIndex()
        var defaults = AutoscalerDefaults()
        var unlisted = Set(ServingIndex.Kind.allCases)
        var areDefaultsListed = false
        /// Services of which not all could be carried out.
        var incomplete: Set<ObjectID> = []

        var isListed: Bool { self.unlisted.isEmpty && self.areDefaultsListed }
    }

    private static let workers = 4

    private let client: KubernetesClient
    private let namespace: String
    private let settings: ServicePlan.Settings
    private let logger: Logger
    private let state = Mutex(State())
    private let queue = WorkLane<ObjectID>(workers: ServingController.workers)

    /// `namespace`: where the ConfigMap `config-autoscaler` is.
    package init(client: KubernetesClient, namespace: String, settings: ServicePlan.Settings, logger: Logger) {
        self.client = client
        self.namespace = namespace
        self.settings = settings
        self.logger = logger
    }

    /// Runs until cancelled.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            for kind in ServingIndex.Kind.allCases {
                group.addTask {
                    await self.client.reflect(kind.type, labelSelector: kind.labelSelector) {
                        self.listed { _ = $0.unlisted.remove(kind) }
                    } onChange: {
                        self.changed(kind, $0)
                    }
                }
            }
            group.addTask {
                let name = "metadata.name=\(AutoscalerDefaults.configMapName)"
                await self.client.reflect(.configMaps, namespace: self.namespace, fieldSelector: name) {
                    self.listed { $0.areDefaultsListed = true }
                } onChange: {
                    self.defaultsChanged($0)
                }
            }
            group.addTask { await self.queue.run { await self.reconcile($0) } }
            group.addTask { await self.repeatRegularly() }
        }
    }

    // MARK: Objects

    private func listed(_ note: (inout State) -> Void) {
        let services = self.state.withLock { state -> [ObjectID] in
            note(&state)
            return state.isListed ? state.index.services : []
        }
        self.queue.add(services)
    }

    private func changed(_ kind: ServingIndex.Kind, _ change: ObjectChange) {
        let services = self.state.withLock { state -> Set<ObjectID> in
            let concerned = state.index.changed(kind, change)
            return state.isListed ? concerned : []
        }
        self.queue.add(services)
    }

    private func defaultsChanged(_ change: ObjectChange) {
        // The autoscaler tells what is wrong with them.
        let defaults = AutoscalerDefaults.parse(change).defaults
        let services = self.state.withLock { state -> [ObjectID] in
            guard state.defaults != defaults else { return [] }
            state.defaults = defaults
            return state.isListed ? state.index.services : []
        }
        self.queue.add(services)
    }

    /// What failed is tried again after a while.
    private func repeatRegularly() async {
        while !Task.isCancelled {
            // Cancellation ends the loop.
            try? await Task.sleep(for: .seconds(30))
            let services = self.state.withLock { state -> Set<ObjectID> in
                defer { state.incomplete = [] }
                return state.incomplete
            }
            self.queue.add(services)
        }
    }

    // MARK: Work

    private func reconcile(_ id: ObjectID) async {
        let (entry, defaults) = self.state.withLock { ($0.index.entry(id), $0.defaults) }
        var reconciliation = ServiceReconciliation(
            entry,
            settings: self.settings,
            defaults: defaults,
            api: ServingWriter(client: self.client, logger: self.logger),
            now: Int64(Date().timeIntervalSince1970)
        )
        var hasFailed = false
        do {
            try await reconciliation.run(id)
        } catch {
            hasFailed = true
            self.logger.warning(
                "service not carried out; tried again soon",
                metadata: ["service": "\(id)", "error": "\(error)"]
            )
        }
        for refusal in reconciliation.refusals {
            self.logger.log(
                level: refusal.isConflict || refusal.isNotFound ? .debug : .warning,
                "refused for a service; tried again soon",
                metadata: ["service": "\(id)", "error": "\(refusal)"]
            )
        }
        if hasFailed || reconciliation.isIncomplete { self.state.withLock { _ = $0.incomplete.insert(id) } }
    }
}

/// The API server, as it is.
private struct ServingWriter: ServingAPI {
    let client: KubernetesClient
    let logger: Logger

    func get(_ type: ResourceType, _ id: ObjectID) async throws -> KubernetesObject {
        try await self.client.get(type, namespace: id.namespace, name: id.name)
    }

    func create(_ type: ResourceType, _ object: KubernetesObject) async throws {
        _ = try await self.client.create(type, object, fieldManager: "lateen-serving")
        self.logger.info(
            "made for a Knative service",
            metadata: ["kind": "\(type.kind)", "object": "\(object.namespace ?? "")/\(object.name)"]
        )
    }

    func patch(_ type: ResourceType, _ id: ObjectID, subresource: String?, _ change: JSONValue) async throws {
        _ = try await self.client.patch(
            type,
            namespace: id.namespace,
            name: id.name,
            subresource: subresource,
            .merge(change)
        )
    }

    func delete(_ type: ResourceType, _ id: ObjectID) async throws {
        try await self.client.delete(type, namespace: id.namespace, name: id.name)
        self.logger.info("deleted for a Knative service", metadata: ["kind": "\(type.kind)", "object": "\(id)"])
    }
}
