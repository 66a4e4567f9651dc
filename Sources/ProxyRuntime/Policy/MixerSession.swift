internal import Logging
internal import MeshModel
internal import NIOCore
internal import TrafficEngine

/// What one event loop knows of the policy engine: answers that still hold, reports that wait for others, counts.
final class MixerSession {
    private(set) var counts = Counts()
    /// By the engine's cluster. Answers outlive the configuration that they were asked under: what they depend on is
    /// in their keys.
    private var answers: [String: CheckCache] = [:]
    private var quotas: [String: QuotaCache] = [:]
    private var batches: [String: Batch] = [:]

    struct Counts {
        var requests = MixerStatistics()
        var connections = MixerStatistics()

        fileprivate subscript(_ isConnection: Bool) -> MixerStatistics {
            get { isConnection ? self.connections : self.requests }
            set { if isConnection { self.connections = newValue } else { self.requests = newValue } }
        }
    }

    /// Reports for one cluster.
    private struct Batch {
        var server: MixerPolicy.Server
        var reports = ReportBatch()
    }

    // MARK: Checks

    /// What is to be done about a request.
    enum Decision {
        /// An earlier answer holds, and charges are paid.
        case verdict(CheckVerdict)
        /// Ask the engine, and have it charge so much.
        case ask([QuotaCharge])
    }

    /// Decides about a request or connection with what earlier answers have said, if they have.
    func decide(
        _ attributes: RequestAttributes,
        _ charges: [QuotaCharge],
        _ server: MixerPolicy.Server,
        on worker: Worker
    ) -> Decision {
        let kind = attributes.isConnection
        self.counts[kind].checks += 1
        if !charges.isEmpty { self.counts[kind].quotaChecks += 1 }
        let now = worker.elapsed
        guard let verdict = self.answers[server.name]?.verdict(for: attributes, now: now) else { return .ask(charges) }
        if !verdict.status.isOK {
            self.counts[kind].cachedDenials += 1
            return .verdict(verdict)
        }
        if charges.isEmpty {
            self.counts[kind].cachedAccepts += 1
            return .verdict(verdict)
        }
        var unpaid: [QuotaCharge] = []
        for charge in charges {
            switch self.quotas[server.name, default: QuotaCache()].charge(charge, for: attributes, now: now) {
            case .paid: ()
            case .ask(let amount): unpaid.append(QuotaCharge(quota: charge.quota, amount: charge.amount, asked: amount))
            case .usedUp:
                self.counts[kind].cachedDenials += 1
                self.counts[kind].quotaDenials += 1
                return .verdict(CheckVerdict(.exhausted(charge.quota)))
            }
        }
        guard unpaid.isEmpty else { return .ask(unpaid) }
        self.counts[kind].cachedAccepts += 1
        self.counts[kind].quotaHits += 1
        return .verdict(verdict)
    }

    /// Asks the engine; `completion` is called on the loop, later.
    func ask(
        _ question: MixerQuestion,
        _ server: MixerPolicy.Server,
        on worker: Worker,
        completion: @escaping (MixerAnswer) -> Void
    ) {
        self.counts[question.subject.isConnection].calls += 1
        let loop = worker.loop
        let bound = NIOLoopBound((session: self, worker: worker, completion: completion), eventLoop: loop)
        let settle: @Sendable (MixerAnswer) -> Void = { answer in
            loop.execute {
                let (session, worker, completion) = bound.value
                session.answered(answer, question, server, worker)
                completion(answer)
            }
        }
        guard let mixing = worker.options.requestMixing else { return settle(.failed("nothing can ask it here")) }
        mixing.check(question, completion: settle)
    }

