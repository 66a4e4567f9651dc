internal import MeshModel
internal import NIOCore
internal import TrafficEngine

/// Takes one request at a time through the policies in front of its route, in order.
///
/// Rules are decided at once; a token whose keys have to be fetched and a service that has to be asked make the request
/// wait, with a copy of its head. What policies change is seen by those after them.
final class PolicyGate {
    private let worker: Worker
    private let policies: [HTTPPolicy]
    private let manager: HTTPConnectionManager?
    private let counters: PolicyCounters
    private let needsRemoteAddress: Bool
    private var index = 0
    /// Grows with every request, so that an answer for an earlier one is not taken for this one's.
    private var number = 0
    private var effects = PolicyEffects()
    private var claims: ClaimValue?
    /// The same as it was sent; kept for the policy engine alone.
    private var claimsPayload: [UInt8]?
    private var facts: PolicyFacts?
    private var client: ClientFacts?
    /// The request where it is not, or no longer, what was received.
    private var owned: OwnedRequest?
    /// Tokens of the policy that is looked at now; `nil`: not searched for yet.
    private var tokens: [PresentedToken]?
    private var tokenIndex = 0
    private var completion: ((PolicyOutcome) -> Void)?
    /// What the greediest service wants to see of bodies; 0: none wants any.
    private let bodyBytesMax: Int
    /// What has come of the request's body; `nil`: it has none, or nobody wants it.
    private var body: CheckedBody?
    /// The request waits for its own body.
    private(set) var wantsBody = false

    /// - Parameters:
    ///   - worker: the loop that requests come in on.
    ///   - policies: in order.
    ///   - manager: tells whose `x-forwarded-for` is trusted and where things are counted.
    init(worker: Worker, policies: [HTTPPolicy], manager: HTTPConnectionManager? = nil) {
        self.worker = worker
        self.policies = policies
        self.manager = manager
        self.counters = worker.policyCounters("http.\(manager?.statPrefix ?? "")")
        self.needsRemoteAddress = policies.contains {
            switch $0 {
            case .rules(let policy): policy.needsRemoteAddress
            case .external(let policy): policy.condition?.needsRemoteAddress ?? false
            case .tokens: false
            }
        }
        self.bodyBytesMax = policies.reduce(0) { most, policy in
            guard case .external(let external) = policy, let body = external.provider.body else { return most }
            return max(most, BodyWish(body).bytesMax)
        }
    }

    /// Starts with a request; one that was under way is forgotten.
    ///
    /// - Parameters:
    ///   - view: the head, valid during this call.
    ///   - facts: of the connection.
    ///   - body: of what kind the body is that follows; `nil`: there is none.
    ///   - completion: called on the loop, later, with `allowed` or `denied`, if `waiting` is returned.
    /// - Returns: `waiting` if somebody has to be asked, or, if `wantsBody`, for the body to come first.
    func begin(
        _ view: RequestView,
        facts: ClientFacts,
        body: CheckedBody.Form? = nil,
        completion: @escaping (PolicyOutcome) -> Void
    ) -> PolicyOutcome {
        self.cancel()
        self.client = facts
        if self.bodyBytesMax > 0 { self.body = body.map { CheckedBody($0, bytesMax: self.bodyBytesMax) } }
        var known = PolicyFacts(facts)
        if self.needsRemoteAddress {
            known.remote = ClientAddress.remote(
                view,
                peer: facts.source?.ip,
                trustedHops: self.manager?.trustedHops ?? 0,
                isEdge: self.manager?.appendsPeerAddress ?? false
            )
        }
        self.facts = known
        let outcome = self.noted(self.advance(view))
        if case .waiting = outcome { self.completion = completion }
        return outcome
    }

    /// The request has ended; nothing is called for it any more.
    func cancel() {
        self.number += 1
        self.index = 0
        self.tokenIndex = 0
        self.effects = PolicyEffects()
        self.claimsPayload = nil
        (self.claims, self.facts, self.client, self.owned, self.tokens, self.completion) = (
            nil, nil, nil, nil, nil, nil
        )
        (self.body, self.wantsBody) = (nil, false)
    }

    /// More of the request's body has come.
    func bodyReceived(_ slice: ByteBuffer, isLast: Bool) {
        self.body?.take(slice, isLast: isLast)
        guard self.wantsBody else { return }
        self.wantsBody = false
        self.finish(self.advance(nil))
    }

    // MARK: In order

