/// Asks the policy engine about requests, and tells it what became of them.
package protocol RequestMixing: Sendable {
    /// Asks about one request. `completion` is called once, on any thread, soon after the policy's `checkTimeout` at the
    /// latest.
    func check(_ question: MixerQuestion, completion: @escaping @Sendable (MixerAnswer) -> Void)

    /// Something that writes reports of one event loop for one engine.
    func makeReportWriter() -> any ReportWriting

    /// Tells what became of requests.
    ///
    /// - Parameters:
    ///   - messages: what a writer of this object has written; not empty.
    ///   - endpoints: where the engine can be reached, best first.
    ///   - completion: called once, on any thread, with how many reports the engine did not get.
    func report(
        _ messages: [ReportMessage],
        to endpoints: [ServiceEndpoint],
        completion: @escaping @Sendable (Int) -> Void
    )
}

/// Writes reports as they come, so that nothing of a request outlives it but a few bytes.
package protocol ReportWriting: AnyObject {
    /// Of what was written and not taken yet, about.
    var byteCount: Int { get }

    func add(_ report: MixerReport)

    /// What was written since the last call.
    func take() -> [ReportMessage]
}

/// Some reports as the engine reads them.
package struct ReportMessage: Sendable {
    package var bytes: [UInt8]
    /// How many reports it tells.
    package var count: Int

    package init(bytes: [UInt8], count: Int) {
        self.bytes = bytes
        self.count = count
    }
}

/// What the engine is asked about one request or connection.
package struct MixerQuestion: Sendable {
    package var subject: MixerSubject
    package var facts: PolicyFacts
    package var policy: MixerPolicy
    /// The one that it is for.
    package var service: MixerService?
    /// When it came, since 1970.
    package var milliseconds: Int64
    /// What is to be charged if it may pass, by the quota's name.
    package var charges: [QuotaCharge] = []
    /// Names the attempt, so that it is charged once.
    package var deduplicationID = ""
    /// Where the engine can be reached, best first.
    package var endpoints: [ServiceEndpoint]

    package init(
        _ subject: MixerSubject,
        facts: PolicyFacts,
        policy: MixerPolicy,
        service: MixerService? = nil,
        milliseconds: Int64,
        endpoints: [ServiceEndpoint]
    ) {
        self.subject = subject
        self.facts = facts
        self.policy = policy
        self.service = service
        self.milliseconds = milliseconds
        self.endpoints = endpoints
    }

    /// All attributes, as the engine is told them.
    package var attributes: [String: MixerValue] {
        self.subject.withAttributes(self.facts, self.policy, self.service) { $0.all(at: self.milliseconds) }
    }
}

/// What came of a question.
package enum MixerAnswer: Hashable, Sendable {
    /// The engine has decided, whatever its status: a handler's failure is a decision, too.
    case answered(CheckAnswer)
    /// It could not be asked; why, for people.
    case failed(String)
}

/// The engine's answer.
package struct CheckAnswer: Hashable, Sendable {
    package var verdict: CheckVerdict
    /// Zero: it holds for this request alone.
    package var validDuration: Duration = .zero
    /// So often it may be used again; negative: as often as wanted.
    package var validUseCount: Int32 = 0
    /// What it depends on; `nil`: that was not understood.
    package var references: [CheckReference]?
    /// By the quota's name.
    package var quotas: [String: QuotaAnswer] = [:]

    package init(_ verdict: CheckVerdict) { self.verdict = verdict }
}

/// Whether a request may pass, and what is done to it.
package struct CheckVerdict: Hashable, Sendable {
    package var status: MixerStatus
    package var requestLine = RequestLineEdits()
    package var requestHeaders = HeaderEdits()
    package var responseHeaders = HeaderEdits()
    /// An answer in place of the service's; 0: none.
    package var directStatus = 0
    package var directBody = ""

    package init(_ status: MixerStatus) { self.status = status }

    /// The request is another one after it, and may have another route.
    package var changesRequest: Bool { !self.requestLine.isEmpty || !self.requestHeaders.isEmpty }
}
