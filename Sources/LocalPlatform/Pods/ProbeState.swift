package import KubernetesAPI

/// Counts the answers of one probe and says when its verdict changes.
package struct ProbeState: Hashable {
    package enum Verdict: Hashable { case unknown, success, failure }

    private(set) var verdict = Verdict.unknown
    private var successes = 0
    private var failures = 0
    package let successThreshold: Int
    package let failureThreshold: Int

    package init(_ probe: Probe) {
        self.successThreshold = max(1, probe.successThreshold ?? 1)
        self.failureThreshold = max(1, probe.failureThreshold ?? 3)
    }

    package enum OnAnswer: Hashable { case nothing, becameGood, becameBad }

    package mutating func answered(isGood: Bool) -> OnAnswer {
        if isGood {
            self.successes += 1
            self.failures = 0
            guard self.successes >= self.successThreshold, self.verdict != .success else { return .nothing }
            self.verdict = .success
            return .becameGood
        }
        self.failures += 1
        self.successes = 0
        guard self.failures >= self.failureThreshold, self.verdict != .failure else { return .nothing }
        self.verdict = .failure
        return .becameBad
    }
}