    /// `received` is there only while the head's bytes are.
    private func advance(_ received: RequestView?) -> PolicyOutcome {
        while self.index < self.policies.count, let facts = self.facts {
            let policy = self.policies[self.index]
            let outcome: PolicyOutcome?
            if let owned = self.owned {
                outcome = owned.withView { self.apply(policy, $0, facts) }
            } else if let received {
                outcome = self.apply(policy, received, facts)
            } else {
                preconditionFailure("a request that waits has been copied")
            }
            if let outcome { return outcome }
            self.index += 1
            self.tokens = nil
            self.tokenIndex = 0
        }
        if self.manager?.mixer != nil {
            self.effects.claims = self.claims
            self.effects.claimsPayload = self.claimsPayload
        }
        return .allowed(self.effects)
    }

    /// `nil`: the next policy's turn.
    private func apply(_ policy: HTTPPolicy, _ view: RequestView, _ facts: PolicyFacts) -> PolicyOutcome? {
        switch policy {
        case .rules(let rules): self.decide(rules, view, facts).map { .denied($0) }
        case .tokens(let tokens): self.check(tokens, view)
        case .external(let external): self.ask(external, view, facts)
        }
    }

    /// Goes on after a wait.
    private func resume(_ settled: PolicyOutcome?) {
        if settled == nil {
            self.index += 1
            self.tokens = nil
            self.tokenIndex = 0
        }
        self.finish(settled ?? self.advance(nil))
    }

    private func finish(_ outcome: PolicyOutcome) {
        if case .waiting = outcome { return }
        let completion = self.completion
        let outcome = self.noted(outcome)
        self.cancel()
        completion?(outcome)
    }

    /// A refusal with what dry runs have said before it; who lets pass has it among the effects.
    private func noted(_ outcome: PolicyOutcome) -> PolicyOutcome {
        guard case .denied(var denial) = outcome, let dryRun = self.effects.dryRun else { return outcome }
        denial.dryRun = dryRun
        return .denied(denial)
    }

    private func change(_ edits: HeaderEdits, _ view: RequestView) {
        guard !edits.isEmpty else { return }
        self.effects.requestHeaders = self.effects.requestHeaders.then(edits)
        // Only policies that follow look at the request again.
        guard self.index + 1 < self.policies.count || self.owned != nil else { return }
        var owned = self.owned ?? OwnedRequest(view)
        owned.apply(edits)
        self.owned = owned
    }

    // MARK: Rules

    private func decide(_ policy: RulePolicy, _ view: RequestView, _ facts: PolicyFacts) -> PolicyDenial? {
        let verdict = policy.decide(view, facts, claims: self.claims)
        self.counters.count(policy, verdict)
        if policy.isShadow || policy.action == .log {
            let text = PolicyText.shadow(policy, verdict)
            if !text.isEmpty { self.effects.shadowDetails += (self.effects.shadowDetails.isEmpty ? "" : " ") + text }
            if self.manager?.mixer?.reportServer != nil, let outcome = DryRunOutcome(policy, verdict) {
                self.effects.dryRun = self.effects.dryRun?.joined(with: outcome) ?? outcome
            }
            return nil
        }
        guard case .denied(let entry) = verdict else { return nil }
        var headers = HeaderEdits()
        if policy.showsDenials {
            headers.set.append(.init(name: PolicyText.deniedHeader, value: PolicyText.culprit(policy, entry)))
        }
        return PolicyDenial(
            status: 403,
            body: PolicyText.denied,
            reason: .deniedByPolicy,
            details: PolicyText.details(policy, entry),
            headers: headers
        )
    }

    // MARK: Tokens

    private func check(_ policy: TokenPolicy, _ view: RequestView) -> PolicyOutcome? {
        if self.tokens == nil {
            // Only the proxy may write these: what a client sends under their names would pass for verified.
            self.change(HeaderEdits(remove: policy.writtenHeaders.filter { view.has($0) }), view)
            guard let found = policy.tokens(in: view) else { return self.deny(.tooMany, view) }
            self.tokens = found
            if found.isEmpty, !policy.allowsMissing { return self.deny(.missing, view) }
        }
        while let token = self.tokens?.dropFirst(self.tokenIndex).first {
            guard let verifier = self.worker.options.tokenVerifier else { return self.deny(.noKey, view) }
            let number = self.number
            let loop = self.worker.loop
            let bound = NIOLoopBound(self, eventLoop: loop)
            let verdict = verifier.verify(token, policy: policy) { verdict in
                loop.execute { bound.value.verified(verdict, token, policy, number) }
            }
            guard let verdict else {
                if self.owned == nil { self.owned = OwnedRequest(view) }
                return .waiting
            }
            if let denial = self.take(verdict, token, policy, view) { return denial }
            self.tokenIndex += 1
        }
        self.counters.counts.tokensAllowed += 1
        return nil
    }

