import ProxyRuntime
import Testing
import TrafficEngine

@Suite struct ExchangeMachineTests {
    private static func machine(
        hasBody: Bool = false,
        isIdempotent: Bool = true,
        keepsAlive: Bool = true,
        retries: UInt32 = 0
    ) -> ExchangeMachine {
        var machine = ExchangeMachine()
        machine.requestStarted(hasBody: hasBody, isIdempotent: isIdempotent, keepsAlive: keepsAlive)
        if retries > 0 {
            let policy = RetryPolicy(
                retriesMax: retries,
                causes: [.connectFailure, .retriableStatusCodes, .reset],
                statusCodes: [503]
            )
            machine.routed(retry: RetryState(policy: policy, seed: 1))
        }
        machine.attemptStarted()
        return machine
    }

    private static let race = ExchangeMachine.AttemptFailure(
        reason: .upstreamClosed,
        outcome: .reset(requestStarted: true),
        wasReuseRace: true
    )
    private static let refused = ExchangeMachine.AttemptFailure(reason: .connectFailed, outcome: .connectFailed)

    @Test("A request on a kept connection that was just being closed is sent again at once")
    func retriesReuseRace() {
        var machine = Self.machine()
        #expect(machine.attemptFailed(Self.race) == .retryFresh)
        #expect(machine.attemptFailed(Self.race) == .retryFresh)
        #expect(machine.attemptFailed(Self.race) == .reply(.upstreamClosed))
    }

    @Test("A request that may have had its effect is not sent again without a policy")
    func doesNotRepeatSideEffects() {
        var machine = Self.machine(isIdempotent: false)
        #expect(machine.attemptFailed(Self.race) == .reply(.upstreamClosed))
    }

    @Test("Whether a request may be sent again is said by the method that it goes on with")
    func changesMethod() {
        var machine = Self.machine()
        machine.methodChanged(isIdempotent: false)
        #expect(machine.attemptFailed(Self.race) == .reply(.upstreamClosed))
        machine = Self.machine(isIdempotent: false)
        machine.methodChanged(isIdempotent: true)
        #expect(machine.attemptFailed(Self.race) == .retryFresh)
    }

    @Test("A request whose body has been let go is not sent again")
    func doesNotRepeatForgottenBody() {
        var machine = Self.machine(hasBody: true, retries: 2)
        machine.bodyForgotten()
        #expect(machine.attemptFailed(Self.race) == .reply(.upstreamClosed))
        #expect(machine.attemptFailed(Self.refused) == .reply(.connectFailed))
        #expect(!machine.retriesExhausted)
    }

    @Test("A failed connection is tried again as often as the policy says")
    func retriesByPolicy() {
        var machine = Self.machine(retries: 2)
        for _ in 1...2 {
            guard case .retry = machine.attemptFailed(Self.refused) else {
                Issue.record("not tried again")
                return
            }
        }
        #expect(machine.attemptFailed(Self.refused) == .reply(.connectFailed))
        #expect(machine.retriesExhausted)
    }

    @Test("A status of the policy is tried again, and the last one is passed on")
    func retriesStatus() {
        var machine = Self.machine(retries: 1)
        guard case .retry = machine.responseHeadReceived(status: 503, grpcStatus: nil) else {
            Issue.record("not tried again")
            return
        }
        #expect(machine.responseHeadReceived(status: 503, grpcStatus: nil) == .forward)
        #expect(machine.response == .started)
    }

    @Test("Once the client has part of a response it can only be cut off")
    func abortsStartedResponse() {
        var machine = Self.machine(retries: 2)
        #expect(machine.responseHeadReceived(status: 200, grpcStatus: nil) == .forward)
        #expect(machine.attemptFailed(Self.race) == .abort(.upstreamClosed))
    }

    @Test(
        "The connection stays open after a whole exchange, and not after half a request",
        arguments: [
            (true, true, ExchangeMachine.OnResponseEnded.nextRequest), (true, false, .close), (false, true, .close),
        ]
    )
    func decidesKeepAlive(_ keepsAlive: Bool, _ isComplete: Bool, _ expected: ExchangeMachine.OnResponseEnded) {
        var machine = Self.machine(hasBody: true, keepsAlive: keepsAlive)
        if isComplete { machine.requestEnded() }
        #expect(machine.responseEnded() == expected)
    }
}
