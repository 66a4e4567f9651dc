internal import MeshModel

/// What became of one request, or how far a connection has come, to be told to the policy engine.
package struct MixerReport: Sendable {
    /// What the engine had said.
    package struct Check: Hashable, Sendable {
        package var status: MixerStatus
        package var isFromCache: Bool
        /// Whether quota was paid out of what was granted before; `nil`: there was none to pay.
        package var isQuotaFromCache: Bool?

        package init(status: MixerStatus, isFromCache: Bool, isQuotaFromCache: Bool? = nil) {
            self.status = status
            self.isFromCache = isFromCache
            self.isQuotaFromCache = isQuotaFromCache
        }
    }

    package enum Outcome: Sendable {
        case request(RequestOutcome)
        case connection(ConnectionTraffic)
    }

    package var subject: MixerSubject
    package var facts: PolicyFacts
    package var policy: MixerPolicy
    /// The service that it was for; `nil`: it was refused or answered before that was known.
    package var service: MixerService?
    package var outcome: Outcome
    /// The endpoint that it went to, where it left for one.
    package var upstream: NetworkAddress?
    /// When it began, since 1970.
    package var startMilliseconds: Int64 = 0
    package var duration = Duration.zero
    /// Envoy's response flags; `-`: none.
    package var flags = "-"
    /// `nil`: the engine was not asked, or could not be.
    package var check: Check?

    package init(_ subject: MixerSubject, _ facts: PolicyFacts, _ policy: MixerPolicy, _ outcome: Outcome) {
        self.subject = subject
        self.facts = facts
        self.policy = policy
        self.outcome = outcome
    }

    /// All attributes, as the engine is told them.
    package var attributes: [String: MixerValue] {
        var headBytes = 0
        var values = self.subject.withAttributes(self.facts, self.policy, self.service) { attributes in
            headBytes = attributes.request.headers.reduce(0) { $0 + Int($1.name.count) + Int($1.value.count) }
            return attributes.all(at: self.startMilliseconds)
        }
        if let upstream = self.upstream {
            values["destination.ip"] = .bytes(upstream.ip.bytes)
            values["destination.port"] = .number(Int64(upstream.port))
        }
        let (seconds, attoseconds) = self.duration.components
        let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
        let end = MixerValue.moment(milliseconds: self.startMilliseconds + milliseconds)
        switch self.outcome {
        case .request(let outcome):
            outcome.add(to: &values, requestHeadBytes: headBytes)
            values["response.duration"] = .duration(self.duration)
            values["response.time"] = end
        case .connection(let traffic):
            traffic.add(to: &values, duration: self.duration)
            values["context.time"] = end
        }
        values["context.proxy_error_code"] = .text(self.flags)
        values["check.cache_hit"] = .truth(self.check?.isFromCache ?? false)
        if let isHit = self.check?.isQuotaFromCache { values["quota.cache_hit"] = .truth(isHit) }
        if let status = self.check?.status, !status.isOK {
            values["check.error_code"] = .number(Int64(status.code))
            values["check.error_message"] = .text(status.message)
        }
        return values
    }
}
