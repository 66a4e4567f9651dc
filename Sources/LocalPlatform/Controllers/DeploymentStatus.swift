package import KubernetesAPI

/// The status of a deployment, in the form that `kubectl rollout status` and `kubectl wait` read.
package struct DeploymentStatus {
    package var replicas: Int
    package var unavailableMax: Int
    package var deadline: Int
    package var generation: Int
    /// The replica set of the present template; `nil` while a paused deployment has none.
    package var new: KubernetesObject?
    package var old: [KubernetesObject]

    package init(
        replicas: Int,
        unavailableMax: Int,
        deadline: Int,
        generation: Int,
        new: KubernetesObject?,
        old: [KubernetesObject]
    ) {
        self.replicas = replicas
        self.unavailableMax = unavailableMax
        self.deadline = deadline
        self.generation = generation
        self.new = new
        self.old = old
    }

    /// The whole status; times of conditions are taken over from `previous` where nothing changed.
    package func json(previous: JSONValue, now: Int64) -> JSONValue {
        let sets = self.old + [self.new].compactMap { $0 }
        func total(_ field: String) -> Int { sets.reduce(0) { $0 + ($1.status[field]?.int ?? 0) } }
        let present = total("replicas")
        let available = total("availableReplicas")
        let updated = self.new?.status["replicas"]?.int ?? 0
        let newAvailable = self.new?.status["availableReplicas"]?.int ?? 0
        // Members that are zero are absent, as the API's own controller writes them; `null` removes them in a merge.
        func count(_ value: Int) -> JSONValue? { value == 0 ? nil : JSONValue(value) }
        var status: JSONValue = ["observedGeneration": JSONValue(self.generation)]
        status["replicas"] = count(present)
        status["updatedReplicas"] = count(updated)
        status["readyReplicas"] = count(total("readyReplicas"))
        status["availableReplicas"] = count(available)
        status["unavailableReplicas"] = count(max(0, self.replicas - available))

        let isAvailable = available >= self.replicas - self.unavailableMax
        let isComplete = updated == self.replicas && present == updated && newAvailable == updated
        let before = previous["conditions"]?.array ?? []
        var conditions = [
            Self.condition(
                "Available",
                isAvailable ? "True" : "False",
                isAvailable ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
                isAvailable
                    ? "Deployment has minimum availability." : "Deployment does not have minimum availability.",
                before,
                now,
                progress: false
            )
        ]
        if let new {
            conditions.append(self.progressing(new, isComplete, status, previous, now))
        }
        status["conditions"] = .array(conditions)
        for field in ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas"]
        where status[field] == nil && previous[field] != nil {
            status[field] = .null
        }
        return status
    }

    private func progressing(
        _ new: KubernetesObject,
        _ isComplete: Bool,
        _ status: JSONValue,
        _ previous: JSONValue,
        _ now: Int64
    ) -> JSONValue {
        let before = previous["conditions"]?.array ?? []
        if isComplete {
            return Self.condition(
                "Progressing",
                "True",
                "NewReplicaSetAvailable",
                "ReplicaSet \"\(new.name)\" has successfully progressed.",
                before,
                now,
                progress: false
            )
        }
        let fields = ["updatedReplicas", "readyReplicas", "availableReplicas", "replicas", "observedGeneration"]
        let hasMoved = fields.contains { (status[$0]?.int ?? 0) != (previous[$0]?.int ?? 0) }
        let last = before.first { $0["type"]?.string == "Progressing" }
        let since = last?["lastUpdateTime"]?.string.flatMap(KubernetesTime.seconds)
        let wasComplete = last?["reason"]?.string == "NewReplicaSetAvailable"
        if !hasMoved, !wasComplete, let since, now - since > Int64(self.deadline) {
            return Self.condition(
                "Progressing",
                "False",
                "ProgressDeadlineExceeded",
                "ReplicaSet \"\(new.name)\" has timed out progressing.",
                before,
                now,
                progress: false
            )
        }
        return Self.condition(
            "Progressing",
            "True",
            "ReplicaSetUpdated",
            "ReplicaSet \"\(new.name)\" is progressing.",
            before,
            now,
            progress: hasMoved
        )
    }

    private static func condition(
        _ type: String,
        _ value: String,
        _ reason: String,
        _ message: String,
        _ before: [JSONValue],
        _ now: Int64,
        progress: Bool
    ) -> JSONValue {
        let text = JSONValue.string(KubernetesTime.text(seconds: now))
        let last = before.first { $0["type"]?.string == type }
        let isSame =
            last?["status"]?.string == value && last?["reason"]?.string == reason
            && last?["message"]?.string == message
        return [
            "type": .string(type), "status": .string(value), "reason": .string(reason), "message": .string(message),
            "lastUpdateTime": (isSame && !progress ? last?["lastUpdateTime"] : nil) ?? text,
            "lastTransitionTime": (last?["status"]?.string == value ? last?["lastTransitionTime"] : nil) ?? text,
        ]
    }
}
