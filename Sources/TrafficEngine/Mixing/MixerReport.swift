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
    /// `nil`: nothing is tried out.
    package var dryRun: DryRunOutcome?

    package init(_ subject: MixerSubject, _ facts: PolicyFacts, _ policy: MixerPolicy, _ outcome: Outcome) {
        self.subject = subject
        self.facts = facts
        self.policy = policy
        self.outcome = outcome
    }

    /// All attributes, as the engine is told them.
    package var attributes: [String: MixerValue] {
        var record = AttributeRecord()
        record.fill(subjectOf: self)
        var values = record.values(over: self.fixed)
        record.fill(responseOf: self)
        values = record.values(over: values)
        record.fill(outcomeOf: self)
        return record.values(over: values)
    }

    /// What the settings say.
    package var fixed: [String: MixerValue] { self.policy.attributes(of: self.service) }

    /// Whether both certainly say the same of the request or connection itself.
    package func isSubjectAlike(_ other: MixerReport) -> Bool {
        self.subject.isAlike(other.subject) && self.facts.isAlike(other.facts)
    }

    /// Whether both certainly say the same of the endpoint's answer.
    package func isResponseAlike(_ other: MixerReport) -> Bool {
        switch (self.outcome, other.outcome) {
        case (.request(let own), .request(let other)): own.isAlike(other)
        case (.connection, .connection): true
        case (.request, .connection), (.connection, .request): false
        }
    }
}

extension AttributeRecord {
    /// Becomes what a report says of the request or connection itself.
    package mutating func fill(subjectOf report: MixerReport) {
        self.removeAll()
        report.subject.withAttributes(report.facts, report.policy, report.service) { self.add($0) }
    }

    /// Becomes what a report says of the endpoint's answer.
    package mutating func fill(responseOf report: MixerReport) {
        self.removeAll()
        if case .request(let outcome) = report.outcome { outcome.addResponse(to: &self) }
    }

    /// Becomes what a report says of its time, and of what became of it.
    package mutating func fill(outcomeOf report: MixerReport) {
        self.removeAll()
        self.add(start: report.startMilliseconds, ofConnection: report.subject.isConnection)
        if let upstream = report.upstream {
            self.set(.destinationAddress) { $0.append(contentsOf: upstream.ip.bytes) }
            self.set(.destinationPort, Int64(upstream.port))
        }
        let (seconds, attoseconds) = report.duration.components
        let end = report.startMilliseconds + seconds * 1000 + attoseconds / 1_000_000_000_000_000
        switch report.outcome {
        case .request(let outcome):
            outcome.add(to: &self, requestHeadBytes: report.subject.headBytes)
            self.set(.responseDuration, report.duration)
            self.set(.responseTime, end)
        case .connection(let traffic):
            traffic.add(to: &self, duration: report.duration)
            self.set(.contextTime, end)
        }
        report.dryRun?.add(to: &self)
        self.set(.proxyErrorCode, text: report.flags)
        self.set(.checkCacheHit, truth: report.check?.isFromCache ?? false)
        if let isHit = report.check?.isQuotaFromCache { self.set(.quotaCacheHit, truth: isHit) }
        if let status = report.check?.status, !status.isOK {
            self.set(.checkErrorCode, Int64(status.code))
            self.set(.checkErrorMessage, text: status.message)
        }
    }
}
