internal import SwiftProtobuf
internal import Synchronization
package import XDSAPI

/// What a proxy says of the workload beside it.
package struct HealthReport: Hashable, Sendable {
    package var isHealthy: Bool
    /// Why not, for people.
    package var message: String

    package init(isHealthy: Bool, message: String = "") {
        self.isHealthy = isHealthy
        self.message = message
    }

    /// Istio's form: a discovery request of a type that is none, with an error if something is wrong.
    package var wireMessage: Envoy_Service_Discovery_V3_DiscoveryRequest {
        .with {
            $0.typeURL = "type.googleapis.com/istio.v1.HealthInformation"
            guard !self.isHealthy else { return }
            $0.errorDetail.code = 500
            $0.errorDetail.message = self.message.isEmpty ? "unhealthy" : self.message
        }
    }
}

/// What goes to the control plane on a stream.
enum Outgoing: Sendable {
    case request(SubscriptionMachine.Request)
    case health(HealthReport)
}

/// The last report, and the stream that is open.
struct HealthReporting: Sendable {
    var last: HealthReport?
    var stream: AsyncStream<Outgoing>.Continuation?
}

extension ADSClient {
    /// Says how the workload is: now if there is a stream, and first on each stream that follows.
    package func report(_ report: HealthReport) {
        let stream = self.health.withLock { health in
            health.last = report
            return health.stream
        }
        stream?.yield(.health(report))
    }

    func connectHealth(_ stream: AsyncStream<Outgoing>.Continuation) {
        let last = self.health.withLock { health in
            health.stream = stream
            return health.last
        }
        if let last { stream.yield(.health(last)) }
    }
}
