/// What policies that are only tried out would have made of a request or connection (`rbac.permissive.*`).
package struct DryRunOutcome: Hashable, Sendable {
    package var isDenied: Bool
    /// The rule that would have decided, as entries of policies are named; `nil`: none matched.
    package var rule: String?

    package init(isDenied: Bool, rule: String?) {
        self.isDenied = isDenied
        self.rule = rule
    }

    /// `nil`: the policy decides in earnest, or saw nothing that it is to tell of.
    package init?(_ policy: RulePolicy, _ verdict: RulePolicy.Verdict) {
        guard policy.isShadow || policy.action == .log else { return nil }
        switch verdict {
        case .allowed(let entry):
            // An AUDIT policy that does not match says nothing.
            if policy.action == .log, entry == nil { return nil }
            self.init(isDenied: false, rule: entry.map { policy.entries[$0].name })
        case .denied(let entry): self.init(isDenied: true, rule: entry.map { policy.entries[$0].name })
        }
    }

    /// Both together: who refuses counts before who allows, and who matches before who does not.
    package func joined(with later: DryRunOutcome) -> DryRunOutcome {
        if self.isDenied { return self }
        return later.isDenied || later.rule != nil ? later : self
    }

    /// Adds what the engine is told, in the words of Envoy's filter.
    func add(to record: inout AttributeRecord) {
        record.set(.dryRunResult, text: self.isDenied ? "denied" : "allowed")
        if let rule = self.rule { record.set(.dryRunPolicy, text: rule) }
    }
}
