extension PolicyRule {
    /// The rule as it is for another vocabulary, and whether all of it could be compiled.
    ///
    /// Of what names attributes that the vocabulary lacks, or has with another type, nobody can tell what it says of a
    /// request. Then the rule is undecided for all that it may be for, which refuses what it would check. It remembers
    /// what it was: the next vocabulary may have the attributes again.
    func compiled(for vocabulary: AttributeVocabulary) -> (rule: PolicyRule, isWhole: Bool) {
        var isWhole = true
        var condition: RuleCondition?
        if let source = self.condition?.source {
            do throws(ExpressionError) {
                condition = try RuleCondition(source, vocabulary: vocabulary)
            } catch {
                isWhole = false
            }
        }
        // Parts that stay as they were belong to another vocabulary; an undecided rule never evaluates them.
        let dispatches = self.dispatches.mapValues { dispatches in
            dispatches.map { dispatch in
                guard let instance = dispatch.instance.compiled(for: vocabulary) else {
                    isWhole = false
                    return dispatch
                }
                return Dispatch(handler: dispatch.handler, instance: instance, actionName: dispatch.actionName)
            }
        }
        func compiled(_ operations: [HeaderOperation]) -> [HeaderOperation] {
            operations.map { operation in
                guard let compiled = operation.compiled(for: vocabulary) else {
                    isWhole = false
                    return operation
                }
                return compiled
            }
        }
        let request = compiled(self.requestOperations)
        let response = compiled(self.responseOperations)
        let sampling = self.sampling?.compiled(for: vocabulary)
        if self.sampling != nil, sampling == nil { isWhole = false }
        if !isWhole {
            condition = RuleCondition(
                self.condition?.source ?? "true",
                undecided: "it names attributes that are not defined any more",
                unlessExcludedBy: condition
            )
        }
        return (
            PolicyRule(
                name: self.name,
                namespace: self.namespace,
                condition: condition,
                dispatches: dispatches,
                requestOperations: request,
                responseOperations: response,
                sampling: sampling ?? self.sampling
            ), isWhole
        )
    }
}

extension PolicyRule.HeaderOperation {
    /// The same for another vocabulary; `nil` if that does not have what it names.
    fileprivate func compiled(for vocabulary: AttributeVocabulary) -> Self? {
        func compiled(_ part: Part) throws(ExpressionError) -> Part {
            switch part {
            case .expression(let expression):
                .expression(try CompiledExpression(expression.source, vocabulary: vocabulary, wanted: .string))
            case .output: part
            }
        }
        do throws(ExpressionError) {
            var values: [Part] = []
            for value in self.values { values.append(try compiled(value)) }
            return Self(name: try compiled(self.name), values: values, kind: self.kind)
        } catch {
            return nil
        }
    }
}
