internal import MeshModel
internal import NIOCore
internal import TrafficEngine

/// Asks the policy engine about one connection, once it is known where it goes, and tells how far it has come.
final class MixerConnection {
    let policy: MixerPolicy
    /// What policies that are only tried out made of the connection.
    var dryRun: DryRunOutcome?
    private let worker: Worker
    private let facts: PolicyFacts
    /// Names the connection in all that is said of it.
    private let id: String
    private let startMilliseconds = Int64(WallClock.milliseconds())
    private let startNanoseconds = NIODeadline.now().uptimeNanoseconds
    private var service: MixerService?
    private var verdict: MixerReport.Check?
    /// Bytes that the engine has been told of.
    private var told = (received: 0, sent: 0)
    private var isCancelled = false

    init(worker: Worker, policy: MixerPolicy, facts: ClientFacts) {
        self.worker = worker
        self.policy = policy
        self.facts = PolicyFacts(facts)
        self.id = String(worker.random(), radix: 16)
    }

    /// Somebody is told of the connection.
    var isReporting: Bool { self.policy.reportServer != nil }

    // MARK: The question

    /// Asks once.
    ///
    /// - Parameters:
    ///   - service: what the connection's cluster stands for; only looked at on the way out.
    ///   - completion: called on the loop, later, if `waiting` is returned.
    /// - Returns: `waiting` if the engine has to be asked.
    func check(service: MixerService?, completion: @escaping (ConnectionOutcome) -> Void) -> ConnectionOutcome {
        let destination =
            switch self.policy.side {
            case .inbound: self.policy.first
            case .outbound: self.policy.destination(of: service)
            }
        self.service = destination.service
        guard let server = self.policy.checkServer else { return .allowed }
        let attributes = RequestAttributes(connection: self.id, self.facts, self.policy, self.service)
        let session = self.worker.mixer
        let charges = destination.charges(attributes)
        func question() -> MixerQuestion {
            MixerQuestion(
                .connection(id: self.id),
                facts: self.facts,
                policy: self.policy,
                service: self.service,
                milliseconds: self.startMilliseconds,
                endpoints: self.worker.endpoints(of: server)
            )
        }
        switch session.decide(attributes, charges, server, on: self.worker) {
        case .verdict(let verdict, let endsSoon):
            if endsSoon { session.renew(question(), server, on: self.worker) }
            return self.settle(verdict, charges, isFromCache: true)
        case .ask(let unpaid):
            var question = question()
            if !unpaid.isEmpty {
                question.charges = unpaid
                question.deduplicationID = self.id
            }
            session.ask(question, server, on: self.worker) { answer in
                guard !self.isCancelled else { return }
                completion(self.settle(answer, unpaid))
            }
            return .waiting
        }
    }

    private func settle(_ answer: MixerAnswer, _ charges: [QuotaCharge]) -> ConnectionOutcome {
        switch answer {
        case .failed:
            let failure = MixerText.failure
            return self.policy.failsOpen ? .allowed : .denied(failure.reason, details: failure.details)
        case .answered(let answer):
            return self.settle(answer.verdict(after: charges), charges, isFromCache: false)
        }
    }

    private func settle(_ verdict: CheckVerdict, _ charges: [QuotaCharge], isFromCache: Bool) -> ConnectionOutcome {
        self.verdict = MixerReport.Check(
            status: verdict.status,
            isFromCache: isFromCache,
            isQuotaFromCache: charges.isEmpty ? nil : isFromCache
        )
        // An answer in place of the service's needs somebody who understands it: there is none to a connection.
        guard let denial = MixerText.denial(verdict) else { return .allowed }
        return .denied(.deniedByMixer, details: denial.details)
    }

    /// The connection has ended; nothing is called for it any more.
    func cancel() { self.isCancelled = true }

    // MARK: Reports

    /// - Parameters:
    ///   - event: why it is told now.
    ///   - bytesReceived: from the client since the connection began.
    ///   - bytesSent: to the client since then.
    ///   - upstream: the endpoint.
    ///   - flags: Envoy's response flags.
    func report(
        _ event: ConnectionTraffic.Event,
        bytesReceived: Int,
        bytesSent: Int,
        upstream: NetworkAddress?,
        flags: String
    ) {
        guard let server = self.policy.reportServer else { return }
        var traffic = ConnectionTraffic(event)
        traffic.bytesReceived = bytesReceived - self.told.received
        traffic.bytesReceivedTotal = bytesReceived
        traffic.bytesSent = bytesSent - self.told.sent
        traffic.bytesSentTotal = bytesSent
        self.told = (bytesReceived, bytesSent)
        var report = MixerReport(.connection(id: self.id), self.facts, self.policy, .connection(traffic))
        report.service = self.service
        report.check = self.verdict
        report.dryRun = self.dryRun
        report.startMilliseconds = self.startMilliseconds
        let nanoseconds = NIODeadline.now().uptimeNanoseconds &- self.startNanoseconds
        report.duration = .nanoseconds(Int64(clamping: nanoseconds))
        report.flags = flags
        if self.policy.side == .outbound { report.upstream = upstream }
        self.worker.mixer.report(report, to: server, on: self.worker)
    }
}
