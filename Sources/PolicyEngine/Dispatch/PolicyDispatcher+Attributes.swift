internal import Logging

/// Attributes that are found out before rules are looked at.
extension PolicyDispatcher {
    /// A request as rules see it.
    struct Prepared {
        var evaluation: Evaluation
        /// A generator failed: what is answered now may be wrong in a moment.
        var isPartial = false
    }

    /// Asks the generators whose rules hold. What the request has itself stays as it is; of two generators with one
    /// attribute the first rule's counts.
    func prepared(_ bag: AttributeBag) async -> Prepared {
        var prepared = Prepared(evaluation: Evaluation(bag))
        guard self.configuration.hasGenerators else { return prepared }
        var calls: [(handler: PolicyConfiguration.Handler, instance: InstanceData, bindings: AttributeBindings)] = []
        for rule in self.rules(&prepared.evaluation) {
            guard let dispatches = rule.dispatches[.attributes] else { continue }
            switch rule.condition?.outcome(&prepared.evaluation) ?? .holds {
            case .fails, .undecided: continue
            case .holds: ()
            }
            for dispatch in dispatches {
                guard let bindings = dispatch.instance.bindings else { continue }
                do throws(EvaluationError) {
                    let instance = try dispatch.instance.evaluate(&prepared.evaluation)
                    calls.append((self.configuration.handler(dispatch.handler), instance, bindings))
                } catch {
                    self.logger.debug("instance failed", metadata: ["rule": "\(rule.label)", "error": "\(error)"])
                }
            }
        }
        if calls.isEmpty { return prepared }
        var references = prepared.evaluation.references
        var bag = bag
        for (handler, instance, bindings) in calls {
            do {
                let output: [String: AttributeValue]
                if let recorder {
                    output = try await recorder.attributes(instance, handler)
                } else {
                    output = try await handler.handler.attributes(instance)
                }
                for (slot, value) in bindings.attributes(from: output) where bag[slot] == nil {
                    bag[slot] = value
                    references.generate(slot)
                }
            } catch {
                _ = self.failure(error, handler)
                prepared.isPartial = true
            }
        }
        prepared.evaluation = Evaluation(bag, references: references)
        return prepared
    }
}
