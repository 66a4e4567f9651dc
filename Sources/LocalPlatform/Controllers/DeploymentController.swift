import KubernetesAPI
import Logging

/// Turns Deployments into ReplicaSets, and changes of their template into rollouts.
final class DeploymentController: Reconciler {
    let name = "deployment"
    let types: Set<ResourceType> = [.deployments, .replicaSets]

    static let revisionAnnotation = "deployment.kubernetes.io/revision"

    private let client: KubernetesClient
    private let mirror: Mirror
    private let events: EventRecorder
    private let logger: Logger

    init(client: KubernetesClient, mirror: Mirror, events: EventRecorder, logger: Logger) {
        self.client = client
        self.mirror = mirror
        self.events = events
        self.logger = logger
    }

    func reconcile() async -> Duration? {
        var owned: [String: [KubernetesObject]] = [:]
        for set in self.mirror.objects(.replicaSets) where !set.isBeingDeleted {
            for owner in set.ownerReferences where owner.isController { owned[owner.uid, default: []].append(set) }
        }
        var wait: Duration?
        for object in self.mirror.objects(.deployments) where !object.isBeingDeleted {
            do {
                let next = try await self.reconcile(object, sets: owned[object.uid] ?? [])
                wait = ReplicaSetController.sooner(wait, next)
            } catch let error as KubernetesError where error.isConflict || error.isNotFound {
                wait = ReplicaSetController.sooner(wait, .milliseconds(100))
            } catch {
                self.logger.warning(
                    "deployment not reconciled",
                    metadata: ["deployment": "\(object.key)", "error": "\(error)"]
                )
                wait = ReplicaSetController.sooner(wait, .seconds(1))
            }
        }
        return wait
    }

    private func reconcile(_ object: KubernetesObject, sets: [KubernetesObject]) async throws -> Duration? {
        let deployment: Deployment = try object.decode()
        let template = TemplateHash.plain(object.spec["template"] ?? .null)
        let ordered = sets.sorted { Self.revision($0) < Self.revision($1) }
        let matching = ordered.last { TemplateHash.plain($0.spec["template"] ?? .null) == template }
        let old = ordered.filter { $0.uid != matching?.uid }
        let revision = max(old.map(Self.revision).max().map { $0 + 1 } ?? 1, matching.map(Self.revision) ?? 1)
        var new: KubernetesObject
        if let matching {
            new = try await self.setRevision(matching, revision)
        } else {
            if deployment.spec.paused {
                try await self.writeStatus(object, deployment, new: nil, old: old, revision: nil)
                return nil
            }
            new = try await self.create(object, deployment, template, revision, old: ordered)
        }
        if object.annotations[Self.revisionAnnotation] != String(revision) {
            let patch: JSONValue = ["metadata": ["annotations": [Self.revisionAnnotation: .string(String(revision))]]]
            let written = try await self.client.patch(
                .deployments,
                namespace: object.namespace,
                name: object.name,
                .merge(patch)
            )
            self.mirror.wrote(written, of: .deployments)
        }
        let plan = RolloutPlan(deployment.spec)
        let sizes =
            deployment.spec.paused && !old.allSatisfy { $0.spec["replicas"]?.int == 0 }
            ? [:] : plan.step(new: Self.planned(new), old: old.map(Self.planned))
        for set in [new] + old {
            guard let size = sizes[set.name] else { continue }
            let written = try await self.scale(set, to: size, of: object)
            if set.uid == new.uid { new = written }
        }
        try await self.writeStatus(object, deployment, new: new, old: old, revision: revision)
        await self.dropHistory(old, limit: deployment.spec.revisionHistoryLimit ?? 10)
        // A rollout that stands still wakes nobody, but its deadline passes.
        let isComplete = new.status["availableReplicas"]?.int ?? 0 == plan.replicas
        return isComplete ? nil : .seconds(10)
    }

    static func revision(_ set: KubernetesObject) -> Int { Int(set.annotations[Self.revisionAnnotation] ?? "") ?? 0 }

