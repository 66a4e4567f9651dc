internal import TrafficEngine

/// What the policies in front of a route make of a request or connection.
enum PolicyOutcome {
    case allowed(PolicyEffects)
    case denied(PolicyDenial)
    /// Somebody has to be asked; the completion that was given along will be called on the loop.
    case waiting
}

/// What the policy engine makes of a request.
enum MixerOutcome {
    /// It may go on, as the verdict changes it; `nil`: nobody was asked, or could be.
    case passed(CheckVerdict?)
    case denied(PolicyDenial)
    /// The engine has to be asked; the completion that was given along will be called on the loop.
    case waiting
}

/// Changes that policies make to a request that they let through.
struct PolicyEffects {
    /// Applied to the request that is sent on, before the route's own edits.
    var requestHeaders = HeaderEdits()
    /// Applied to the response.
    var responseHeaders = HeaderEdits()
    /// What a dry run would have done, for the log; empty: nothing.
    var shadowDetails = ""
    /// The same for the policy engine, where it is told of requests.
    var dryRun: DryRunOutcome?
    /// Of a verified token, where the policy engine is asked about the request or told of it.
    var claims: ClaimValue?
    /// The same as it was sent.
    var claimsPayload: [UInt8]?

    var isEmpty: Bool {
        self.requestHeaders.isEmpty && self.responseHeaders.isEmpty && self.shadowDetails.isEmpty
            && self.claims == nil && self.claimsPayload == nil && self.dryRun == nil
    }
}

/// An answer instead of the service's.
struct PolicyDenial {
    var status: Int
    var body: [UInt8]
    var reason: EndReason
    /// For the access log's `RESPONSE_CODE_DETAILS`; names policy and rule.
    var details: String
    /// Sent with the answer.
    var headers: HeaderEdits
    /// What dry runs made of the request before it was refused.
    var dryRun: DryRunOutcome?
}

extension PolicyDenial {
    /// A service must see all of a body that is too long for it; in Envoy's words.
    static let bodyTooLarge = PolicyDenial(
        status: 413,
        body: Array("Payload Too Large".utf8),
        reason: .bodyTooLarge,
        details: "request_payload_too_large",
        headers: HeaderEdits()
    )
}
