import Logging
import MeshModel
import RequestReports
import TrafficEngine

/// Tells the autoscaler of the requests for revisions; opens no connection before there is one.
struct ActivationReports: ActivationReporting {
    static let targetDefault = StatSender.Target.addressDefault
    static let variable = "LATEEN_AUTOSCALER"

    private let name: String
    private let sender: StatSender

    /// - Parameters:
    ///   - name: the pod's, under which requests in it are reported; those that wait for other pods under one like it.
    ///   - target: the autoscaler's address.
    init(name: String, target: StatSender.Target) {
        self.name = name
        self.sender = StatSender(
            target: target,
            form: .protobuf,
            waitsForFirst: true,
            logger: Logger(label: "activation")
        )
    }

    func report(_ revision: ObjectID, _ report: ActivationReport, by side: RevisionActivation.Side) {
        let name =
            switch side {
            case .callers: "\(self.name)-calls"
            case .pod: self.name
            }
        let stat = Stat(
            podName: name,
            averageConcurrentRequests: report.concurrency,
            averageProxiedConcurrentRequests: report.proxiedConcurrency,
            requestCount: report.requests,
            proxiedRequestCount: report.proxiedRequests
        )
        self.sender.send(StatMessage(revision: revision, stat: stat), isEarly: report.isEarly)
    }

    /// Until it is cancelled; `report` is called each second.
    func run(_ report: @Sendable @escaping () -> Void) async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.sender.run() }
            while !Task.isCancelled {
                // Cancellation ends the loop.
                try? await Task.sleep(for: .seconds(1))
                report()
            }
        }
    }
}
