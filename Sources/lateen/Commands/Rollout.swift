import KubernetesAPI
import LocalPlatform

/// Applies manifests and waits for the pods that come of them.
struct Rollout {
    let client: KubernetesClient
    let progress: Progress
    let limit: Duration

    func apply(_ manifests: Manifests) async throws {
        var created = 0
        var configured = 0
        for entry in manifests.entries {
            switch try await self.applyPatiently(entry) {
            case .created: created += 1
            case .configured: configured += 1
            case .unchanged: ()
            }
        }
        guard created + configured > 0 else { return }
        self.progress.tell("\(created) objects created, \(configured) changed")
    }

    /// Definitions of types need a moment until objects of these types are taken, webhooks until they are served.
    private func applyPatiently(_ entry: Manifests.Entry) async throws -> Manifests.Outcome {
        let deadline = ContinuousClock.now + .seconds(10)
        while true {
            do {
                return try await Manifests.apply(entry, client: self.client)
            } catch let error as PlatformError {
                let isPassing =
                    error.message.contains("could not find the requested resource")
                    || error.message.contains("failed calling webhook")
                guard isPassing, ContinuousClock.now < deadline else { throw error }
                try await Task.sleep(for: .milliseconds(200))
            }
        }
    }

    /// Bookinfo's manifests say nothing of the mesh: the label makes the webhook add the sidecars.
    func injectDefaultNamespace() async throws {
        let namespace = try await self.client.get(.namespaces, name: "default")
        guard namespace.labels["istio-injection"] == nil else { return }
        _ = try await self.client.patch(
            .namespaces,
            name: "default",
            .merge(["metadata": ["labels": ["istio-injection": "enabled"]]])
        )
    }

    /// Tells the control plane which network its cluster is on, unless somebody has said so already.
    func label(_ network: PlatformNetwork) async throws {
        let root = try await self.client.get(.namespaces, name: "istio-system")
        guard root.labels["topology.istio.io/network"] == nil else { return }
        _ = try await self.client.patch(
            .namespaces,
            name: "istio-system",
            .merge(["metadata": ["labels": ["topology.istio.io/network": .string(network.cluster)]]])
        )
    }

    /// Waits for all deployments among the manifests, and says which became ready.
    func wait(for manifests: Manifests) async throws {
        var waiting = manifests.entries.map(\.object).filter { $0.kind == "Deployment" }
        let deadline = ContinuousClock.now + self.limit
        while !waiting.isEmpty {
            var still: [KubernetesObject] = []
            for object in waiting {
                let present = try await self.client.get(.deployments, namespace: object.namespace, name: object.name)
                // A deployment hears of its pods a moment later than we can.
                let pods = try await self.pods(of: [object])
                if Self.isComplete(present), pods.allSatisfy(\.isReady) {
                    self.progress.tell("\(object.key) ready")
                } else {
                    still.append(object)
                }
            }
            waiting = still
            if waiting.isEmpty { return }
            if let fault = try await self.hopeless(waiting) { throw PlatformError(fault) }
            if ContinuousClock.now > deadline {
                let names = waiting.map { "\($0.key)" }.joined(separator: ", ")
                throw PlatformError(
                    "not ready after \(self.limit.components.seconds) s: \(names)\(try await self.explain(waiting)); "
                        + "see `kubectl get pods -A` and `kubectl describe pod`"
                )
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    static func isComplete(_ object: KubernetesObject) -> Bool {
        guard let deployment: Deployment = try? object.decode() else { return false }
        let wanted = deployment.spec.replicas ?? 1
        let status = deployment.status
        return status.observedGeneration >= object.generation && status.updatedReplicas == wanted
            && status.availableReplicas == wanted && status.replicas == wanted
    }

    /// A reason for which waiting longer is of no use: an image that nobody knows.
    private func hopeless(_ waiting: [KubernetesObject]) async throws -> String? {
        for pod in try await self.pods(of: waiting) {
            for status in pod.statuses {
                if let state = status.state?.waiting, ["ErrImagePull", "ImagePullBackOff"].contains(state.reason ?? "")
                {
                    return "pod \(pod.name), container \(status.name): \(state.message ?? "")"
                }
            }
        }
        return nil
    }

    private func explain(_ waiting: [KubernetesObject]) async throws -> String {
        let reasons = try await self.pods(of: waiting).flatMap { pod in
            pod.statuses.compactMap { status -> String? in
                if status.ready { return nil }
                let state = status.state?.waiting?.reason ?? (status.state?.running == nil ? "ended" : "not ready")
                return "\(pod.name)/\(status.name) \(state)"
            }
        }
        return reasons.isEmpty ? "" : " (\(reasons.joined(separator: ", ")))"
    }

    private func pods(
        of deployments: [KubernetesObject]
    ) async throws -> [(name: String, isReady: Bool, statuses: [ContainerStatus])] {
        let all = try await self.client.list(.pods).items
        return all.compactMap { object in
            let isMeant = deployments.contains { deployment in
                let labels = deployment.spec[path: "selector", "matchLabels"]?.stringMap ?? [:]
                return deployment.namespace == object.namespace && !labels.isEmpty
                    && labels.allSatisfy { object.labels[$0.key] == $0.value }
            }
            guard isMeant, let pod: Pod = try? object.decode() else { return nil }
            let isReady = pod.status.isReady || object.isBeingDeleted
            return (object.name, isReady, pod.status.initContainerStatuses + pod.status.containerStatuses)
        }
    }
}
