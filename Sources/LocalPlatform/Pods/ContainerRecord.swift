import KubernetesAPI

/// What is known of one container of a pod: the part of it that becomes status.
struct ContainerRecord: Hashable {
    enum State: Hashable {
        case waiting(reason: String, message: String?)
        case running(since: Int64)
        case terminated(Termination)
    }

    struct Termination: Hashable {
        var code: Int32
        var reason: String
        var message: String?
        var started: Int64?
        var finished: Int64
    }

    enum Role: Hashable {
        case initializer
        /// An init container with `restartPolicy: Always`.
        case sidecar
        case main
    }

    var name: String
    var image: String
    var role: Role
    var state = State.waiting(reason: "ContainerCreating", message: nil)
    var last: Termination?
    var restarts = 0
    /// The startup probe, if there is one, has succeeded.
    var hasStarted = false
    var isReady = false
    var containerID: String?

    init(_ container: Container, role: Role) {
        self.name = container.name
        self.image = container.image
        self.role = role
    }

    var isRunning: Bool { if case .running = self.state { true } else { false } }

    var termination: Termination? { if case .terminated(let end) = self.state { end } else { nil } }

    /// Whether an init container needs no further attention before the next may start.
    var isDoneInitializing: Bool {
        switch self.role {
        case .initializer: self.termination?.code == 0
        case .sidecar: self.isRunning && self.hasStarted
        case .main: false
        }
    }

    /// Takes over what an earlier daemon wrote, whose containers are gone: what ran then counts as ended.
    mutating func restore(_ status: ContainerStatus, now: Int64) {
        self.restarts = status.restartCount
        if let end = status.lastState?.terminated { self.last = Self.termination(end, now: now) }
        if let end = status.state?.terminated {
            self.state = .terminated(Self.termination(end, now: now))
        } else if let running = status.state?.running {
            self.state = .terminated(
                Termination(
                    code: 137,
                    reason: "Error",
                    message: "the platform was stopped",
                    started: running.startedAt.flatMap(KubernetesTime.seconds),
                    finished: now
                )
            )
        }
    }

    private static func termination(_ end: ContainerStatus.State.Terminated, now: Int64) -> Termination {
        Termination(
            code: Int32(truncatingIfNeeded: end.exitCode),
            reason: end.reason ?? "Error",
            message: end.message,
            started: end.startedAt.flatMap(KubernetesTime.seconds),
            finished: end.finishedAt.flatMap(KubernetesTime.seconds) ?? now
        )
    }

    /// The entry of `containerStatuses`.
    var json: JSONValue {
        var json: JSONValue = [
            "name": .string(self.name), "image": .string(self.image), "imageID": .string("lateen://\(self.image)"),
            "ready": .bool(self.isReadyInStatus), "started": .bool(self.isRunning && self.hasStarted),
            "restartCount": JSONValue(self.restarts), "state": self.stateJSON, "lastState": [:],
        ]
        if let id = self.containerID { json["containerID"] = .string(id) }
        if let last { json["lastState"] = ["terminated": last.json(containerID: nil)] }
        return json
    }

    private var isReadyInStatus: Bool {
        self.role == .initializer ? self.termination?.code == 0 : self.isRunning && self.isReady
    }

    private var stateJSON: JSONValue {
        switch self.state {
        case .waiting(let reason, let message):
            var waiting: JSONValue = ["reason": .string(reason)]
            if let message { waiting["message"] = .string(message) }
            return ["waiting": waiting]
        case .running(let since): return ["running": ["startedAt": .string(KubernetesTime.text(seconds: since))]]
        case .terminated(let end): return ["terminated": end.json(containerID: self.containerID)]
        }
    }
}

extension ContainerRecord.Termination {
    init(_ status: ExitStatus, started: Int64?, finished: Int64) {
        self.init(
            code: status.code,
            reason: status.code == 0 ? "Completed" : "Error",
            message: nil,
            started: started,
            finished: finished
        )
    }

    fileprivate func json(containerID: String?) -> JSONValue {
        var json: JSONValue = [
            "exitCode": .integer(Int64(self.code)), "reason": .string(self.reason),
            "finishedAt": .string(KubernetesTime.text(seconds: self.finished)),
        ]
        if let message = self.message { json["message"] = .string(message) }
        if let started = self.started { json["startedAt"] = .string(KubernetesTime.text(seconds: started)) }
        if let containerID { json["containerID"] = .string(containerID) }
        return json
    }
}
