internal import MeshModel

/// What became of one request, to be told to the policy engine.
package struct MixerReport: Sendable {
    /// What the engine had said about the request.
    package struct Check: Hashable, Sendable {
        package var status: MixerStatus
        package var isFromCache: Bool

        package init(status: MixerStatus, isFromCache: Bool) {
            self.status = status
            self.isFromCache = isFromCache
        }
    }

    package var request: OwnedRequest
    package var facts: PolicyFacts
    package var policy: MixerPolicy
    /// The service that the request was for; `nil`: it was refused or answered before that was known.
    package var service: MixerService?
    /// The endpoint that the request went to, where it left for one.
    package var upstream: NetworkAddress?
    /// When the request's head was read, since 1970.
    package var startMilliseconds: Int64 = 0
    package var duration = Duration.zero
    /// Of the answer; 0: none was begun.
    package var status = 0
    /// Of the request's body.
    package var bytesReceived = 0
    /// Of the answer's body.
    package var bytesSent = 0
    /// Of the whole answer.
    package var bytesWritten = 0
    /// Envoy's response flags; `-`: none.
    package var flags = "-"
    /// `nil`: the engine was not asked, or could not be.
    package var check: Check?

    package init(request: OwnedRequest, facts: PolicyFacts, policy: MixerPolicy) {
        self.request = request
        self.facts = facts
        self.policy = policy
    }

    /// All attributes, as the engine is told them.
    package var attributes: [String: MixerValue] {
        var headBytes = 0
        var values = self.request.withView { view in
            headBytes = view.headers.reduce(0) { $0 + Int($1.name.count) + Int($1.value.count) }
            return RequestAttributes(view, self.facts, self.policy, self.service).all(at: self.startMilliseconds)
        }
        if let upstream = self.upstream {
            values["destination.ip"] = .bytes(upstream.ip.bytes)
            values["destination.port"] = .number(Int64(upstream.port))
        }
        values["request.size"] = .number(Int64(self.bytesReceived))
        values["request.total_size"] = .number(Int64(self.bytesReceived + headBytes))
        values["response.code"] = .number(Int64(self.status))
        values["response.size"] = .number(Int64(self.bytesSent))
        values["response.total_size"] = .number(Int64(self.bytesWritten))
        values["response.duration"] = .duration(self.duration)
        let (seconds, attoseconds) = self.duration.components
        let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
        values["response.time"] = .moment(milliseconds: self.startMilliseconds + milliseconds)
        values["context.proxy_error_code"] = .text(self.flags)
        values["check.cache_hit"] = .truth(self.check?.isFromCache ?? false)
        if let status = self.check?.status, !status.isOK {
            values["check.error_code"] = .number(Int64(status.code))
            values["check.error_message"] = .text(status.message)
        }
        return values
    }
}
