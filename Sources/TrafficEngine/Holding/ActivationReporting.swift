package import MeshModel

/// Requests of a revision since the last report.
package struct ActivationReport: Hashable, Sendable {
    /// Requests in flight and waiting, on average.
    package var concurrency: Double
    /// How many began.
    package var requests: Double
    /// The part of the concurrency that somebody else has reported before they came here.
    package var proxiedConcurrency: Double
    /// The part of the requests that somebody else has reported.
    package var proxiedRequests: Double
    /// It is a part that the next report which is not leaves out.
    package var isEarly: Bool

    package init(
        concurrency: Double,
        requests: Double,
        proxiedConcurrency: Double = 0,
        proxiedRequests: Double = 0,
        isEarly: Bool = false
    ) {
        self.concurrency = concurrency
        self.requests = requests
        self.proxiedConcurrency = proxiedConcurrency
        self.proxiedRequests = proxiedRequests
        self.isEarly = isEarly
    }
}

/// Tells an autoscaler how many requests a revision has.
package protocol ActivationReporting: Sendable {
    /// Never waits; the newest report counts if it cannot be sent at once.
    ///
    /// - Parameters:
    ///   - revision: whose requests they are.
    ///   - report: what has happened since the last report.
    ///   - side: where they were counted.
    func report(_ revision: ObjectID, _ report: ActivationReport, by side: RevisionActivation.Side)
}
