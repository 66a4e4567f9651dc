/// How one attempt at an upstream ended.
package enum AttemptOutcome: Hashable, Sendable {
    /// A response's head came. `grpcStatus`: of a trailers-only answer.
    case answered(status: Int, grpcStatus: Int? = nil)
    /// No connection could be made, in time or at all.
    case connectFailed
    /// The connection ended without a response; `requestStarted`: some of the request had been sent.
    case reset(requestStarted: Bool)
    /// HTTP/2 said that the request was not looked at.
    case refusedStream
    case perTryTimedOut
}

/// Decides after each attempt of one request whether it is tried again.
package struct RetryState: Sendable {
    package enum OnAttemptEnded: Hashable, Sendable {
        /// Pass on what came, or the failure: the policy does not speak of it, or it cannot be repeated.
        case accept
        case retry(after: Duration)
        /// As `accept`, but the policy would have tried again: response flag `URX`.
        case exhausted
    }

    private let policy: RetryPolicy
    private var generator: SeededGenerator
    package private(set) var retries: UInt32 = 0

    package init(policy: RetryPolicy, seed: UInt64) {
        self.policy = policy
        self.generator = SeededGenerator(seed: seed)
    }

    /// An attempt ended with `outcome`; `requestCanBeReplayed` if all of the request is still at hand, and no byte of a
    /// response was sent on.
    package mutating func attemptEnded(_ outcome: AttemptOutcome, requestCanBeReplayed: Bool) -> OnAttemptEnded {
        guard requestCanBeReplayed, self.policy.covers(outcome) else { return .accept }
        guard self.retries < self.policy.retriesMax else { return .exhausted }
        defer { self.retries += 1 }
        return .retry(after: self.backOff())
    }

    /// A random part of base × 2ⁿ, at most the maximum: full jitter, so that retries of many requests spread out.
    private mutating func backOff() -> Duration {
        let doublings = min(self.retries, 16)
        let limit = min(self.policy.backOffBase * (1 << doublings), self.policy.backOffMax)
        let share = Int(self.generator.next32() >> 16)
        return limit * share / 65536
    }
}

extension RetryPolicy {
    /// Whether the policy speaks of this outcome.
    ///
    /// No response at all counts as a server error and as a gateway error too, since it would become one.
    func covers(_ outcome: AttemptOutcome) -> Bool {
        let withoutResponse: Causes = [.reset, .serverError, .gatewayError]
        switch outcome {
        case .answered(let status, let grpcStatus):
            if self.causes.contains(.serverError), (500...599).contains(status) { return true }
            if self.causes.contains(.gatewayError), (502...504).contains(status) { return true }
            if self.causes.contains(.retriable4xx), status == 409 { return true }
            if self.causes.contains(.retriableStatusCodes), self.statusCodes.contains(status) { return true }
            if self.causes.contains(.unavailable), grpcStatus == 14 { return true }
            return self.causes.contains(.cancelled) && grpcStatus == 1
        case .connectFailed:
            return !self.causes.isDisjoint(with: withoutResponse.union([.connectFailure, .resetBeforeRequest]))
        case .reset(let requestStarted):
            if !requestStarted, self.causes.contains(.resetBeforeRequest) { return true }
            return !self.causes.isDisjoint(with: withoutResponse)
        case .refusedStream:
            return !self.causes.isDisjoint(with: withoutResponse.union(.refusedStream))
        case .perTryTimedOut:
            return !self.causes.isDisjoint(with: withoutResponse)
        }
    }
}