    /// A verdict that was waited for.
    private func verified(_ verdict: TokenVerdict, _ token: PresentedToken, _ policy: TokenPolicy, _ number: Int) {
        guard number == self.number, let owned = self.owned else { return }
        if let denial = owned.withView({ self.take(verdict, token, policy, $0) }) { return self.finish(denial) }
        self.tokenIndex += 1
        self.finish(self.advance(nil))
    }

    /// `nil`: the token is good.
    private func take(
        _ verdict: TokenVerdict,
        _ token: PresentedToken,
        _ policy: TokenPolicy,
        _ view: RequestView
    ) -> PolicyOutcome? {
        switch verdict {
        case .refused(let fault): return self.deny(fault, view)
        case .verified(let verified):
            self.claims = verified.claims
            if self.manager?.mixer != nil { self.claimsPayload = verified.payload }
            self.change(policy.edits(for: verified, of: token), view)
            return nil
        }
    }

    private func deny(_ fault: TokenFault, _ view: RequestView) -> PolicyOutcome {
        self.counters.counts.tokensDenied += 1
        let challenge = PolicyText.challenge(view, scheme: view.isSecure ? "https" : "http", fault)
        return .denied(
            PolicyDenial(
                status: 401,
                body: Array(fault.rawValue.utf8),
                reason: .deniedByToken,
                details: fault.details,
                headers: HeaderEdits(set: [.init(name: Array("www-authenticate".utf8), value: challenge)])
            )
        )
    }

    // MARK: Services

    private func ask(_ policy: ExternalPolicy, _ view: RequestView, _ facts: PolicyFacts) -> PolicyOutcome? {
        if let condition = policy.condition, !condition.holds(view, facts, claims: self.claims) { return nil }
        guard let authorizer = self.worker.options.requestAuthorizer, let client = self.client else {
            return self.settle(.failed("nothing can ask services here"), policy)
        }
        var shown: AuthorizationQuestion.Body?
        if let wanted = policy.provider.body {
            switch self.body?.shown(to: BodyWish(wanted)) ?? .show(count: 0, isPartial: false) {
            case .wait:
                if self.owned == nil { self.owned = OwnedRequest(view) }
                self.wantsBody = true
                return .waiting
            case .show(let count, let isPartial):
                let bytes = Array(self.body?.bytes.prefix(count) ?? [])
                shown = AuthorizationQuestion.Body(bytes: bytes, isPartial: isPartial)
            case .refuse: return .denied(.bodyTooLarge)
            }
        }
        var question = AuthorizationQuestion(view, client, endpoints: self.worker.endpoints(of: policy))
        question.request?.body = shown
        if self.owned == nil { self.owned = OwnedRequest(view) }
        let number = self.number
        let loop = self.worker.loop
        let bound = NIOLoopBound(self, eventLoop: loop)
        authorizer.authorize(question, policy: policy) { answer in
            loop.execute { bound.value.answered(answer, policy, number) }
        }
        return .waiting
    }

    private func answered(_ answer: AuthorizationAnswer, _ policy: ExternalPolicy, _ number: Int) {
        guard number == self.number else { return }
        self.resume(self.settle(answer, policy))
    }

    /// `nil`: the request may go on.
    private func settle(_ answer: AuthorizationAnswer, _ policy: ExternalPolicy) -> PolicyOutcome? {
        switch answer {
        case .allowed(let requestHeaders, let responseHeaders):
            self.counters.counts.externalAllowed += 1
            self.effects.responseHeaders = self.effects.responseHeaders.then(responseHeaders)
            if let owned = self.owned { owned.withView { self.change(requestHeaders, $0) } }
            return nil
        case .denied(let status, let body, var headers):
            self.counters.counts.externalDenied += 1
            self.name(policy, in: &headers)
            return .denied(
                PolicyDenial(
                    status: status,
                    body: body,
                    reason: .deniedByProvider,
                    details: "ext_authz_denied",
                    headers: headers
                )
            )
        case .failed(let reason):
            self.counters.counts.externalFailed += 1
            self.worker.logAuthorizationFailure(policy, reason)
            guard !policy.provider.failsOpen else { return nil }
            var headers = HeaderEdits()
            self.name(policy, in: &headers)
            return .denied(
                PolicyDenial(
                    status: Int(policy.provider.statusOnError),
                    body: [],
                    reason: .providerFailed,
                    details: "ext_authz_error",
                    headers: headers
                )
            )
        }
    }

    private func name(_ policy: ExternalPolicy, in headers: inout HeaderEdits) {
        guard policy.showsDenials else { return }
        let value = Array("AuthorizationPolicy \(policy.name) provider \(policy.provider.name)".utf8)
        headers.set.append(.init(name: PolicyText.deniedHeader, value: value))
    }
}
