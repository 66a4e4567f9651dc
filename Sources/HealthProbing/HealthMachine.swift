/// Counts the answers of a check and says when its verdict changes.
package struct HealthMachine: Hashable, Sendable {
    package enum OnAnswer: Hashable, Sendable {
        case nothing
        case becameHealthy
        /// With what the last check said.
        case becameUnhealthy(String)
    }

    private enum Verdict { case unknown, healthy, unhealthy }

    private let successThreshold: Int
    private let failureThreshold: Int
    private var verdict = Verdict.unknown
    private var successes = 0
    private var failures = 0

    package init(_ check: HealthCheck) {
        self.successThreshold = max(1, check.successThreshold)
        self.failureThreshold = max(1, check.failureThreshold)
    }

    /// A check ended.
    ///
    /// - Parameter problem: `nil` if all was well.
    /// - Returns: what to tell others.
    package mutating func answered(_ problem: String?) -> OnAnswer {
        guard let problem else {
            self.successes = min(self.successes + 1, self.successThreshold)
            self.failures = 0
            guard self.successes == self.successThreshold, self.verdict != .healthy else { return .nothing }
            self.verdict = .healthy
            return .becameHealthy
        }
        self.failures = min(self.failures + 1, self.failureThreshold)
        self.successes = 0
        guard self.failures == self.failureThreshold, self.verdict != .unhealthy else { return .nothing }
        self.verdict = .unhealthy
        return .becameUnhealthy(problem)
    }
}
