import MeshModel
import TrafficEngine

/// What policies make of a request or connection that nobody sends, decided by the proxy's own code.
struct PolicyAnswer: Hashable {
    enum Verdict: Hashable {
        case allowed
        case denied
        /// The service of a CUSTOM policy would be asked.
        case asks(provider: String)
    }

    var verdict = Verdict.allowed
    /// The rule that denied, the CUSTOM policy that asks, or else the first rule of ALLOW policies that matched.
    var rule: String?
    /// All rules that matched, those of dry runs and AUDIT policies included.
    var matched: [String] = []

    /// - Parameters:
    ///   - policies: in the order in which they are asked.
    ///   - request: without it the question is about a connection.
    ///   - facts: of the connection.
    ///   - claims: of the request's token, which is taken for verified.
    init(of policies: [HTTPPolicy], _ request: RequestView?, _ facts: PolicyFacts, claims: ClaimValue? = nil) {
        for policy in policies {
            switch policy {
            case .tokens(let tokens):
                guard claims == nil, !tokens.allowsMissing else { continue }
                self.verdict = .denied
                return
            case .external(let external):
                guard external.condition?.holds(request, facts, claims: claims) ?? true else { continue }
                self.verdict = .asks(provider: external.provider.name)
                self.rule = external.name
                return
            case .rules(let rules):
                let match = rules.firstMatch(request, facts, claims: claims).map { Self.name(rules.entries[$0]) }
                if let match { self.matched.append(match) }
                let verdict = rules.decide(request, facts, claims: claims)
                guard !rules.isShadow else { continue }
                if case .denied = verdict {
                    self.verdict = .denied
                    self.rule = match
                    return
                }
                if rules.action == .allow { self.rule = self.rule ?? match }
            }
        }
    }

    /// About a connection.
    init(of policies: [ConnectionPolicy], _ facts: PolicyFacts) {
        let policies: [HTTPPolicy] = policies.map {
            switch $0 {
            case .rules(let rules): .rules(rules)
            case .external(let external): .external(external)
            }
        }
        self.init(of: policies, nil, facts)
    }

    /// `namespace/name rule 0`
    static func name(_ entry: RulePolicy.Entry) -> String { PolicyName(entry.name)?.description ?? entry.name }
}
