/// Which of the requests that a rule holds for are reported (`sampling` of a rule). With both strategies both must choose one.
///
/// Mixer's API has it for a rule's actions as a whole, and Mixer never did it. Here it is for reports alone: a check that is left out
/// now and then is none, and proxies keep its answer for many requests.
struct RuleSampling: Sendable {
    /// What the share is a part of.
    enum Denominator: String, CaseIterable, Sendable {
        case hundred = "HUNDRED"
        case tenThousand = "TEN_THOUSAND"

        var scale: Double {
            switch self {
            case .hundred: 100
            case .tenThousand: 1
            }
        }
    }

    /// A share of all requests.
    struct Share: Sendable {
        /// In place of the numerator, of each request its own; without a value none is chosen.
        var expression: CompiledExpression?
        var numerator: Double
        var denominator: Denominator
        /// What chooses a request, the same for all rules and proxies that it comes by; `nil`: only chance does.
        var requestID: CompiledExpression?
    }

    let share: Share?
    let limit: SampleLimit?
    let now: @Sendable () -> Duration
    let random: @Sendable () -> UInt64

    /// Chances are counted in ten-thousandths, so that a smaller share is a part of a larger one.
    private static let chances: UInt64 = 10_000

    /// Whether a request that the rule holds for is chosen.
    func takes(_ evaluation: inout Evaluation) -> Bool {
        if let share, Double(self.chance(share, &evaluation)) >= Self.size(share, &evaluation) { return false }
        return self.limit?.takes(at: self.now()) ?? true
    }

    /// Of the request, the same each time, or by chance.
    private func chance(_ share: Share, _ evaluation: inout Evaluation) -> UInt64 {
        guard let text = Self.value(share.requestID, &evaluation), case .string(let id) = text, !id.isEmpty else {
            return self.random() % Self.chances
        }
        // FNV-1a with 64 bits, as it is the same in every process.
        let hash = id.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
        return (hash ^ hash >> 32) % Self.chances
    }

    /// In ten-thousandths; more than all are all.
    private static func size(_ share: Share, _ evaluation: inout Evaluation) -> Double {
        guard let expression = share.expression else { return share.numerator * share.denominator.scale }
        switch Self.value(expression, &evaluation) {
        case .int64(let number): return Double(number) * share.denominator.scale
        case .double(let number): return number.isNaN ? 0 : number * share.denominator.scale
        default: return 0
        }
    }

    private static func value(_ expression: CompiledExpression?, _ evaluation: inout Evaluation) -> AttributeValue? {
        guard let expression else { return nil }
        do throws(EvaluationError) {
            return try expression.evaluate(&evaluation)
        } catch {
            return nil
        }
    }

    /// The same for another vocabulary; `nil` if that does not have what it names.
    func compiled(for vocabulary: AttributeVocabulary) -> RuleSampling? {
        guard var share else { return self }
        do throws(ExpressionError) {
            if let expression = share.expression {
                share.expression = try CompiledExpression(
                    expression.source,
                    vocabulary: vocabulary,
                    wanted: expression.type
                )
            }
            if let requestID = share.requestID {
                share.requestID = try CompiledExpression(requestID.source, vocabulary: vocabulary, wanted: .string)
            }
        } catch {
            return nil
        }
        return RuleSampling(share: share, limit: self.limit, now: self.now, random: self.random)
    }
}
