package import MeshModel

/// Tells an autoscaler how many requests a revision has.
package protocol ActivationReporting: Sendable {
    /// Never waits; the newest report counts if it cannot be sent at once.
    ///
    /// - Parameters:
    ///   - revision: whose requests they are.
    ///   - concurrency: requests in flight and waiting, on average since the last report.
    ///   - requests: how many began since then.
    func report(_ revision: ObjectID, concurrency: Double, requests: Double)
}
