internal import MeshModel
internal import RequestReports
internal import TrafficEngine

/// Tells the autoscaler of the requests that an activator has, under its own name. Pods leave out what it has reported.
struct ActivatorReports: ActivationReporting {
    let name: String
    let sender: StatSender

    func report(_ revision: ObjectID, _ report: ActivationReport, by side: RevisionActivation.Side) {
        let stat = Stat(
            podName: self.name,
            averageConcurrentRequests: report.concurrency,
            requestCount: report.requests
        )
        self.sender.send(StatMessage(revision: revision, stat: stat), isEarly: report.isEarly)
    }
}
