extension PolicyDispatcher {
    /// Decides about a request as ``check(_:)`` does, and tells how.
    ///
    /// Nothing is taken from quotas and nothing is reported; what would be is told. Handlers of the engine are asked,
    /// as all they do with a check is to look. Adapters that are processes of their own are asked only if `asksOutside`
    /// says so: a question may move them to act, as one that starts pods does.
    package func trace(_ bag: AttributeBag, asksOutside: Bool) async -> PolicyTrace {
        let recorder = TraceRecorder(asksOutside: asksOutside)
        let dispatcher = PolicyDispatcher(self.configuration, logger: self.logger, recorder: recorder)
        let prepared = await dispatcher.prepared(bag)
        let answer = await dispatcher.check(prepared)
        var evaluation = prepared.evaluation
        var trace = PolicyTrace(
            namespace: self.namespace(&evaluation),
            rootNamespace: self.configuration.rootNamespace,
            result: self.result(answer, evaluation.bag),
            diagnoses: self.configuration.diagnoses.map(\.description)
        )
        for rule in self.rules(&evaluation) {
            // Generators see the request as it came, all others see what those found out.
            let isGenerator = rule.dispatches.keys.allSatisfy { $0 == .attributes } && !rule.dispatches.isEmpty
            trace.rules.append(await self.trace(rule, isGenerator ? bag : evaluation.bag, original: bag, recorder))
        }
        return trace
    }

    private func result(_ answer: CheckAnswer, _ bag: AttributeBag) -> PolicyTrace.Result {
        PolicyTrace.Result(
            status: PolicyTrace.Status(answer.status),
            validSeconds: answer.validDuration / .seconds(1),
            uses: answer.validUseCount,
            references: self.readings(answer.references, bag),
            requestHeaders: answer.requestHeaders.map(\.text),
            responseHeaders: answer.responseHeaders.map(\.text),
            directStatus: answer.response?.code ?? 0,
            directBody: answer.response?.body ?? ""
        )
    }

    private func trace(
        _ rule: PolicyRule,
        _ bag: AttributeBag,
        original: AttributeBag,
        _ recorder: TraceRecorder
    ) async -> PolicyTrace.Rule {
        // By itself, so that what it reads is told from what others read.
        var evaluation = Evaluation(bag)
        var traced = PolicyTrace.Rule(
            name: rule.label,
            condition: rule.condition?.source,
            outcome: .holds,
            readings: []
        )
        switch rule.condition?.outcome(&evaluation) ?? .holds {
        case .holds: ()
        case .fails: traced.outcome = .fails
        case .undecided(let error):
            traced.outcome = .undecided
            traced.mistake = error.message
        }
        traced.readings = self.readings(evaluation.references, bag)
        guard traced.outcome == .holds else { return traced }
        let phases: [(TemplateSchema.Variety, PolicyTrace.Action.Phase)] = [
            (.attributes, .attributes), (.check, .check), (.quota, .quota), (.report, .report),
        ]
        for (variety, phase) in phases {
            for dispatch in rule.dispatches[variety] ?? [] {
                let seen = variety == .attributes ? original : bag
                var action = await self.trace(dispatch, phase, seen, recorder)
                if variety == .report, rule.sampling != nil {
                    action.unasked = action.unasked.map { $0 + ", and of this rule only samples are reported" }
                }
                traced.actions.append(action)
            }
        }
        return traced
    }

    private func trace(
        _ dispatch: PolicyRule.Dispatch,
        _ phase: PolicyTrace.Action.Phase,
        _ bag: AttributeBag,
        _ recorder: TraceRecorder
    ) async -> PolicyTrace.Action {
        let handler = self.configuration.handler(dispatch.handler)
        let instance = dispatch.instance
        var action = PolicyTrace.Action(
            phase: phase,
            handler: handler.name.description,
            adapter: handler.adapter,
            instance: PolicyTrace.Instance(
                name: "\(instance.name).\(instance.namespace)",
                template: instance.schema.name
            )
        )
        var evaluation = Evaluation(bag)
        let data: InstanceData
        do throws(EvaluationError) {
            data = try instance.evaluate(&evaluation)
        } catch {
            action.mistake = error.message
            return action
        }
        action.instance.values = Self.values(data)
        if let outside = instance.outside {
            var evaluation = Evaluation(bag)
            action.instance.values = outside.values(&evaluation)
        }
        switch phase {
        case .attributes, .check:
            action.answer = recorder.answer(of: handler.name, data)
            if action.answer == nil { action.unasked = recorder.objection(to: handler) }
        case .quota:
            action.unasked = "a trace takes nothing from quotas"
            action.left = await handler.handler.left(data)
        case .report: action.unasked = "a trace reports nothing"
        }
        return action
    }

    private static func values(_ data: InstanceData) -> [String: String] {
        var values = data.values.mapValues(\.description)
        for (path, entries) in data.maps {
            for (key, value) in entries { values["\(path)[\(key)]"] = value.description }
        }
        return values
    }

    private func readings(_ references: AttributeReferences, _ bag: AttributeBag) -> [PolicyTrace.Reading] {
        references.all.map { reference in
            var reading = PolicyTrace.Reading(
                attribute: self.configuration.vocabulary.attributes[reference.slot].name,
                key: reference.key
            )
            guard reference.condition == .exact else { return reading }
            switch (bag[reference.slot], reference.key) {
            case (.stringMap(let entries), .some(let key)): reading.value = entries[key].map(AttributeValue.quoted)
            case (let value, _): reading.value = value?.description
            }
            return reading
        }
    }
}

extension HeaderChange {
    /// `REPLACE x-user: ann`
    fileprivate var text: String {
        self.kind == .remove
            ? "\(self.kind.rawValue) \(self.name)" : "\(self.kind.rawValue) \(self.name): \(self.value)"
    }
}
