internal import TrafficEngine

/// Counts of policies in front of one connection manager or TCP proxy.
package struct PolicyStatistics: Sendable, Hashable {
    package var allowed = 0
    package var denied = 0
    /// What dry runs would have done.
    package var shadowAllowed = 0
    package var shadowDenied = 0
    package var tokensAllowed = 0
    package var tokensDenied = 0
    package var externalAllowed = 0
    package var externalDenied = 0
    package var externalFailed = 0

    package init() {}

    /// The numbers under Envoy's names (`http.<prefix>.rbac.…` and so on).
    package var all: [Statistic] {
        [
            Statistic("rbac.allowed", .counter, self.allowed),
            Statistic("rbac.denied", .counter, self.denied),
            Statistic("rbac.shadow_allowed", .counter, self.shadowAllowed),
            Statistic("rbac.shadow_denied", .counter, self.shadowDenied),
            Statistic("jwt_authn.allowed", .counter, self.tokensAllowed),
            Statistic("jwt_authn.denied", .counter, self.tokensDenied),
            Statistic("ext_authz.ok", .counter, self.externalAllowed),
            Statistic("ext_authz.denied", .counter, self.externalDenied),
            Statistic("ext_authz.error", .counter, self.externalFailed),
        ]
    }

    func adding(_ other: PolicyStatistics) -> PolicyStatistics {
        var sum = self
        sum.allowed += other.allowed
        sum.denied += other.denied
        sum.shadowAllowed += other.shadowAllowed
        sum.shadowDenied += other.shadowDenied
        sum.tokensAllowed += other.tokensAllowed
        sum.tokensDenied += other.tokensDenied
        sum.externalAllowed += other.externalAllowed
        sum.externalDenied += other.externalDenied
        sum.externalFailed += other.externalFailed
        return sum
    }

    /// Counts a decision.
    mutating func count(_ policy: RulePolicy, _ verdict: RulePolicy.Verdict) {
        // A log policy decides nothing.
        guard policy.action != .log else { return }
        switch (verdict, policy.isShadow) {
        case (.allowed, false): self.allowed += 1
        case (.denied, false): self.denied += 1
        case (.allowed, true): self.shadowAllowed += 1
        case (.denied, true): self.shadowDenied += 1
        }
    }
}

/// Counts of policies on one loop; a class, so that gates hold on to it.
final class PolicyCounters {
    var counts = PolicyStatistics()

    func count(_ policy: RulePolicy, _ verdict: RulePolicy.Verdict) { self.counts.count(policy, verdict) }
}
