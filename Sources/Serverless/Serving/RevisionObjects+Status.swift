package import KubernetesAPI
internal import MeshModel

extension RevisionObjects {
    private static let late = "ProgressDeadlineExceeded"

    /// The revision's status, by those of its Deployment and its PodAutoscaler.
    ///
    /// `refusal`: what the API server said to an object that the revision needs.
    package func status(
        deployment: JSONValue?,
        podAutoscaler: JSONValue?,
        refusal: String? = nil,
        now: Int64
    ) -> JSONValue {
        let before = self.revision.status["conditions"]?.array ?? []
        let ready = deployment?[path: "status", "readyReplicas"]?.int ?? 0
        let wanted = deployment?[path: "spec", "replicas"]?.int ?? 0
        let active = Self.condition("Active", of: podAutoscaler)
        let healthy = self.healthy(deployment, active, ready: ready)
        let resources = self.resources(healthy, refusal)
        // Traffic that has moved here stays, whatever is refused later.
        var whole = healthy.status != .yes && resources.status == .no ? resources : healthy
        whole.type = "Ready"
        let isIdle = active?["status"]?.string == "False"
        let activeCondition = StatusCondition(
            "Active",
            isIdle ? .no : ready > 0 ? .yes : .unknown,
            reason: active?["reason"]?.string,
            message: active?["message"]?.string
        )
        let conditions = [activeCondition, healthy, whole, resources].map { $0.json(before: before, now: now) }
        return [
            "actualReplicas": JSONValue(ready),
            "desiredReplicas": podAutoscaler?[path: "status", "desiredScale"] ?? JSONValue(wanted),
            "conditions": .array(conditions),
        ]
    }

    /// Whether its pods have been well once; that stands while some are, and while there are none because nobody calls.
    private func healthy(_ deployment: JSONValue?, _ active: JSONValue?, ready: Int) -> StatusCondition {
        let type = "ContainerHealthy"
        let before = self.revision.status["conditions"]?.array?.first { $0["type"]?.string == type }
        let isGivenUp = active?["reason"]?.string == PodAutoscaler.timedOut
        if before?["status"]?.string == "True", ready > 0 || !isGivenUp { return StatusCondition(type, .yes) }
        // All of the first pods: with fewer, the traffic that others have in many pods would run them over.
        if deployment != nil, ready >= self.firstScale { return StatusCondition(type, .yes) }
        let progress = Self.condition("Progressing", of: deployment)
        let isStuck = progress?["status"]?.string == "False"
        // It is tried again for requests, and has failed until pods are there.
        let hasFailed = before?["reason"]?.string == Self.late
        guard isGivenUp || isStuck || hasFailed else { return StatusCondition(type, .unknown, reason: "Deploying") }
        var message = "No pod became ready in time; look at the pods of the Deployment \(self.deploymentName)."
        if ready > 0 {
            message =
                "\(ready) of \(self.firstScale) pods became ready in time; look at the Deployment \(self.deploymentName)."
        }
        return StatusCondition(type, .no, reason: Self.late, message: message)
    }

    private func resources(_ healthy: StatusCondition, _ refusal: String?) -> StatusCondition {
        let type = "ResourcesAvailable"
        if let refusal { return StatusCondition(type, .no, reason: "Refused", message: refusal) }
        switch healthy.status {
        case .yes: return StatusCondition(type, .yes)
        case .no: return StatusCondition(type, .no, reason: healthy.reason, message: healthy.message)
        case .unknown: return StatusCondition(type, .unknown, reason: healthy.reason)
        }
    }

    private static func condition(_ type: String, of object: JSONValue?) -> JSONValue? {
        object?[path: "status", "conditions"]?.array?.first { $0["type"]?.string == type }
    }
}
