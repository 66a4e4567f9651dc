package import KubernetesAPI

/// What is known of one container of a pod: the part of it that becomes status.
package struct ContainerRecord: Hashable {
    package enum State: Hashable {
        case waiting(reason: String, message: String?)
        case running(since: Int64)
        case terminated(Termination)
    }

    package struct Termination: Hashable {
        package var code: Int32
        package var reason: String
        package var message: String?
        package var started: Int64?
        package var finished: Int64

        package init(
            code: Int32,
            reason: String,
            message: String? = nil,
            started: Int64? = nil,
            finished: Int64
        ) {
            self.code = code
            self.reason = reason
            self.message = message
            self.started = started
            self.finished = finished
        }
    }

    package enum Role: Hashable {
        case initializer
        /// An init container with `restartPolicy: Always`.
        case sidecar
        case main
    }

    package var name: String
    package var image: String
    package var role: Role
    package var state = State.waiting(reason: "ContainerCreating", message: nil)
    package var last: Termination?
    package var restarts = 0
    /// The startup probe, if there is one, has succeeded.
    package var hasStarted = false
    package var isReady = false
    package var containerID: String?

    package init(_ container: Container, role: Role) {
        self.name = container.name
        self.image = container.image
        self.role = role
    }

    package var isRunning: Bool { if case .running = self.state { true } else { false } }

    package var termination: Termination? { if case .terminated(let end) = self.state { end } else { nil } }

    /// Whether an init container needs no further attention before the next may start.
    package var isDoneInitializing: Bool {
        switch self.role {
        case .initializer: self.termination?.code == 0
        case .sidecar: self.isRunning && self.hasStarted
        case .main: false
        }
    }

    /// Takes over what an earlier daemon wrote, whose containers are gone: what ran then counts as ended.
    package mutating func restore(_ status: ContainerStatus, now: Int64) {
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
    package var json: JSONValue {
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
    package init(_ status: ExitStatus, started: Int64?, finished: Int64) {
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
