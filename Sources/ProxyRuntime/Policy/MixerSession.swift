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
    /// One, or few: they are looked through.
    private var batches: [Batch] = []
    /// Of the last report: heads that are the same are copied once.
    private var request: OwnedRequest?
    private var response: ReportedHeaders?

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
        let writer: (any ReportWriting)?
        var timing = ReportBatch()
    }

    // MARK: Checks

    /// What is to be done about a request.
    enum Decision {
        /// An earlier answer holds, and charges are paid. If it ends soon, ask as well, but do not wait.
        case verdict(CheckVerdict, endsSoon: Bool)
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
        guard let hit = self.answers[server.name]?.verdict(for: attributes, now: now) else { return .ask(charges) }
        if !hit.verdict.status.isOK {
            self.counts[kind].cachedDenials += 1
            return .verdict(hit.verdict, endsSoon: hit.endsSoon)
        }
        if charges.isEmpty {
            self.counts[kind].cachedAccepts += 1
            return .verdict(hit.verdict, endsSoon: hit.endsSoon)
        }
        var unpaid: [QuotaCharge] = []
        for charge in charges {
            switch self.quotas[server.name, default: QuotaCache()].charge(charge, for: attributes, now: now) {
            case .paid: ()
            case .ask(let amount): unpaid.append(QuotaCharge(quota: charge.quota, amount: charge.amount, asked: amount))
            case .usedUp:
                self.counts[kind].cachedDenials += 1
                self.counts[kind].quotaDenials += 1
                return .verdict(CheckVerdict(.exhausted(charge.quota)), endsSoon: hit.endsSoon)
            }
        }
        guard unpaid.isEmpty else { return .ask(unpaid) }
        self.counts[kind].cachedAccepts += 1
        self.counts[kind].quotaHits += 1
        return .verdict(hit.verdict, endsSoon: hit.endsSoon)
    }

    /// Asks the engine anew for an answer that ends soon; nobody waits for it.
    func renew(_ question: MixerQuestion, _ server: MixerPolicy.Server, on worker: Worker) {
        self.counts[question.subject.isConnection].renewals += 1
        self.ask(question, server, on: worker) { _ in }
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

    /// A copy of a request's head.
    func copy(_ view: RequestView) -> OwnedRequest {
        if let request = self.request, request.isSame(as: view) { return request }
        let request = OwnedRequest(view)
        self.request = request
        return request
    }

    /// A copy of an answer's head, with which `bytes` begin.
    func copy(_ bytes: UnsafeRawBufferPointer, _ fields: [HeaderField]) -> ReportedHeaders {
        if let response = self.response, response.isSame(as: bytes, fields) { return response }
        let response = ReportedHeaders(bytes, fields)
        self.response = response
        return response
    }

    /// Tells the engine what became of a request, or how far a connection has come, soon.
    func report(_ report: MixerReport, to server: MixerPolicy.Server, on worker: Worker) {
        self.counts[report.subject.isConnection].reports += 1
        let index = self.batch(for: server, on: worker)
        self.batches[index].writer?.add(report)
        let bytes = self.batches[index].writer?.byteCount ?? 0
        self.obey(self.batches[index].timing.added(bytes: bytes, now: worker.elapsed), server.name, worker)
    }

    private func batch(for server: MixerPolicy.Server, on worker: Worker) -> Int {
        if let index = self.index(of: server.name) {
            // The number of a cluster changes with the configuration.
            self.batches[index].server = server
            return index
        }
        self.batches.append(Batch(server: server, writer: worker.options.requestMixing?.makeReportWriter()))
        return self.batches.count - 1
    }

    /// Sends what waits, because the proxy ends.
    func flush(on worker: Worker) {
        let now = worker.elapsed
        for index in self.batches.indices {
            self.obey(self.batches[index].timing.ended(now: now), self.batches[index].server.name, worker)
        }
    }

    private func timeElapsed(_ name: String, _ worker: Worker) {
        guard let index = self.index(of: name) else { return }
        self.obey(self.batches[index].timing.timeElapsed(now: worker.elapsed), name, worker)
    }

    private func index(of name: String) -> Int? { self.batches.firstIndex { $0.server.name == name } }

    private func obey(_ next: ReportBatch.Next, _ name: String, _ worker: Worker) {
        guard next != .wait, let index = self.index(of: name) else { return }
        switch next {
        case .wait: ()
        case .drop(let count):
            _ = self.batches[index].writer?.take()
            // Those of connections are counted with the others: one call tells of both.
            self.counts.requests.reportsDropped += count
        case .startTimer(let delay):
            let bound = NIOLoopBound((session: self, worker: worker), eventLoop: worker.loop)
            worker.loop.scheduleTask(in: TimeAmount(delay)) {
                bound.value.session.timeElapsed(name, bound.value.worker)
            }
        case .send(let count): self.send(count, self.batches[index], worker)
        }
    }

    private func send(_ count: Int, _ batch: Batch, _ worker: Worker) {
        let name = batch.server.name
        let loop = worker.loop
        let bound = NIOLoopBound(self, eventLoop: loop)
        let settle: @Sendable (Int) -> Void = { lost in loop.execute { bound.value.settled(name, lost) } }
        guard let mixing = worker.options.requestMixing, let messages = batch.writer?.take() else {
            return settle(count)
        }
        self.counts.requests.reportCalls += messages.count
        mixing.report(messages, to: worker.endpoints(of: batch.server), completion: settle)
    }

    private func settled(_ name: String, _ lost: Int) {
        if let index = self.index(of: name) { self.batches[index].timing.settled() }
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