    private func answered(
        _ answer: MixerAnswer,
        _ question: MixerQuestion,
        _ server: MixerPolicy.Server,
        _ worker: Worker
    ) {
        let kind = question.subject.isConnection
        switch answer {
        case .failed(let reason):
            self.counts[kind].callFailures += 1
            worker.logger.debug(
                "policy engine could not be asked",
                metadata: [
                    "cluster": "\(server.name)", "reason": "\(reason)",
                    "lets_through": "\(question.policy.failsOpen)",
                ]
            )
        case .answered(let answer):
            let isRefused = !answer.verdict(after: question.charges).status.isOK
            if isRefused { self.counts[kind].denials += 1 } else { self.counts[kind].accepts += 1 }
            if isRefused, answer.verdict.status.isOK { self.counts[kind].quotaDenials += 1 }
            question.subject.withAttributes(question.facts, question.policy, question.service) { attributes in
                let now = worker.elapsed
                self.answers[server.name, default: CheckCache()].keep(answer, for: attributes, now: now)
                for charge in question.charges {
                    guard let quota = answer.quotas[charge.quota] else { continue }
                    self.quotas[server.name, default: QuotaCache()].granted(quota, for: charge, attributes, now: now)
                }
            }
        }
    }

    /// What earlier answers say of a request that is only looked at.
    func kept(
        _ attributes: RequestAttributes,
        _ charges: [QuotaCharge],
        _ server: MixerPolicy.Server?,
        on worker: Worker
    ) -> MixerTrace.Loop {
        guard let name = server?.name else { return MixerTrace.Loop() }
        let now = worker.elapsed
        return MixerTrace.Loop(
            findings: self.answers[name]?.findings(for: attributes, now: now) ?? [],
            quotas: charges.compactMap { self.quotas[name]?.finding(for: $0, attributes, now: now) }
        )
    }

    // MARK: Reports

    /// Tells the engine what became of a request, or how far a connection has come, soon.
    func report(_ report: MixerReport, to server: MixerPolicy.Server, on worker: Worker) {
        self.counts[report.subject.isConnection].reports += 1
        let next = self.batches[server.name, default: Batch(server: server)].reports.added(report)
        self.obey(next, server.name, worker)
    }

    /// Sends what waits, because the proxy ends.
    func flush(on worker: Worker) {
        for name in self.batches.keys { self.timeElapsed(name, worker) }
    }

    private func timeElapsed(_ name: String, _ worker: Worker) {
        guard let next = self.batches[name]?.reports.timeElapsed() else { return }
        self.obey(next, name, worker)
    }

    private func obey(_ next: ReportBatch.OnReport, _ name: String, _ worker: Worker) {
        switch next {
        case .wait: ()
        // Those of connections are counted with the others: one call tells of both.
        case .drop(let count): self.counts.requests.reportsDropped += count
        case .startTimer:
            let bound = NIOLoopBound((session: self, worker: worker), eventLoop: worker.loop)
            worker.loop.scheduleTask(in: TimeAmount(ReportBatch.delay)) {
                bound.value.session.timeElapsed(name, bound.value.worker)
            }
        case .send(let reports): self.send(reports, name, worker)
        }
    }

    private func send(_ reports: [MixerReport], _ name: String, _ worker: Worker) {
        guard let server = self.batches[name]?.server else { return }
        self.counts.requests.reportCalls += 1
        let loop = worker.loop
        let bound = NIOLoopBound(self, eventLoop: loop)
        let count = reports.count
        let settle: @Sendable (Bool) -> Void = { isTaken in
            loop.execute { bound.value.settled(name, isTaken ? 0 : count) }
        }
        guard let mixing = worker.options.requestMixing else { return settle(false) }
        mixing.report(reports, to: worker.endpoints(of: server), completion: settle)
    }

    private func settled(_ name: String, _ lost: Int) {
        self.batches[name]?.reports.settled()
        guard lost > 0 else { return }
        self.counts.requests.reportCallFailures += 1
        self.counts.requests.reportsDropped += lost
    }
}

extension Worker {
    /// Since the loop began; coarse, and only forward.
    var elapsed: Duration { .milliseconds(self.wheel.now * Tick.milliseconds) }

    /// Where the policy engine can be reached, beginning with a random endpoint.
    func endpoints(of server: MixerPolicy.Server) -> [ServiceEndpoint] {
        self.cluster(server.cluster)?
            .usableEndpoints(max: ServiceEndpoint.countMax, from: self.random()) ?? []
    }
}
