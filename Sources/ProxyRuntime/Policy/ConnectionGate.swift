internal import MeshModel
internal import NIOCore
internal import TrafficEngine

/// What the policies of a filter chain make of a connection.
enum ConnectionOutcome {
    case allowed
    /// With the text for the log's termination details.
    case denied(EndReason, details: String)
    /// A service has to be asked; the completion that was given along will be called on the loop.
    case waiting
}

/// Takes one connection through the policies of its filter chain, in order.
final class ConnectionGate {
    private let worker: Worker
    private let policies: [ConnectionPolicy]
    private let counters: PolicyCounters
    private var index = 0
    private var isCancelled = false
    /// What policies that are only tried out would have made of the connection.
    private(set) var dryRun: DryRunOutcome?
    private var completion: ((ConnectionOutcome) -> Void)?

    /// - Parameters:
    ///   - worker: the loop that the connection lives on.
    ///   - policies: in order.
    ///   - statPrefix: of the chain's TCP proxy or connection manager.
    init(worker: Worker, policies: [ConnectionPolicy], statPrefix: String) {
        self.worker = worker
        self.policies = policies
        self.counters = worker.policyCounters("tcp.\(statPrefix)")
    }

    /// Asks once.
    ///
    /// - Parameters:
    ///   - facts: of the connection, with its peer where TLS is taken off.
    ///   - completion: called on the loop, later, if `waiting` is returned.
    /// - Returns: `waiting` if a service has to be asked.
    func begin(facts: ClientFacts, completion: @escaping (ConnectionOutcome) -> Void) -> ConnectionOutcome {
        let outcome = self.advance(facts)
        if case .waiting = outcome { self.completion = completion }
        return outcome
    }

    /// The connection has ended; nothing is called for it any more.
    func cancel() {
        self.isCancelled = true
        self.completion = nil
    }

    private func advance(_ facts: ClientFacts) -> ConnectionOutcome {
        let known = PolicyFacts(facts)
        while self.index < self.policies.count {
            let policy = self.policies[self.index]
            self.index += 1
            switch policy {
            case .rules(let rules):
                let verdict = rules.decide(nil, known, claims: nil)
                self.counters.count(rules, verdict)
                if let outcome = DryRunOutcome(rules, verdict) {
                    self.dryRun = self.dryRun?.joined(with: outcome) ?? outcome
                }
                guard case .denied(let entry) = verdict, !rules.isShadow, rules.action != .log else { continue }
                return .denied(.deniedByPolicy, details: PolicyText.details(rules, entry))
            case .external(let external):
                if let condition = external.condition, !condition.holds(nil, known, claims: nil) { continue }
                guard let authorizer = self.worker.options.requestAuthorizer else {
                    if let denial = self.settle(.failed("nothing can ask services here"), external) { return denial }
                    continue
                }
                let endpoints = self.worker.endpoints(of: external)
                let question = AuthorizationQuestion(nil, facts, endpoints: endpoints)
                let bound = NIOLoopBound((gate: self, facts: facts), eventLoop: self.worker.loop)
                let loop = self.worker.loop
                authorizer.authorize(question, policy: external) { answer in
                    loop.execute { bound.value.gate.answered(answer, external, bound.value.facts) }
                }
                return .waiting
            }
        }
        return .allowed
    }

    private func answered(_ answer: AuthorizationAnswer, _ policy: ExternalPolicy, _ facts: ClientFacts) {
        guard !self.isCancelled else { return }
        let outcome = self.settle(answer, policy) ?? self.advance(facts)
        if case .waiting = outcome { return }
        let completion = self.completion
        self.completion = nil
        completion?(outcome)
    }

    /// `nil`: the next policy's turn.
    private func settle(_ answer: AuthorizationAnswer, _ policy: ExternalPolicy) -> ConnectionOutcome? {
        switch answer {
        case .allowed:
            self.counters.counts.externalAllowed += 1
            return nil
        case .denied:
            self.counters.counts.externalDenied += 1
            return .denied(.deniedByProvider, details: "ext_authz_denied")
        case .failed(let reason):
            self.counters.counts.externalFailed += 1
            self.worker.logAuthorizationFailure(policy, reason)
            return policy.provider.failsOpen ? nil : .denied(.providerFailed, details: "ext_authz_error")
        }
    }
}
