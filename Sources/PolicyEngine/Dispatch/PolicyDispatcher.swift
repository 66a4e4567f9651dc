package import Logging

/// Decides about one request with one configuration.
package struct PolicyDispatcher: Sendable {
    package let configuration: PolicyConfiguration
    let logger: Logger
    /// Listens to a request that is traced; `nil` for all others.
    let recorder: TraceRecorder?

    package init(_ configuration: PolicyConfiguration, logger: Logger) {
        self.init(configuration, logger: logger, recorder: nil)
    }

    init(_ configuration: PolicyConfiguration, logger: Logger, recorder: TraceRecorder?) {
        self.configuration = configuration
        self.logger = logger
        self.recorder = recorder
    }

    /// An instance on its way to its handler.
    private struct Call: Sendable {
        var handler: PolicyConfiguration.Handler
        var instance: InstanceData
        var actionName: String
        /// Which of the rules that hold it belongs to.
        var rule: Int
    }

    // MARK: Check

    package func check(_ bag: AttributeBag) async -> CheckAnswer { await self.check(self.prepared(bag)) }

    func check(_ prepared: Prepared) async -> CheckAnswer {
        var evaluation = prepared.evaluation
        var combination = CheckCombination()
        var calls: [Call] = []
        var holding: [PolicyRule] = []
        for rule in self.rules(&evaluation) {
            let dispatches = rule.dispatches[.check] ?? []
            let hasOperations = !rule.requestOperations.isEmpty || !rule.responseOperations.isEmpty
            guard !dispatches.isEmpty || hasOperations else { continue }
            switch rule.condition?.outcome(&evaluation) ?? .holds {
            case .fails: continue
            case .undecided(let error):
                // A rule that may be a refusal must not be passed over.
                if !dispatches.isEmpty {
                    combination.add(Self.refusal("cannot tell whether it applies: \(error.message)"), of: rule.label)
                }
                continue
            case .holds: holding.append(rule)
            }
            for dispatch in dispatches {
                do throws(EvaluationError) {
                    let instance = try dispatch.instance.evaluate(&evaluation)
                    let handler = self.configuration.handler(dispatch.handler)
                    calls.append(
                        Call(
                            handler: handler,
                            instance: instance,
                            actionName: dispatch.actionName,
                            rule: holding.count - 1
                        )
                    )
                } catch {
                    combination.add(Self.refusal(error.message), of: rule.label)
                }
            }
        }
        let results = await Self.each(calls) { await self.check($0) }
        for (call, result) in zip(calls, results) { combination.add(result, of: "\(call.handler.name)") }
        var answer = CheckAnswer(
            status: .ok,
            validDuration: .zero,
            validUseCount: 0,
            references: AttributeReferences()
        )
        if !combination.isRefusal {
            self.addHeaders(&answer, holding, calls, results, &evaluation, &combination)
        }
        let result = combination.result
        answer.status = result.status
        answer.validDuration = result.validDuration
        answer.validUseCount = result.validUseCount
        answer.response = result.response
        answer.references = evaluation.references
        if prepared.isPartial {
            answer.validDuration = .zero
            answer.validUseCount = 0
        }
        return answer
    }

    /// What is not decided is refused, and not for long: the next configuration may be able to tell.
    private static func refusal(_ message: String) -> CheckResult {
        CheckResult(PolicyStatus(.permissionDenied, message), validDuration: .seconds(5), validUseCount: 1000)
    }

    private func check(_ call: Call) async -> CheckResult {
        guard let recorder else { return await self.ask(call) }
        return await recorder.check(call.instance, call.handler) { await self.ask(call) }
    }

    private func ask(_ call: Call) async -> CheckResult {
        do {
            var result = try await call.handler.handler.check(call.instance)
            result.response = result.response?.usable { what in
                self.complain(call.handler, "response of a handler cannot be used as it is", what)
            }
            return result
        } catch {
            let status = self.failure(error, call.handler)
            // Whatever ails the handler may be over with the next request.
            return CheckResult(status, validDuration: .zero, validUseCount: 0)
        }
    }

    /// A handler's failure, which must not look like one between client and engine: clients may be told to let
    /// requests pass when those fail.
    func failure(_ error: any Error, _ handler: PolicyConfiguration.Handler) -> PolicyStatus {
        self.complain(handler, "handler failed", "\(error)")
        if let status = error as? PolicyStatus, !status.isOK { return status }
        return PolicyStatus(.unavailable, "\(error)")
    }

    /// Requests come by the thousand; one line in ten seconds says the same.
    private func complain(_ handler: PolicyConfiguration.Handler, _ what: Logger.Message, _ reason: String) {
        let level: Logger.Level = handler.complaints.mayComplain(at: .now) ? .warning : .debug
        self.logger.log(level: level, what, metadata: ["handler": "\(handler.name)", "error": "\(reason)"])
    }

    private func addHeaders(
        _ answer: inout CheckAnswer,
        _ rules: [PolicyRule],
        _ calls: [Call],
        _ results: [CheckResult],
        _ evaluation: inout Evaluation,
        _ combination: inout CheckCombination
    ) {
        for (index, rule) in rules.enumerated() {
            var outputs: [String: [String: AttributeValue]] = [:]
            for (call, result) in zip(calls, results) where call.rule == index && !call.actionName.isEmpty {
                outputs[call.actionName] = result.output
            }
            do throws(EvaluationError) {
                answer.requestHeaders += try Self.changes(rule.requestOperations, of: .request, outputs, &evaluation)
                answer.responseHeaders += try Self.changes(
                    rule.responseOperations,
                    of: .response,
                    outputs,
                    &evaluation
                )
            } catch {
                combination.add(Self.refusal("a header: \(error.message)"), of: rule.label)
            }
        }
        if combination.isRefusal {
            answer.requestHeaders = []
            answer.responseHeaders = []
        }
    }

    private static func changes(
        _ operations: [PolicyRule.HeaderOperation],
        of message: HeaderChange.Message,
        _ outputs: [String: [String: AttributeValue]],
        _ evaluation: inout Evaluation
    ) throws(EvaluationError) -> [HeaderChange] {
        func text(
            _ part: PolicyRule.HeaderOperation.Part,
            _ evaluation: inout Evaluation
        ) throws(EvaluationError) -> String {
            let value: AttributeValue? =
                switch part {
                case .expression(let expression): try expression.evaluate(&evaluation)
                case .output(let action, let field): outputs[action]?[field.isEmpty ? "value" : field]
                }
            return value?.plainText ?? ""
        }
        var changes: [HeaderChange] = []
        func add(_ name: String, _ value: String, _ kind: HeaderChange.Kind) throws(EvaluationError) {
            // What a query parameter says may end a line, and with it the header.
            guard HeaderChange.mayChange(name, of: message) else {
                throw EvaluationError(code: .invalidValue, message: "\(AttributeValue.quoted(name)) may not be changed")
            }
            guard HeaderChange.isSound(name: name, value: value, of: message) else {
                throw EvaluationError(code: .invalidValue, message: "it has characters that no header may have")
            }
            changes.append(HeaderChange(name: name, value: value, kind: kind))
        }
        for operation in operations {
            let name = try text(operation.name, &evaluation)
            if operation.kind == .remove { try add(name, "", .remove) }
            for (index, value) in operation.values.enumerated() where operation.kind != .remove {
                // Only the first value takes the place of what was there.
                try add(name, try text(value, &evaluation), index == 0 ? operation.kind : .append)
            }
        }
        return changes
    }

    // MARK: Quota

    /// Asks for quota. One that no rule has an instance for is granted, as there is no limit.
    package func quota(_ name: String, _ request: QuotaRequest, _ bag: AttributeBag) async -> QuotaAnswer {
        var evaluation = await self.prepared(bag).evaluation
        var calls: [Call] = []
        var refusal: PolicyStatus?
        for rule in self.rules(&evaluation) {
            let dispatches = (rule.dispatches[.quota] ?? []).filter {
                $0.instance.name.lowercased() == name.lowercased()
            }
            guard !dispatches.isEmpty else { continue }
            switch rule.condition?.outcome(&evaluation) ?? .holds {
            case .fails: continue
            case .undecided(let error):
                refusal = refusal ?? PolicyStatus(.permissionDenied, "\(rule.label):cannot tell: \(error.message)")
                continue
            case .holds: ()
            }
            for dispatch in dispatches {
                do throws(EvaluationError) {
                    let instance = try dispatch.instance.evaluate(&evaluation)
                    let handler = self.configuration.handler(dispatch.handler)
                    calls.append(Call(handler: handler, instance: instance, actionName: "", rule: 0))
                } catch {
                    refusal = refusal ?? PolicyStatus(.permissionDenied, "\(rule.label):\(error.message)")
                }
            }
        }
        var answer = QuotaAnswer(
            status: .ok,
            validDuration: .seconds(60),
            amount: request.amount,
            references: evaluation.references
        )
        if let refusal {
            answer.status = refusal
            answer.validDuration = .zero
            answer.amount = 0
            return answer
        }
        // One after the other: what a second handler refuses must not have been taken from the first for nothing, so
        // the first refusal ends it.
        for (index, call) in calls.enumerated() {
            let result: QuotaResult
            do {
                result = try await call.handler.handler.quota(call.instance, request)
            } catch {
                result = QuotaResult(self.failure(error, call.handler), validDuration: .zero, amount: 0)
            }
            answer.validDuration = index == 0 ? result.validDuration : min(answer.validDuration, result.validDuration)
            answer.amount = index == 0 ? result.amount : min(answer.amount, result.amount)
            if !result.status.isOK {
                answer.status = PolicyStatus(result.status.code, "\(call.handler.name):\(result.status.message)")
            }
            if !result.status.isOK || (result.amount == 0 && request.amount != 0) {
                answer.amount = 0
                break
            }
        }
        return answer
    }

    // MARK: Report

    /// Hands what has happened to handlers, the instances of all bags for one handler at once.
    package func report(_ bags: [AttributeBag]) async {
        var instances: [HandlerName: [InstanceData]] = [:]
        for bag in bags {
            var evaluation = await self.prepared(bag).evaluation
            for rule in self.rules(&evaluation) {
                guard let dispatches = rule.dispatches[.report] else { continue }
                switch rule.condition?.outcome(&evaluation) ?? .holds {
                case .fails: continue
                case .undecided(let error):
                    self.logger.debug("rule undecided", metadata: ["rule": "\(rule.label)", "error": "\(error)"])
                    for dispatch in dispatches { self.lost(1, for: dispatch.handler, .evaluation) }
                    continue
                case .holds: ()
                }
                if let sampling = rule.sampling, !sampling.takes(&evaluation) { continue }
                for dispatch in dispatches {
                    do throws(EvaluationError) {
                        instances[dispatch.handler, default: []].append(try dispatch.instance.evaluate(&evaluation))
                    } catch {
                        self.logger.debug("instance failed", metadata: ["rule": "\(rule.label)", "error": "\(error)"])
                        self.lost(1, for: dispatch.handler, .evaluation)
                    }
                }
            }
        }
        var calls: [(PolicyConfiguration.Handler, [InstanceData])] = []
        for (name, instances) in instances {
            if let handler = self.configuration.handlers[name] {
                calls.append((handler, instances))
            } else {
                self.lost(instances.count, for: name, .handler)
            }
        }
        _ = await Self.each(calls) { handler, instances in
            do {
                try await handler.handler.report(instances)
            } catch let loss as ReportLoss {
                self.lost(loss.count, for: handler.name, .handler)
                _ = self.failure(loss.cause, handler)
            } catch {
                self.lost(instances.count, for: handler.name, .handler)
                _ = self.failure(error, handler)
            }
        }
    }

    private func lost(_ count: Int, for handler: HandlerName, _ reason: MetricsRegistry.DropReason) {
        self.configuration.metrics?.dropped(count, from: handler.description, reason)
    }

    // MARK: Both

    /// Whose rules count: those of where the request goes, or, of what a client's proxy tells, where it comes from.
    func rules(_ evaluation: inout Evaluation) -> [PolicyRule] {
        self.configuration.rules(for: self.namespace(&evaluation))
    }

    func namespace(_ evaluation: inout Evaluation) -> String? {
        let kind = self.text("context.reporter.kind", &evaluation) ?? "inbound"
        return self.text(kind == "outbound" ? "source.namespace" : "destination.namespace", &evaluation)
    }

    private func text(_ name: String, _ evaluation: inout Evaluation) -> String? {
        guard let slot = self.configuration.vocabulary.slot(of: name) else { return nil }
        guard case .string(let text)? = evaluation.bag[slot] else {
            evaluation.references.note(slot, .absent)
            return nil
        }
        evaluation.references.note(slot, .exact)
        return text
    }

    /// All at the same time; the results in the order of the inputs.
    private static func each<Input: Sendable, Output: Sendable>(
        _ inputs: [Input],
        _ body: @escaping @Sendable (Input) async -> Output
    ) async -> [Output] {
        if inputs.count == 1 { return [await body(inputs[0])] }
        return await withTaskGroup(of: (Int, Output).self) { group in
            for (index, input) in inputs.enumerated() { group.addTask { (index, await body(input)) } }
            var outputs: [(Int, Output)] = []
            for await output in group { outputs.append(output) }
            return outputs.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }
}

extension PolicyRule {
    /// How answers name it.
    var label: String { "\(self.name).\(self.namespace)" }
}
