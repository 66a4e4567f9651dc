/// Quotas for some requests (Istio `QuotaRule`).
package struct QuotaRule: Sendable {
    /// Conditions on attributes, all of which must hold.
    package struct Match: Sendable {
        package struct Clause: Sendable {
            package var attribute: String
            package var text: TextMatch

            package init(attribute: String, text: TextMatch) {
                self.attribute = attribute
                self.text = text
            }
        }

        package var clauses: [Clause]

        package init(clauses: [Clause]) { self.clauses = clauses }
    }

    /// One of them must hold; none: all requests.
    package var matches: [Match]
    package var charges: [QuotaCharge]

    package init(matches: [Match], charges: [QuotaCharge]) {
        self.matches = matches
        self.charges = charges
    }

    /// Whether a request is charged.
    func holds(_ attributes: RequestAttributes) -> Bool {
        if self.matches.isEmpty { return true }
        var text: [UInt8] = []
        for match in self.matches {
            var holds = true
            for clause in match.clauses where holds {
                text.removeAll(keepingCapacity: true)
                let isThere = attributes.append(named: clause.attribute, to: &text)
                holds = isThere && text.withUnsafeBytes { clause.text.holds($0) }
            }
            if holds { return true }
        }
        return false
    }
}

/// An amount of one quota.
package struct QuotaCharge: Hashable, Sendable {
    package var quota: String
    /// What the request needs.
    package var amount: Int64
    /// What the engine is asked for; more than is needed is for requests to come, and some of it is as welcome.
    package var asked: Int64

    package init(quota: String, amount: Int64, asked: Int64? = nil) {
        self.quota = quota
        self.amount = amount
        self.asked = asked ?? amount
    }
}

/// What the engine says about one quota.
package struct QuotaAnswer: Hashable, Sendable {
    package var status: MixerStatus
    package var amount: Int64
    package var validDuration: Duration
    /// What it depends on; `nil`: that was not understood.
    package var references: [CheckReference]?

    package init(
        status: MixerStatus = MixerStatus(),
        amount: Int64,
        validDuration: Duration = .zero,
        references: [CheckReference]? = nil
    ) {
        self.status = status
        self.amount = amount
        self.validDuration = validDuration
        self.references = references
    }
}

extension CheckAnswer {
    /// The verdict, or the refusal of a request that may pass but has a quota that is used up.
    package func verdict(after charges: [QuotaCharge]) -> CheckVerdict {
        guard self.verdict.status.isOK else { return self.verdict }
        for charge in charges {
            guard let answer = self.quotas[charge.quota], answer.amount < charge.amount else { continue }
            return CheckVerdict(answer.status.isOK ? .exhausted(charge.quota) : answer.status)
        }
        return self.verdict
    }
}

extension MixerStatus {
    /// RESOURCE_EXHAUSTED
    package static func exhausted(_ quota: String) -> MixerStatus {
        MixerStatus(code: 8, message: "quota \(quota) is used up")
    }
}

extension MixerDestination {
    /// What a request is charged, one amount for each quota.
    package func charges(_ attributes: RequestAttributes) -> [QuotaCharge] {
        if self.quotas.isEmpty { return [] }
        var charges: [QuotaCharge] = []
        for rule in self.quotas where rule.holds(attributes) {
            for charge in rule.charges {
                if let index = charges.firstIndex(where: { $0.quota == charge.quota }) {
                    // The control plane sees to it that sums of a few fit.
                    let (sum, overflows) = charges[index].amount.addingReportingOverflow(charge.amount)
                    charges[index] = QuotaCharge(quota: charge.quota, amount: overflows ? .max : sum)
                } else {
                    charges.append(charge)
                }
            }
        }
        return charges
    }
}

extension RequestAttributes {
    /// Appends the text of an attribute; `false`: there is none.
    func append(named name: String, to text: inout [UInt8]) -> Bool {
        if let attribute = RequestAttribute(rawValue: name), self.append(attribute, to: &text) { return true }
        guard case .text(let value) = self.fixed(name) else { return false }
        text.append(contentsOf: value.utf8)
        return true
    }
}
