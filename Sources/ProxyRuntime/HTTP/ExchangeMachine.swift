package import TrafficEngine

/// One request and its response: what may still be tried, and what becomes of the client's connection.
///
/// A value without sockets; the connection feeds it facts and obeys what it answers.
package struct ExchangeMachine {
    /// How much of the request has come from the client.
    package enum RequestPart: Hashable { case body, complete }
    /// How much of a response the client has got.
    package enum ResponsePart: Hashable { case none, started, complete }

    package private(set) var request = RequestPart.complete
    package private(set) var response = ResponsePart.none
    /// All of the request so far is at hand, so that it can be sent once more.
    package private(set) var isReplayable = true
    /// The policy would have tried again, had it not been too often already (`URX`).
    package private(set) var retriesExhausted = false
    package private(set) var attempts = 0
    private var isIdempotent = true
    private var keepsAlive = true
    private var reuseRaces = 0
    private var retry: RetryState?

    package init() {}

    /// A request's head has come.
    package mutating func requestStarted(hasBody: Bool, isIdempotent: Bool, keepsAlive: Bool) {
        self = ExchangeMachine()
        self.request = hasBody ? .body : .complete
        self.isIdempotent = isIdempotent
        self.keepsAlive = keepsAlive
    }

    /// It goes on as a request with another method.
    package mutating func methodChanged(isIdempotent: Bool) { self.isIdempotent = isIdempotent }

    package mutating func routed(retry: RetryState?) { self.retry = retry }

    package mutating func requestEnded() { self.request = .complete }

    /// Some of the body was let go after it was sent.
    package mutating func bodyForgotten() { self.isReplayable = false }

    package mutating func attemptStarted() { self.attempts += 1 }

    /// Why an attempt ended without a whole response.
    package struct AttemptFailure: Hashable {
        package var reason: EndReason
        package var outcome: AttemptOutcome?
        /// A kept-alive connection that ended before a byte of a response: the endpoint may just have closed it.
        package var wasReuseRace: Bool

        /// The endpoint has certainly not looked at it (RFC 9113 sections 6.8 and 8.7).
        package var wasUnprocessed: Bool

        /// The endpoint, and not the client, a limit or the configuration, is the cause.
        package var isOfEndpoint: Bool {
            switch self.reason {
            case .connectFailed, .connectTimedOut, .upstreamReset, .upstreamClosed, .upstreamProtocolError,
                .upstreamTLSFailed, .requestTimedOut:
                !self.wasReuseRace
            case .completed, .answeredByRoute, .blockedHost, .blockedAddress, .blockedUnresolvedAddress,
                .blockedUnresolvedName, .noRoute, .noCluster,
                .noHealthyEndpoint, .upstreamNameUnresolved, .streamIdle, .retriesExhausted, .overflow,
                .downstreamClosed, .downstreamReset, .downstreamProtocolError, .headTooLarge, .headTimedOut,
                .idleTimedOut, .loopDetected, .deniedByPolicy, .deniedByToken, .deniedByProvider, .providerFailed,
                .deniedByMixer, .mixerFailed, .downstreamTLSFailed, .noSecret, .misdirected, .bodyTooLarge, .shutdown:
                false
            }
        }

        package init(
            reason: EndReason,
            outcome: AttemptOutcome?,
            wasReuseRace: Bool = false,
            wasUnprocessed: Bool = false
        ) {
            self.reason = reason
            self.outcome = outcome
            self.wasReuseRace = wasReuseRace
            self.wasUnprocessed = wasUnprocessed
        }
    }

    package enum OnAttemptFailed: Hashable {
        /// Try again on a new connection, now.
        case retryFresh
        case retry(after: Duration)
        case reply(EndReason)
        /// The client has part of a response: it can only be cut off.
        case abort(EndReason)
    }

    package mutating func attemptFailed(_ failure: AttemptFailure) -> OnAttemptFailed {
        switch self.response {
        case .started, .complete: return .abort(failure.reason)
        case .none: ()
        }
        // Facts #60. A method that is not idempotent may have had its effect (RFC 9110 9.2.2); whether that one may
        // be repeated is up to the retry policy.
        if failure.wasReuseRace, self.isIdempotent, self.isReplayable, self.reuseRaces < 2 {
            self.reuseRaces += 1
            return .retryFresh
        }
        // What was not looked at may be sent again whatever it is; a refusal only if no policy speaks of it.
        if failure.wasUnprocessed, failure.outcome != .refusedStream || self.retry == nil, self.isReplayable,
            self.reuseRaces < 2
        {
            self.reuseRaces += 1
            return failure.outcome == .refusedStream ? .retry(after: .zero) : .retryFresh
        }
        guard let outcome = failure.outcome,
            let decision = self.retry?.attemptEnded(outcome, requestCanBeReplayed: self.isReplayable)
        else { return .reply(failure.reason) }
        switch decision {
        case .retry(let delay): return .retry(after: delay)
        case .exhausted:
            self.retriesExhausted = true
            return .reply(failure.reason)
        case .accept: return .reply(failure.reason)
        }
    }

    package enum OnResponseHead: Hashable {
        case forward
        case retry(after: Duration)
    }

    /// A final response's head has come from upstream.
    package mutating func responseHeadReceived(status: Int, grpcStatus: Int?) -> OnResponseHead {
        if self.retry != nil {
            let outcome = AttemptOutcome.answered(status: status, grpcStatus: grpcStatus)
            let decision = self.retry?.attemptEnded(outcome, requestCanBeReplayed: self.isReplayable)
            switch decision {
            case .retry(let delay): return .retry(after: delay)
            case .exhausted: self.retriesExhausted = true
            case .accept, nil: ()
            }
        }
        self.response = .started
        return .forward
    }

    /// The proxy answers by itself.
    package mutating func replyStarted() { self.response = .started }

    /// The client's connection cannot serve another request.
    package mutating func keepAliveLost() { self.keepsAlive = false }

    /// Whether the client can be told that its connection stays open. An answer to half a request ends it: nobody
    /// would read the rest.
    package var promisesKeepAlive: Bool { self.keepsAlive }

    package enum OnResponseEnded: Hashable { case nextRequest, close }

    package mutating func responseEnded() -> OnResponseEnded {
        self.response = .complete
        return self.keepsAlive && self.request == .complete ? .nextRequest : .close
    }
}