    private static func planned(_ set: KubernetesObject) -> RolloutPlan.Set {
        RolloutPlan.Set(
            name: set.name,
            wanted: set.spec["replicas"]?.int ?? 1,
            present: set.status["replicas"]?.int ?? 0,
            available: set.status["availableReplicas"]?.int ?? 0
        )
    }

    private func create(
        _ object: KubernetesObject,
        _ deployment: Deployment,
        _ template: JSONValue,
        _ revision: Int,
        old: [KubernetesObject]
    ) async throws -> KubernetesObject {
        let hash = TemplateHash.hash(template, collisions: object.status["collisionCount"]?.int ?? 0)
        var set = KubernetesObject(.replicaSets, namespace: object.namespace, name: "\(object.name)-\(hash)")
        var labels = deployment.spec.template.metadata.labels
        labels[TemplateHash.label] = hash
        set.labels = labels
        set.annotations = [Self.revisionAnnotation: String(revision)]
        set.ownerReferences = [OwnerReference(to: object)]
        var marked = template
        marked[path: "metadata", "labels", TemplateHash.label] = .string(hash)
        var selector = object.spec["selector"] ?? [:]
        selector[path: "matchLabels", TemplateHash.label] = .string(hash)
        let plan = RolloutPlan(deployment.spec)
        let first =
            plan.step(
                new: RolloutPlan.Set(name: set.name, wanted: 0, present: 0, available: 0),
                old: old.map(Self.planned)
            )[set.name] ?? 0
        set.spec = [
            "replicas": JSONValue(first), "selector": selector, "template": marked,
            "minReadySeconds": JSONValue(deployment.spec.minReadySeconds),
        ]
        let created = try await self.client.create(.replicaSets, set)
        self.mirror.wrote(created, of: .replicaSets)
        await self.events.record(
            .normal,
            about: object,
            reason: "ScalingReplicaSet",
            message: "Scaled up replica set \(set.name) from 0 to \(first)"
        )
        return created
    }

    private func setRevision(_ set: KubernetesObject, _ revision: Int) async throws -> KubernetesObject {
        guard Self.revision(set) != revision else { return set }
        let written = try await self.client.patch(
            .replicaSets,
            namespace: set.namespace,
            name: set.name,
            .merge(["metadata": ["annotations": [Self.revisionAnnotation: .string(String(revision))]]])
        )
        self.mirror.wrote(written, of: .replicaSets)
        return written
    }

    private func scale(
        _ set: KubernetesObject,
        to size: Int,
        of object: KubernetesObject
    ) async throws
        -> KubernetesObject
    {
        let before = set.spec["replicas"]?.int ?? 1
        let written = try await self.client.patch(
            .replicaSets,
            namespace: set.namespace,
            name: set.name,
            .merge(["spec": ["replicas": JSONValue(size)]])
        )
        self.mirror.wrote(written, of: .replicaSets)
        await self.events.record(
            .normal,
            about: object,
            reason: "ScalingReplicaSet",
            message: "Scaled \(size > before ? "up" : "down") replica set \(set.name) from \(before) to \(size)"
        )
        return written
    }

    private func dropHistory(_ old: [KubernetesObject], limit: Int) async {
        let idle = old.filter { $0.spec["replicas"]?.int == 0 && ($0.status["replicas"]?.int ?? 0) == 0 }
        for set in idle.prefix(max(0, idle.count - limit)) {
            try? await self.client.delete(.replicaSets, namespace: set.namespace, name: set.name)
        }
    }

    private func writeStatus(
        _ object: KubernetesObject,
        _ deployment: Deployment,
        new: KubernetesObject?,
        old: [KubernetesObject],
        revision: Int?
    ) async throws {
        let status = DeploymentStatus(
            replicas: deployment.spec.replicas ?? 1,
            unavailableMax: RolloutPlan(deployment.spec).unavailable,
            deadline: deployment.spec.progressDeadlineSeconds ?? 600,
            generation: object.generation,
            new: new,
            old: old
        ).json(previous: object.status, now: ClockText.nowSeconds())
        guard status != object.status else { return }
        let written = try await self.client.patch(
            .deployments,
            namespace: object.namespace,
            name: object.name,
            subresource: "status",
            .merge(["status": status])
        )
        self.mirror.wrote(written, of: .deployments)
    }
}
