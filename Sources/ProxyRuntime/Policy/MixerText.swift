internal import TrafficEngine

/// What clients and logs are told of the policy engine's answers.
enum MixerText {
    /// A verdict as the answer to a client; `nil`: the request may pass.
    static func denial(_ verdict: CheckVerdict) -> PolicyDenial? {
        let status = verdict.status
        if status.isOK, verdict.directStatus == 0 { return nil }
        let body = verdict.directBody.isEmpty && !status.isOK ? status.text : verdict.directBody
        return PolicyDenial(
            status: verdict.directStatus == 0 ? status.httpStatus : verdict.directStatus,
            body: Array(body.utf8),
            reason: status.isOK ? .answeredByRoute : .deniedByMixer,
            details: status.isOK ? "mixer_direct_response" : "mixer_denied[\(status.name)]",
            headers: verdict.responseHeaders
        )
    }

    /// The engine could not be asked, and requests do not pass without it.
    static let failure = PolicyDenial(
        status: 503,
        body: Array("UNAVAILABLE:the policy engine could not be asked".utf8),
        reason: .mixerFailed,
        details: "mixer_unavailable",
        headers: HeaderEdits()
    )

    /// What the engine wants of a request makes none. It was asked, and to pass the request on as it came would not be
    /// what it has decided.
    static let unusable = PolicyDenial(
        status: 503,
        body: Array("UNAVAILABLE:what the policy engine makes of the request is no request".utf8),
        reason: .mixerFailed,
        details: "mixer_unusable_directive",
        headers: HeaderEdits()
    )
}
