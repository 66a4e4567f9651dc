import MeshModel
import TrafficEngine

extension Explainer {
    /// Whether rules for connections let it pass.
    mutating func admits(_ policies: [ConnectionPolicy]) -> Bool {
        for policy in policies {
            switch policy {
            case .rules(let rules): if !self.admits(rules, nil) { return false }
            case .external(let external): self.ask(external)
            }
        }
        return true
    }

    /// Whether rules for requests let it pass.
    mutating func admits(_ policies: [HTTPPolicy]) -> Bool {
        for policy in policies {
            switch policy {
            case .rules(let rules): if !self.admits(rules, self.request) { return false }
            case .external(let external): self.ask(external)
            case .tokens(let tokens):
                let issuers = tokens.providers.map(\.issuer).joined(separator: ", ")
                self.add(
                    .policy,
                    tokens.allowsMissing
                        ? "a token of \(issuers) must be valid if there is one"
                        : "a valid token of \(issuers) is needed"
                )
            }
        }
        return true
    }

    private mutating func ask(_ external: ExternalPolicy) {
        self.add(.policy, "\(external.provider.name) (\(external.clusterName)) is asked: \(external.name)")
    }

    private mutating func admits(_ rules: RulePolicy, _ request: OwnedRequest?) -> Bool {
        let facts = self.policyFacts
        let verdict =
            request?.withView { rules.decide($0, facts, claims: nil) } ?? rules.decide(nil, facts, claims: nil)
        let dry = rules.isShadow ? " (dry run, not enforced)" : ""
        switch verdict {
        case .allowed(let entry):
            guard let entry else { return true }
            let word = rules.action == .log ? "audited by" : "allowed by"
            self.add(
                .policy,
                "\(word) \(Self.title(rules.entries[entry].name))\(dry)",
                Self.object(rules.entries[entry].name)
            )
            return true
        case .denied(let entry):
            let object = entry.map { rules.entries[$0].name } ?? rules.entries.first?.name
            let text =
                entry.map { "denied by \(Self.title(rules.entries[$0].name))" }
                ?? "no rule that allows matches (\(rules.entries.map { Self.title($0.name) }.joined(separator: ", ")))"
            self.add(.policy, text + dry, object.flatMap(Self.object))
            if rules.isShadow { return true }
            self.stop(
                request == nil ? "Closed: \(text)." : "403 at \(self.hop.proxy.title): \(text).",
                remedy: entry.map { Remedy.exempt(self.hop, from: rules.entries[$0].name) }
                    ?? Remedy.allow(self.question, at: self.hop)
            )
            return false
        }
    }

    private static func title(_ name: String) -> String { PolicyName(name)?.description ?? name }

    private static func object(_ name: String) -> ObjectReference? {
        PolicyName(name).map {
            ObjectReference(kind: "AuthorizationPolicy", id: ObjectID(namespace: $0.namespace, name: $0.name))
        }
    }
}
