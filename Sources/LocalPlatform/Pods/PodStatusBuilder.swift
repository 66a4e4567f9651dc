package import KubernetesAPI

/// Puts a pod's `status` together from what is known of its containers.
package struct PodStatusBuilder {
    package var restartPolicy: String
    package var startTime: Int64
    package var address: String?
    package var initializers: [ContainerRecord]
    package var containers: [ContainerRecord]
    package var isBeingDeleted: Bool
    package var hostAddress: String

    package init(
        restartPolicy: String,
        startTime: Int64,
        address: String?,
        initializers: [ContainerRecord],
        containers: [ContainerRecord],
        isBeingDeleted: Bool,
        hostAddress: String = PlatformNetwork().gateway
    ) {
        self.restartPolicy = restartPolicy
        self.startTime = startTime
        self.address = address
        self.initializers = initializers
        self.containers = containers
        self.isBeingDeleted = isBeingDeleted
        self.hostAddress = hostAddress
    }

    package var isInitialized: Bool { self.initializers.allSatisfy(\.isDoneInitializing) }

    private var sidecars: [ContainerRecord] { self.initializers.filter { $0.role == .sidecar } }

    package var isReady: Bool {
        self.isInitialized && !self.containers.isEmpty
            && (self.containers + self.sidecars).allSatisfy { $0.isRunning && $0.isReady }
    }

    /// Whether the pod will never run anything again.
    package var isFinished: Bool { ["Succeeded", "Failed"].contains(self.phase) }

    package var phase: String {
        if self.initializers.contains(where: self.hasFailedForGood) { return "Failed" }
        let ends = self.containers.compactMap(\.termination)
        if self.isInitialized || !ends.isEmpty, ends.count == self.containers.count, !self.containers.isEmpty {
            if self.restartPolicy == "Never" || (self.restartPolicy == "OnFailure" && ends.allSatisfy { $0.code == 0 })
            {
                return ends.allSatisfy { $0.code == 0 } ? "Succeeded" : "Failed"
            }
        }
        let anyStarted = self.containers.contains { $0.isRunning || $0.termination != nil || $0.restarts > 0 }
        return anyStarted ? "Running" : "Pending"
    }

    private func hasFailedForGood(_ container: ContainerRecord) -> Bool {
        guard self.restartPolicy == "Never", container.role == .initializer, let end = container.termination else {
            return false
        }
        return end.code != 0
    }

    /// The whole status; condition times are taken over from `previous` where nothing changed.
    package func status(previous: JSONValue, now: Int64) -> JSONValue {
        let phase = self.phase
        var conditions: [JSONValue] = []
        func condition(_ type: String, _ holds: Bool, reason: String? = nil, message: String? = nil) {
            var json: JSONValue = ["type": .string(type), "status": holds ? "True" : "False"]
            let before = (previous["conditions"]?.array ?? []).first { $0["type"]?.string == type }
            let isSame = before?["status"] == json["status"]
            json["lastTransitionTime"] =
                (isSame ? before?["lastTransitionTime"] : nil) ?? .string(KubernetesTime.text(seconds: now))
            json["lastProbeTime"] = .null
            if !holds, let reason { json["reason"] = .string(reason) }
            if !holds, let message { json["message"] = .string(message) }
            conditions.append(json)
        }
        let unready = (self.containers + self.sidecars).filter { !($0.isRunning && $0.isReady) }.map(\.name)
        let uninitialized = self.initializers.filter { !$0.isDoneInitializing }.map(\.name)
        let message = "containers with unready status: [\(unready.joined(separator: " "))]"
        let reason = phase == "Succeeded" ? "PodCompleted" : "ContainersNotReady"
        condition("PodReadyToStartContainers", self.address != nil)
        condition(
            "Initialized",
            self.isInitialized,
            reason: "ContainersNotInitialized",
            message: "containers with incomplete status: [\(uninitialized.joined(separator: " "))]"
        )
        condition("Ready", self.isReady && !self.isFinished, reason: reason, message: message)
        condition("ContainersReady", self.isReady && !self.isFinished, reason: reason, message: message)
        condition("PodScheduled", true)

        var status: JSONValue = [
            "phase": .string(phase), "conditions": .array(conditions),
            "hostIP": .string(self.hostAddress), "hostIPs": [["ip": .string(self.hostAddress)]],
            "startTime": .string(KubernetesTime.text(seconds: self.startTime)),
            "containerStatuses": .array(self.containers.map { self.presented($0).json }),
        ]
        if !self.initializers.isEmpty { status["initContainerStatuses"] = .array(self.initializers.map(\.json)) }
        if let address {
            status["podIP"] = .string(address)
            status["podIPs"] = [["ip": .string(address)]]
        }
        return status
    }

    /// Containers that wait for init containers say so.
    private func presented(_ container: ContainerRecord) -> ContainerRecord {
        guard !self.isInitialized, case .waiting("ContainerCreating", nil) = container.state else { return container }
        var copy = container
        if !self.initializers.isEmpty { copy.state = .waiting(reason: "PodInitializing", message: nil) }
        return copy
    }
}
