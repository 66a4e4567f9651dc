internal import Foundation
package import KubernetesAPI
package import Logging
internal import MeshModel
internal import Synchronization

/// Makes Knative Services run: revisions, their Deployments, Services and PodAutoscalers, and the routes to them.
package final class ServingController: Sendable {
    private struct State {
        /// Objects by kind and name.
        var objects: [String: [ObjectID: KubernetesObject]] = [:]
        var unsynced: Set<String>
    }

    private static let kinds: [ResourceType] = [.knativeServices, .revisions, .podAutoscalers, .deployments]
    private static let workers = 4

    private let client: KubernetesClient
    private let settings: ServicePlan.Settings
    private let logger: Logger
    private let state = Mutex(State(unsynced: Set(ServingController.kinds.map(\.qualifiedName))))
    private let queue = WorkLane<ObjectID>(workers: ServingController.workers)

    package init(client: KubernetesClient, settings: ServicePlan.Settings, logger: Logger) {
        self.client = client
        self.settings = settings
        self.logger = logger
    }

    /// Runs until cancelled.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            for kind in Self.kinds {
                let selector = kind == .deployments ? ServingLabels.revision : nil
                group.addTask {
                    await self.client.reflect(kind, labelSelector: selector) {
                        self.synced(kind)
                    } onChange: {
                        self.changed(kind, $0)
                    }
                }
            }
            group.addTask { await self.queue.run { await self.reconcile($0) } }
            group.addTask { await self.repeatRegularly() }
        }
    }

    // MARK: Objects

    private func synced(_ kind: ResourceType) {
        _ = self.state.withLock { $0.unsynced.remove(kind.qualifiedName) }
        self.enqueueAll()
    }

    /// What failed, or was changed by others, is put right after a while.
    private func repeatRegularly() async {
        while !Task.isCancelled {
            // Cancellation ends the loop.
            try? await Task.sleep(for: .seconds(30))
            self.enqueueAll()
        }
    }

    private func enqueueAll() {
        let services = self.state.withLock { state -> [ObjectID] in
            guard state.unsynced.isEmpty else { return [] }
            return Array((state.objects[ResourceType.knativeServices.qualifiedName] ?? [:]).keys)
        }
        self.queue.add(services)
    }

    private static func id(_ object: KubernetesObject) -> ObjectID {
        ObjectID(namespace: object.namespace ?? "", name: object.name)
    }

    private func changed(_ kind: ResourceType, _ change: ObjectChange) {
        let services = self.state.withLock { state -> [ObjectID] in
            var touched: [KubernetesObject] = []
            switch change {
            case .replacedAll(let objects):
                touched = objects
                state.objects[kind.qualifiedName] = Dictionary(objects.map { (Self.id($0), $0) }) { $1 }
            case .added(let object), .modified(let object):
                touched = [object]
                state.objects[kind.qualifiedName, default: [:]][Self.id(object)] = object
            case .deleted(let object):
                touched = [object]
                state.objects[kind.qualifiedName, default: [:]][Self.id(object)] = nil
            }
            guard state.unsynced.isEmpty else { return [] }
            return touched.compactMap { object in
                let name = kind == .knativeServices ? object.name : object.labels[ServingLabels.service]
                return name.map { ObjectID(namespace: object.namespace ?? "", name: $0) }
            }
        }
        self.queue.add(services)
    }

    // MARK: Work

    private func reconcile(_ id: ObjectID) async {
        do {
            try await self.makeSo(id)
        } catch let error as KubernetesError where error.isConflict || error.isNotFound {
            self.logger.debug("service changed meanwhile", metadata: ["service": "\(id)", "error": "\(error)"])
        } catch {
            self.logger.warning(
                "service not carried out; tried again soon",
                metadata: ["service": "\(id)", "error": "\(error)"]
            )
        }
    }

    private func objects(_ kind: ResourceType, of service: ObjectID) -> [ObjectID: KubernetesObject] {
        self.state.withLock { state in
            (state.objects[kind.qualifiedName] ?? [:]).filter {
                $0.key.namespace == service.namespace && $0.value.labels[ServingLabels.service] == service.name
            }
        }
    }

    private func makeSo(_ id: ObjectID) async throws {
        let found = self.state.withLock { $0.objects[ResourceType.knativeServices.qualifiedName]?[id] }
        // Its objects go with it, as it owns them.
        guard let found, !found.isBeingDeleted else { return }
        let service = KnativeService(found)
        let revisions = self.objects(.revisions, of: id).values.compactMap(Revision.init)
        let autoscalers = self.objects(.podAutoscalers, of: id)
        let deployments = self.objects(.deployments, of: id)
        let proxied = autoscalers.filter { $0.value.json[path: "status", "path"]?.string == "activator" }
        let plan = ServicePlan(
            service,
            revisions: revisions,
            proxied: Set(proxied.keys.map(\.name)),
            settings: self.settings
        )
        if service.problems.isEmpty {
            if let revision = plan.newRevision { try await self.create(.revisions, revision) }
            try await self.create(.services, plan.entry, unless: { try await self.exists(.services, $0) })
        }
        for revision in revisions {
            let objects = RevisionObjects(
                revision,
                isReachable: plan.reachable.contains(revision.id.name),
                isHeldInProxies: self.settings.holdsInProxies
            )
            try await self.carryOut(objects, autoscalers: autoscalers, deployments: deployments)
        }
        if let route = plan.virtualService { try await self.route(route) }
        for revision in plan.obsolete { try await self.delete(revision) }
        try await self.writeStatus(.knativeServices, id, before: service.status, plan.status(now: Self.now))
    }

    private static var now: Int64 { Int64(Date().timeIntervalSince1970) }

    private func carryOut(
        _ objects: RevisionObjects,
        autoscalers: [ObjectID: KubernetesObject],
        deployments: [ObjectID: KubernetesObject]
    ) async throws {
        let revision = objects.revision
        let namespace = revision.id.namespace
        let deployment = deployments[ObjectID(namespace: namespace, name: objects.deploymentName)]
        if deployment == nil {
            let parsed = ScalingAnnotations.parse(
                revision.annotations,
                containerConcurrency: revision.containerConcurrency
            ).annotations
            let count = max(parsed.settings.initialScale, parsed.settings.minScale)
            try await self.create(.deployments, objects.deployment(initialScale: count))
            try await self.create(.services, objects.service)
        }
        let autoscaler = autoscalers[revision.id]
        let wanted = objects.podAutoscaler
        if let autoscaler {
            if autoscaler.json["spec"]?["reachability"] != wanted.json["spec"]?["reachability"] {
                _ = try await self.client.patch(
                    .podAutoscalers,
                    namespace: namespace,
                    name: revision.id.name,
                    .merge(["spec": ["reachability": wanted.json[path: "spec", "reachability"] ?? .null]])
                )
            }
        } else {
            try await self.create(.podAutoscalers, wanted)
        }
        let status = objects.status(deployment: deployment?.json, podAutoscaler: autoscaler?.json, now: Self.now)
        try await self.writeStatus(.revisions, revision.id, before: revision.status, status)
    }

    private func route(_ wanted: KubernetesObject) async throws {
        do {
            let found = try await self.client.get(.virtualServices, namespace: wanted.namespace, name: wanted.name)
            guard found.json["spec"] != wanted.json["spec"] else { return }
            _ = try await self.client.patch(
                .virtualServices,
                namespace: wanted.namespace,
                name: wanted.name,
                .merge(["spec": wanted.json["spec"] ?? .null])
            )
        } catch let error as KubernetesError where error.isNotFound {
            try await self.create(.virtualServices, wanted)
        }
    }

    /// What a revision owns goes with it.
    private func delete(_ revision: Revision) async throws {
        do {
            try await self.client.delete(.revisions, namespace: revision.id.namespace, name: revision.id.name)
            self.logger.info("old revision deleted", metadata: ["revision": "\(revision.id)"])
        } catch let error as KubernetesError where error.isNotFound {
            self.logger.debug("old revision has gone", metadata: ["revision": "\(revision.id)"])
        }
    }

    private func exists(_ type: ResourceType, _ object: KubernetesObject) async throws -> Bool {
        do {
            _ = try await self.client.get(type, namespace: object.namespace, name: object.name)
            return true
        } catch let error as KubernetesError where error.isNotFound {
            return false
        }
    }

    /// Creates an object; one that is there already is left as it is.
    private func create(
        _ type: ResourceType,
        _ object: KubernetesObject,
        unless: (KubernetesObject) async throws -> Bool = { _ in false }
    ) async throws {
        guard try await !unless(object) else { return }
        do {
            _ = try await self.client.create(type, object, fieldManager: "lateen-serving")
            self.logger.info(
                "made for a Knative service",
                metadata: ["kind": "\(type.kind)", "object": "\(Self.id(object))"]
            )
        } catch let error as KubernetesError where error.isAlreadyExists {
            self.logger.debug("is there already", metadata: ["kind": "\(type.kind)", "object": "\(Self.id(object))"])
        }
    }

    private func writeStatus(
        _ type: ResourceType,
        _ id: ObjectID,
        before: JSONValue,
        _ status: JSONValue
    ) async throws {
        guard status != before else { return }
        _ = try await self.client.patch(
            type,
            namespace: id.namespace,
            name: id.name,
            subresource: "status",
            .merge(["status": status])
        )
    }
}
