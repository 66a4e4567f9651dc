package import KubernetesAPI
import Logging
import Synchronization

/// Keeps as many pods as each ReplicaSet asks for.
package final class ReplicaSetController: Reconciler {
    let name = "replicaset"
    let types: Set<ResourceType> = [.replicaSets, .pods]

    private let client: KubernetesClient
    private let mirror: Mirror
    private let events: EventRecorder
    private let logger: Logger
    /// Pods that were told to go, until the watch says so.
    private let leaving = Mutex<Set<String>>([])

    init(client: KubernetesClient, mirror: Mirror, events: EventRecorder, logger: Logger) {
        self.client = client
        self.mirror = mirror
        self.events = events
        self.logger = logger
    }

    /// Pods made in one round for one set; a large set comes up in several rounds.
    private static let burst = 20

    func reconcile() async -> Duration? {
        let pods = self.mirror.objects(.pods)
        let uids = Set(pods.map(\.uid))
        self.leaving.withLock { $0.formIntersection(uids) }
        var owned: [String: [KubernetesObject]] = [:]
        for pod in pods {
            for owner in pod.ownerReferences where owner.isController { owned[owner.uid, default: []].append(pod) }
        }
        var wait: Duration?
        await withTaskGroup(of: Duration?.self) { group in
            for set in self.mirror.objects(.replicaSets) where !set.isBeingDeleted {
                let pods = owned[set.uid] ?? []
                group.addTask { await self.reconcile(set, pods: pods) }
            }
            for await next in group { wait = Self.sooner(wait, next) }
        }
        return wait
    }

    static func sooner(_ one: Duration?, _ other: Duration?) -> Duration? {
        guard let one, let other else { return one ?? other }
        return min(one, other)
    }

    private func reconcile(_ set: KubernetesObject, pods: [KubernetesObject]) async -> Duration? {
        let leaving = self.leaving.withLock { $0 }
        let active = pods.filter { pod in
            !pod.isBeingDeleted && !leaving.contains(pod.uid)
                && !["Succeeded", "Failed"].contains(pod.status["phase"]?.string ?? "")
        }
        let wanted = max(0, set.spec["replicas"]?.int ?? 1)
        var wait: Duration?
        if active.count < wanted {
            for _ in 0..<min(wanted - active.count, Self.burst) where wait == nil {
                if await !self.createPod(of: set) { wait = .seconds(1) }
            }
            if wanted - active.count > Self.burst { wait = wait ?? .milliseconds(50) }
        } else {
            for pod in Self.surplus(active, wanted: wanted) { await self.delete(pod, of: set) }
        }
        let minimum = set.spec["minReadySeconds"]?.int ?? 0
        let counts = Self.counts(active, minReadySeconds: minimum, now: ClockText.nowSeconds())
        await self.writeStatus(set, counts)
        if counts.available < counts.ready { wait = Self.sooner(wait, .seconds(1)) }
        return wait
    }

    /// Which pods go when there are too many: those not ready first, then the youngest.
    package static func surplus(_ pods: [KubernetesObject], wanted: Int) -> [KubernetesObject] {
        guard pods.count > wanted else { return [] }
        let ordered = pods.sorted { left, right in
            let (leftReady, rightReady) = (Self.readySince(left) != nil, Self.readySince(right) != nil)
            if leftReady != rightReady { return !leftReady }
            if left.createdAt != right.createdAt { return left.createdAt > right.createdAt }
            return left.name < right.name
        }
        return Array(ordered.prefix(pods.count - wanted))
    }

    struct Counts: Hashable {
        var replicas = 0
        var ready = 0
        var available = 0
    }

    static func counts(_ pods: [KubernetesObject], minReadySeconds: Int, now: Int64) -> Counts {
        var counts = Counts(replicas: pods.count)
        for pod in pods {
            guard let since = Self.readySince(pod) else { continue }
            counts.ready += 1
            if now - since >= Int64(minReadySeconds) { counts.available += 1 }
        }
        return counts
    }

    static func readySince(_ pod: KubernetesObject) -> Int64? {
        let ready = (pod.status["conditions"]?.array ?? []).first {
            $0["type"]?.string == "Ready" && $0["status"]?.string == "True"
        }
        guard let ready else { return nil }
        return ready["lastTransitionTime"]?.string.flatMap(KubernetesTime.seconds) ?? 0
    }

    private func createPod(of set: KubernetesObject) async -> Bool {
        let template = set.spec["template"] ?? .null
        var pod = KubernetesObject(json: ["apiVersion": "v1", "kind": "Pod"])
        pod.json["metadata"] = template["metadata"] ?? [:]
        pod.json[path: "metadata", "creationTimestamp"] = nil
        pod.namespace = set.namespace
        pod.generateName = "\(set.name)-"
        pod.ownerReferences = [OwnerReference(to: set)]
        pod.json["spec"] = template["spec"]
        do {
            let created = try await self.client.create(.pods, pod)
            self.mirror.wrote(created, of: .pods)
            await self.events.record(
                .normal,
                about: set,
                reason: "SuccessfulCreate",
                message: "Created pod: \(created.name)"
            )
            return true
        } catch {
            let message = (error as? KubernetesError)?.message ?? "\(error)"
            self.logger.debug("pod not created", metadata: ["set": "\(set.key)", "error": "\(message)"])
            await self.events.record(
                .warning,
                about: set,
                reason: "FailedCreate",
                message: "Error creating: \(message)"
            )
            return false
        }
    }

    private func delete(_ pod: KubernetesObject, of set: KubernetesObject) async {
        self.leaving.withLock { _ = $0.insert(pod.uid) }
        do {
            try await self.client.delete(.pods, namespace: pod.namespace, name: pod.name)
            await self.events.record(
                .normal,
                about: set,
                reason: "SuccessfulDelete",
                message: "Deleted pod: \(pod.name)"
            )
        } catch {
            self.leaving.withLock { _ = $0.remove(pod.uid) }
            self.logger.debug("pod not deleted", metadata: ["pod": "\(pod.key)", "error": "\(error)"])
        }
    }

    private func writeStatus(_ set: KubernetesObject, _ counts: Counts) async {
        let status: JSONValue = [
            "replicas": JSONValue(counts.replicas), "fullyLabeledReplicas": JSONValue(counts.replicas),
            "readyReplicas": JSONValue(counts.ready), "availableReplicas": JSONValue(counts.available),
            "observedGeneration": JSONValue(set.generation),
        ]
        let present = set.status
        let isSame = (status.object ?? [:]).allSatisfy { (present[$0.key]?.int ?? 0) == $0.value.int }
        guard !isSame || present["replicas"] == nil else { return }
        do {
            let written = try await self.client.patch(
                .replicaSets,
                namespace: set.namespace,
                name: set.name,
                subresource: "status",
                .merge(["status": status])
            )
            self.mirror.wrote(written, of: .replicaSets)
        } catch {
            self.logger.debug("status not written", metadata: ["set": "\(set.key)", "error": "\(error)"])
        }
    }
}
