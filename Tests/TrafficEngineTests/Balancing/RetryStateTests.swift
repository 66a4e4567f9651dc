import Testing
import TrafficEngine

@Suite struct RetryStateTests {
    private func state(_ causes: RetryPolicy.Causes, retries: UInt32 = 1, codes: [Int] = []) -> RetryState {
        RetryState(policy: RetryPolicy(retriesMax: retries, causes: causes, statusCodes: codes), seed: 1)
    }

    private func isRetried(_ causes: RetryPolicy.Causes, _ outcome: AttemptOutcome, codes: [Int] = []) -> Bool {
        var state = self.state(causes, codes: codes)
        if case .retry = state.attemptEnded(outcome, requestCanBeReplayed: true) { return true }
        return false
    }

    @Test("Each cause covers its outcomes and no others")
    func causes() {
        #expect(self.isRetried(.connectFailure, .connectFailed))
        #expect(!self.isRetried(.connectFailure, .reset(requestStarted: false)))
        #expect(!self.isRetried(.connectFailure, .answered(status: 503)))
        #expect(self.isRetried(.reset, .perTryTimedOut))
        #expect(self.isRetried(.resetBeforeRequest, .reset(requestStarted: false)))
        #expect(!self.isRetried(.resetBeforeRequest, .reset(requestStarted: true)))
        #expect(self.isRetried(.gatewayError, .answered(status: 504)))
        #expect(!self.isRetried(.gatewayError, .answered(status: 500)))
        #expect(self.isRetried(.serverError, .answered(status: 500)))
        #expect(self.isRetried(.retriable4xx, .answered(status: 409)))
        #expect(!self.isRetried(.retriable4xx, .answered(status: 404)))
        #expect(self.isRetried(.unavailable, .answered(status: 200, grpcStatus: 14)))
        #expect(self.isRetried(.refusedStream, .refusedStream))
    }

    @Test("The word for status codes alone covers none: the list is empty in the mesh's default (facts #33)")
    func statusCodes() {
        #expect(!self.isRetried(.retriableStatusCodes, .answered(status: 503)))
        #expect(self.isRetried(.retriableStatusCodes, .answered(status: 503), codes: [503]))
    }

    @Test("A request that cannot be repeated is not, whatever the policy says")
    func notReplayable() {
        var state = self.state(.serverError)

        #expect(state.attemptEnded(.connectFailed, requestCanBeReplayed: false) == .accept)
    }

    @Test("After the last retry the outcome is passed on as exhausted", arguments: [0, 1, 3])
    func exhausted(_ retries: UInt32) {
        var state = self.state(.serverError, retries: retries)

        for _ in 0..<retries {
            guard case .retry = state.attemptEnded(.connectFailed, requestCanBeReplayed: true) else {
                Issue.record("not retried")
                return
            }
        }

        #expect(state.attemptEnded(.connectFailed, requestCanBeReplayed: true) == .exhausted)
    }

    @Test("Waits stay below base × 2ⁿ and the maximum", arguments: 0..<20)
    func backOff(_ seed: UInt64) {
        let policy = RetryPolicy(retriesMax: 40, causes: .reset)
        var state = RetryState(policy: policy, seed: seed)

        for attempt in 0..<40 {
            guard case .retry(let wait) = state.attemptEnded(.perTryTimedOut, requestCanBeReplayed: true) else {
                return
            }
            #expect(wait >= .zero)
            #expect(wait < min(.milliseconds(25 * (1 << min(attempt, 10))), .milliseconds(250)))
        }
    }
}
