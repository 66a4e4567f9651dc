package import MeshModel

/// What an activator, an adapter or a pod says about the requests of one revision, over about one second.
package struct Stat: Sendable, Hashable {
    /// Who says it; an activator gives its own name.
    package var podName: String
    /// Requests in flight, on average.
    package var averageConcurrentRequests: Double
    /// The part of them that came through an activator, which has reported them itself.
    package var averageProxiedConcurrentRequests: Double
    /// Requests that began since the last report.
    package var requestCount: Double
    /// The part of them that came through an activator.
    package var proxiedRequestCount: Double
    /// How long the pod has been running.
    package var processUptime: Double

    package init(
        podName: String = "",
        averageConcurrentRequests: Double = 0,
        averageProxiedConcurrentRequests: Double = 0,
        requestCount: Double = 0,
        proxiedRequestCount: Double = 0,
        processUptime: Double = 0
    ) {
        self.podName = podName
        self.averageConcurrentRequests = averageConcurrentRequests
        self.averageProxiedConcurrentRequests = averageProxiedConcurrentRequests
        self.requestCount = requestCount
        self.proxiedRequestCount = proxiedRequestCount
        self.processUptime = processUptime
    }

    /// What this report adds to the metric. Requests through an activator are left out: it has counted them.
    package func value(of metric: ScalingMetric) -> Double {
        switch metric {
        case .concurrency: self.averageConcurrentRequests - self.averageProxiedConcurrentRequests
        case .requestsPerSecond: self.requestCount - self.proxiedRequestCount
        }
    }
}

/// A stat and the revision that it is about. The autoscaler knows revisions, not services or hosts.
package struct StatMessage: Sendable, Hashable {
    package var revision: ObjectID
    package var stat: Stat

    package init(revision: ObjectID, stat: Stat) {
        self.revision = revision
        self.stat = stat
    }
}

/// What pods are counted by.
package enum ScalingMetric: String, Sendable, Hashable, CaseIterable {
    case concurrency
    case requestsPerSecond = "rps"
}
