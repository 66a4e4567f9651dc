internal import MeshModel
internal import NIOCore
internal import TrafficEngine

/// Asks the policy engine about one request at a time, once it is known where it goes, and keeps what the engine is to
/// be told of it.
final class MixerGate {
    private let worker: Worker
    private let policy: MixerPolicy
    private let facts: PolicyFacts
    /// What is known so far of the request that is under way; `nil`: nobody is told.
    private var report: MixerReport?
    private var response: ReportedHeaders?
    /// Grows with every question, so that an answer for an earlier one is not taken for this one's.
    private var number = 0
    private var pending: Pending?

    /// A request that waits for the engine's answer.
    private struct Pending {
        var charges: [QuotaCharge]
        var completion: (MixerOutcome) -> Void
    }

    /// `facts`: of the connection that all requests come by.
    init(worker: Worker, policy: MixerPolicy, facts: ClientFacts) {
        self.worker = worker
        self.policy = policy
        self.facts = PolicyFacts(facts)
    }

    /// What endpoints of the mesh are told of the workload, as a line of a head; empty: nothing.
    var sourceLine: [UInt8] { self.policy.forwardedLine }

    /// A request has come; one that was under way is forgotten. `view` is valid during this call.
    func begin(_ view: RequestView) {
        self.cancel()
        self.response = nil
        guard self.policy.reportServer != nil else { return }
        let request = self.worker.mixer.copy(view)
        self.report = MixerReport(.request(request), self.facts, self.policy, .request(RequestOutcome()))
    }

    /// It is known where the request goes: asks whether it may.
    ///
    /// - Parameters:
    ///   - view: the head, valid during this call.
    ///   - service: what its cluster stands for; only looked at on the way out.
    ///   - effects: what policies before this one have changed.
    ///   - completion: called on the loop, later, with `passed` or `denied`, if `waiting` is returned.
    /// - Returns: `waiting` if the engine has to be asked.
    func check(
        _ view: RequestView,
        service: MixerService?,
        effects: PolicyEffects,
        completion: @escaping (MixerOutcome) -> Void
    ) -> MixerOutcome {
        let destination =
            switch self.policy.side {
            case .inbound: self.policy.destination(of: view)
            case .outbound: self.policy.destination(of: service, view)
            }
        self.report?.service = destination.service
        self.report?.facts.claims = effects.claims
        self.report?.facts.claimsPayload = effects.claimsPayload
        guard let server = self.policy.checkServer else { return .passed(nil) }
        let pending = Pending(charges: [], completion: completion)
        var facts = self.facts
        facts.claims = effects.claims
        facts.claimsPayload = effects.claimsPayload
        if effects.requestHeaders.isEmpty { return self.decide(view, nil, facts, destination, server, pending) }
        // The engine sees the request as other policies have left it.
        var owned = OwnedRequest(view)
        owned.apply(effects.requestHeaders)
        return owned.withView { self.decide($0, owned, facts, destination, server, pending) }
    }

    /// The request has ended, or goes elsewhere: nothing is called for it any more.
    func cancel() {
        self.number += 1
        self.pending = nil
    }

    /// Somebody wants to know what the endpoint answers.
    var notesResponses: Bool { self.report != nil }

    /// The policies in front of the route have decided.
    func note(dryRun: DryRunOutcome?) { self.report?.dryRun = dryRun }

    /// An answer's head has come; `bytes` begin with it.
    func noteResponse(_ bytes: UnsafeRawBufferPointer, _ fields: [HeaderField]) {
        guard self.notesResponses else { return }
        self.response = self.worker.mixer.copy(bytes, fields)
    }

    func noteTrailers(_ lines: some Collection<UInt8>) { self.response?.set(trailers: lines) }

    /// What the engine is to be told of the request, which has ended so.
    func takeReport(_ outcome: RequestOutcome) -> MixerReport? {
        guard var report = self.report.take() else { return nil }
        var outcome = outcome
        outcome.response = self.response.take()
        report.outcome = .request(outcome)
        return report
    }

    private func decide(
        _ view: RequestView,
        _ owned: OwnedRequest?,
        _ facts: PolicyFacts,
        _ destination: MixerDestination,
        _ server: MixerPolicy.Server,
        _ pending: Pending
    ) -> MixerOutcome {
        let session = self.worker.mixer
        let attributes = RequestAttributes(view, facts, self.policy, destination.service)
        let charges = destination.charges(attributes)
        func question() -> MixerQuestion {
            MixerQuestion(
                .request(owned ?? OwnedRequest(view)),
                facts: facts,
                policy: self.policy,
                service: destination.service,
                milliseconds: Int64(WallClock.milliseconds()),
                endpoints: self.worker.endpoints(of: server)
            )
        }
        switch session.decide(attributes, charges, server, on: self.worker) {
        case .verdict(let verdict, let endsSoon):
            if endsSoon { session.renew(question(), server, on: self.worker) }
            let check = MixerReport.Check(
                status: verdict.status,
                isFromCache: true,
                isQuotaFromCache: charges.isEmpty ? nil : true
            )
            return self.settle(verdict, check)
        case .ask(let unpaid):
            var question = question()
            if !unpaid.isEmpty {
                question.charges = unpaid
                question.deduplicationID = String(self.worker.random(), radix: 16)
            }
            self.pending = pending
            self.pending?.charges = unpaid
            self.number += 1
            let number = self.number
            session.ask(question, server, on: self.worker) { self.answered($0, number) }
            return .waiting
        }
    }

    private func answered(_ answer: MixerAnswer, _ number: Int) {
        guard number == self.number, let pending = self.pending else { return }
        self.pending = nil
        switch answer {
        case .failed:
            pending.completion(self.policy.failsOpen ? .passed(nil) : .denied(MixerText.failure))
        case .answered(let answer):
            let verdict = answer.verdict(after: pending.charges)
            let check = MixerReport.Check(
                status: verdict.status,
                isFromCache: false,
                isQuotaFromCache: pending.charges.isEmpty ? nil : false
            )
            pending.completion(self.settle(verdict, check))
        }
    }

    private func settle(_ verdict: CheckVerdict, _ check: MixerReport.Check) -> MixerOutcome {
        self.report?.check = check
        if let denial = MixerText.denial(verdict) { return .denied(denial) }
        return .passed(verdict)
    }
}
