/// What a cache has for a request among answers that depend on the same attributes.
package struct CheckFinding: Hashable, Sendable {
    package enum Outcome: Hashable, Sendable {
        /// The answers are for requests that have or lack what this one does not.
        case other(CheckReference)
        /// No answer was kept for these values, or it was pushed out by others.
        case unknown
        case expired
        case holds(CheckVerdict, left: Duration, usesLeft: Int32?)
    }

    /// What the answers depend on.
    package var references: [CheckReference]
    package var outcome: Outcome

    package init(references: [CheckReference], outcome: Outcome) {
        self.references = references
        self.outcome = outcome
    }
}

extension CheckCache {
    /// What `verdict(for:now:)` would find, and why: one finding for each set of attributes that answers depend on, up to
    /// the one that decides. Nothing counts as used for it.
    package func findings(for attributes: RequestAttributes, now: Duration) -> [CheckFinding] {
        var findings: [CheckFinding] = []
        for group in self.groups {
            let shape = group.shape
            var key: [UInt8] = []
            key.append(number: group.number)
            guard shape.append(attributes, to: &key) else {
                let culprit = shape.references.first { !Self.holds($0, attributes) }
                findings.append(
                    CheckFinding(references: shape.references, outcome: culprit.map { .other($0) } ?? .unknown)
                )
                continue
            }
            guard let kept = self.answers.peek(key) else {
                findings.append(CheckFinding(references: shape.references, outcome: .unknown))
                continue
            }
            guard now < kept.validUntil else {
                findings.append(CheckFinding(references: shape.references, outcome: .expired))
                continue
            }
            findings.append(
                CheckFinding(
                    references: shape.references,
                    outcome: .holds(kept.verdict, left: kept.validUntil - now, usesLeft: kept.usesLeft)
                )
            )
            break
        }
        return findings
    }

    private static func holds(_ reference: CheckReference, _ attributes: RequestAttributes) -> Bool {
        var key: [UInt8] = []
        return CheckShape([reference])?.append(attributes, to: &key) ?? false
    }
}

/// What a cache has of a quota for a request.
package struct QuotaFinding: Hashable, Sendable {
    package var charge: QuotaCharge
    /// Granted ahead of need and not used yet.
    package var left: Int64
    /// Zero: what is left is lost.
    package var validFor: Duration
    /// The engine is not asked again before that.
    package var pausedFor: Duration

    package init(charge: QuotaCharge, left: Int64, validFor: Duration, pausedFor: Duration) {
        self.charge = charge
        self.left = left
        self.validFor = validFor
        self.pausedFor = pausedFor
    }
}

extension QuotaCache {
    /// The account that `charge(_:for:now:)` would take from; `nil`: there is none, and the engine is asked.
    package func finding(
        for charge: QuotaCharge,
        _ attributes: RequestAttributes,
        now: Duration
    ) -> QuotaFinding? {
        for shape in self.shapes where shape.quota == charge.quota {
            var key: [UInt8] = []
            key.append(number: shape.number)
            guard shape.shape.append(attributes, to: &key), let account = self.accounts.peek(key) else { continue }
            guard now < account.usedAt + Self.lifetime else { return nil }
            return QuotaFinding(
                charge: charge,
                left: now < account.validUntil ? account.left : 0,
                validFor: max(.zero, account.validUntil - now),
                pausedFor: max(.zero, account.pausedUntil - now)
            )
        }
        return nil
    }
}
