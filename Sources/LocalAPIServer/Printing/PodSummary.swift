package import KubernetesAPI

/// The short description of a pod's state that `kubectl get pods` shows.
package struct PodSummary {
    private let pod: JSONValue
    private let statuses: [JSONValue]
    private let initStatuses: [JSONValue]

    package init(_ pod: JSONValue) {
        self.pod = pod
        self.statuses = pod.at("status", "containerStatuses")?.array ?? []
        self.initStatuses = pod.at("status", "initContainerStatuses")?.array ?? []
    }

    var ready: String {
        let count = self.statuses.count { $0["ready"]?.bool == true && $0.at("state", "running") != nil }
        return "\(count)/\(self.pod.at("spec", "containers")?.array?.count ?? 0)"
    }

    package var status: String {
        if self.pod.metadata["deletionTimestamp"] != nil { return "Terminating" }
        let phase = self.pod.at("status", "reason")?.string ?? self.pod.at("status", "phase")?.string ?? "Unknown"
        if let initialising = self.initialising { return initialising }
        var reason = phase
        var hasRunning = false
        for status in self.statuses.reversed() {
            if let waiting = status.at("state", "waiting", "reason")?.string, !waiting.isEmpty {
                reason = waiting
            } else if let ended = status.at("state", "terminated") {
                reason = Self.reason(ended)
            } else if status["ready"]?.bool == true, status.at("state", "running") != nil {
                hasRunning = true
            }
        }
        if reason == "Completed", hasRunning { return "Running" }
        return reason
    }

    /// `Init:1/2` and the like while init containers are at work.
    private var initialising: String? {
        let total = self.pod.at("spec", "initContainers")?.array?.count ?? 0
        for (index, status) in self.initStatuses.enumerated() {
            if let ended = status.at("state", "terminated") {
                if ended["exitCode"]?.int == 0 { continue }
                return "Init:" + Self.reason(ended)
            }
            if let waiting = status.at("state", "waiting", "reason")?.string, !waiting.isEmpty,
                waiting != "PodInitializing"
            {
                return "Init:" + waiting
            }
            return "Init:\(index)/\(total)"
        }
        return nil
    }

    private static func reason(_ ended: JSONValue) -> String {
        if let reason = ended["reason"]?.string, !reason.isEmpty { return reason }
        if let signal = ended["signal"]?.int, signal != 0 { return "Signal:\(signal)" }
        return "ExitCode:\(ended["exitCode"]?.int ?? 0)"
    }

    func restarts(_ context: CellContext) -> String {
        let count = self.statuses.reduce(0) { $0 + ($1["restartCount"]?.int ?? 0) }
        let last = self.statuses.compactMap { $0.at("lastState", "terminated", "finishedAt")?.string }.max()
        guard count > 0, let last, let age = context.age(.string(last)).string else { return "\(count)" }
        return "\(count) (\(age) ago)"
    }
}
