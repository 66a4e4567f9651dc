package import KubernetesAPI
package import MeshModel

/// A `PodAutoscaler` object: which Deployment is scaled, and how.
package struct PodAutoscaler: Sendable, Hashable {
    package var id: ObjectID
    package var deployment: ObjectID
    package var annotations: [String: String]
    package var containerConcurrency: Int
    /// How long a request may take, its wait included.
    package var timeLimit: Duration
    /// Its pods speak HTTP/2 without TLS (Knative's `protocolType: h2c`).
    package var speaksHTTP2: Bool
    /// `false` only if a route is known not to lead here.
    package var isReachable: Bool
    package var generation: Int
    /// The status as it is.
    package var status: JSONValue

    /// A day; what takes longer has hung.
    private static let secondsMax = 86_400

    /// `nil` if it does not say what to scale, or wants something else scaled than a Deployment.
    package init?(_ object: KubernetesObject) {
        let target = object.json[path: "spec", "scaleTargetRef"]
        guard let namespace = object.namespace, let name = target?["name"]?.string, !name.isEmpty,
            target?["kind"]?.string == "Deployment"
        else { return nil }
        self.id = ObjectID(namespace: namespace, name: object.name)
        self.deployment = ObjectID(namespace: namespace, name: name)
        self.annotations = object.annotations
        self.containerConcurrency = object.json[path: "spec", "containerConcurrency"]?.int ?? 0
        let seconds = object.json[path: "spec", "timeoutSeconds"]?.int ?? 0
        self.timeLimit = .seconds(seconds > 0 ? min(seconds, Self.secondsMax) : Revision.defaultTimeout)
        self.speaksHTTP2 = object.json[path: "spec", "protocolType"]?.string == "h2c"
        self.isReachable = object.json[path: "spec", "reachability"]?.string != "Unreachable"
        self.generation = object.generation
        self.status = object.json["status"] ?? .object([:])
    }

    /// The reason of an `Active` that is false because no pod came up.
    package static let timedOut = "TimedOut"

    private var conditions: [JSONValue] { self.status["conditions"]?.array ?? [] }

    /// Whether this object asks for the same as another one; their statuses may differ.
    package func asksTheSame(as other: PodAutoscaler) -> Bool {
        self.deployment == other.deployment && self.annotations == other.annotations
            && self.containerConcurrency == other.containerConcurrency && self.isReachable == other.isReachable
    }

    /// What the status says already; `nil` if it was never written.
    package var reported: Autoscaler.Status? {
        guard let active = self.conditions.first(where: { $0["type"]?.string == "Active" }),
            let ready = self.status["actualScale"]?.int, let path = self.status["path"]?.string
        else { return nil }
        let phase: Autoscaler.Status.Phase =
            switch active["status"]?.string {
            case "True": .active
            case "False": active["reason"]?.string == Self.timedOut ? .givenUp : .idle
            default: .activating
            }
        return Autoscaler.Status(
            desired: self.status["desiredScale"]?.int,
            ready: ready,
            phase: phase,
            isProxied: path == "activator",
            isInitialized: StatusCondition.isTrue("ScaleTargetInitialized", in: self.status)
        )
    }

    /// Where the revision stood when this status was written; a new one is activating from `now` on.
    package func activation(now: Duration) -> Activation {
        let active = self.conditions.first { $0["type"]?.string == "Active" }
        let since = active?["lastTransitionTime"]?.string.flatMap(KubernetesTime.seconds).map { Duration.seconds($0) }
        let initialized = StatusCondition.isTrue("ScaleTargetInitialized", in: self.status)
        switch active?["status"]?.string {
        case "True": return Activation(phase: .active(since: since ?? now), isInitialized: initialized)
        case "False":
            return Activation(
                phase: .inactive(since: since ?? now),
                isInitialized: initialized,
                proxiedSince: since ?? now,
                isGivenUp: active?["reason"]?.string == Self.timedOut
            )
        default: return Activation(phase: .activating(since: since ?? now), isInitialized: initialized)
        }
    }

    /// The status after a decision.
    package func status(after outcome: Autoscaler.Outcome, isInitialized: Bool, now: Int64) -> JSONValue {
        let active: StatusCondition =
            switch Autoscaler.Status.Phase(outcome.verdict) {
            case .active: StatusCondition("Active", .yes)
            case .activating:
                StatusCondition(
                    "Active",
                    .unknown,
                    reason: "Queued",
                    message: "Requests wait until pods are ready."
                )
            case .idle: StatusCondition("Active", .no, reason: "NoTraffic", message: "No requests come in.")
            case .givenUp:
                StatusCondition(
                    "Active",
                    .no,
                    reason: Self.timedOut,
                    message: "No pod became ready in time; look at the Deployment \(self.deployment.name)."
                )
            }
        var ready = active
        ready.type = "Ready"
        let initialized = StatusCondition("ScaleTargetInitialized", isInitialized ? .yes : .unknown)
        let conditions = [active, ready, initialized].map { $0.json(before: self.conditions, now: now) }
        var status: JSONValue = [
            "actualScale": JSONValue(outcome.pods.ready),
            "observedGeneration": JSONValue(self.generation),
            "serviceName": .string(self.id.name),
            "conditions": .array(conditions),
        ]
        status["desiredScale"] = outcome.verdict.step.desired.map { JSONValue($0) }
        // Ours: whether requests are to go through the activator.
        status["path"] = outcome.verdict.step.isProxied ? "activator" : "direct"
        return status
    }
}
