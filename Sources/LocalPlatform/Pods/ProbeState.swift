import KubernetesAPI

/// Counts the answers of one probe and says when its verdict changes.
struct ProbeState: Hashable {
    enum Verdict: Hashable { case unknown, success, failure }

    private(set) var verdict = Verdict.unknown
    private var successes = 0
    private var failures = 0
    let successThreshold: Int
    let failureThreshold: Int

    init(_ probe: Probe) {
        self.successThreshold = max(1, probe.successThreshold ?? 1)
        self.failureThreshold = max(1, probe.failureThreshold ?? 3)
    }

    enum OnAnswer: Hashable { case nothing, becameGood, becameBad }

    mutating func answered(isGood: Bool) -> OnAnswer {
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
