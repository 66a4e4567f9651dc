internal import KubernetesAPI

extension ConfigurationWork {
    mutating func readRules(_ objects: [KubernetesObject]) {
        for object in objects where object.kind == "rule" {
            guard let rule = self.rule(object) else { continue }
            self.rules[rule.namespace, default: []].append(rule)
        }
    }

    /// A rule with a mistake in it does not count as a whole: half a rule is one that nobody wrote.
    private mutating func rule(_ object: KubernetesObject) -> PolicyRule? {
        let mistakesBefore = self.diagnoses.count
        self.checkMembers(
            object.spec,
            "spec",
            ["match", "actions", "requestHeaderOperations", "responseHeaderOperations", "sampling"],
            object
        )
        let condition = self.condition(object)
        var dispatches: [TemplateSchema.Variety: [PolicyRule.Dispatch]] = [:]
        let actions = self.list(object.spec["actions"], "spec.actions", object)
        for (index, action) in actions.enumerated() {
            for dispatch in self.dispatches(action, index, object) {
                dispatches[dispatch.instance.schema.variety, default: []].append(dispatch)
            }
        }
        let names = Set(actions.compactMap { $0["name"]?.string })
        let request = self.operations(object, "requestHeaderOperations", of: .request, names)
        let response = self.operations(object, "responseHeaderOperations", of: .response, names)
        if actions.isEmpty, request.isEmpty, response.isEmpty, self.diagnoses.count == mistakesBefore {
            self.diagnose(object, "spec.actions", "is missing: handlers and their instances; so the rule does nothing")
        }
        let sampling = self.sampling(object)
        if sampling != nil, dispatches[.report] == nil, self.diagnoses.count == mistakesBefore {
            self.diagnose(
                object,
                "spec.sampling",
                "is for reports, and no action here is one; checks are never left out"
            )
        }
        guard self.diagnoses.count == mistakesBefore else { return self.earlier(object) }
        return PolicyRule(
            name: object.name,
            namespace: object.namespace ?? "default",
            condition: condition,
            dispatches: dispatches,
            requestOperations: request,
            responseOperations: response,
            sampling: sampling
        )
    }

    /// What the rule said before it had a mistake: a slip of the pen must not open what it had closed.
    private mutating func earlier(_ object: KubernetesObject) -> PolicyRule? {
        let rules = self.settings.previous.rules[object.namespace ?? "default"] ?? []
        guard let earlier = rules.first(where: { $0.name == object.name }) else { return nil }
        // Compiled rules know attributes by their places, which other manifests move.
        let (rule, isWhole) = earlier.compiled(for: self.vocabulary)
        self.diagnose(
            object,
            "",
            isWhole
                ? "until this is mended, it holds as it was before"
                : "until this is mended, what it may be for is refused: it names attributes that are gone"
        )
        return rule
    }

    /// What stands in place of a list would be passed over, and with it what the rule was to do.
    private mutating func list(_ value: JSONValue?, _ field: String, _ object: KubernetesObject) -> [JSONValue] {
        guard let value, !value.isNull else { return [] }
        if let list = value.array { return list }
        self.diagnose(object, field, "is a \(value.typeName), not a list")
        return []
    }

    /// A member that nobody reads may be a mistyped one: `matches` would make a rule one for all requests.
    private mutating func checkMembers(
        _ value: JSONValue,
        _ field: String,
        _ names: [String],
        _ object: KubernetesObject
    ) {
        guard let members = value.object else {
            if !value.isNull { self.diagnose(object, field, "is a \(value.typeName), not an object") }
            return
        }
        let known = Set(names + names.map(JSONValue.snakeCase))
        for name in members.keys.sorted() where !known.contains(name) {
            self.diagnose(object, "\(field).\(name)", "is unknown; there are \(names.joined(separator: ", "))")
        }
    }

    private mutating func condition(_ object: KubernetesObject) -> RuleCondition? {
        guard let match = object.spec["match"], !match.isNull else { return nil }
        // YAML reads `match: true` as a truth value.
        let source = match.string ?? match.text()
        if source.allSatisfy(\.isWhitespace) { return nil }
        do throws(ExpressionError) {
            return try RuleCondition(source, vocabulary: self.vocabulary)
        } catch {
            self.diagnose(object, "spec.match", "\(error); in: \(source)")
            return nil
        }
    }

    private mutating func dispatches(
        _ action: JSONValue,
        _ index: Int,
        _ object: KubernetesObject
    ) -> [PolicyRule.Dispatch] {
        let field = "spec.actions[\(index)]"
        let namespace = object.namespace ?? "default"
        self.checkMembers(action, field, ["handler", "instances", "name"], object)
        guard action.object != nil else { return [] }
        let mistakesBefore = self.diagnoses.count
        let instances = self.list(action["instances"], "\(field).instances", object)
        if instances.isEmpty, self.diagnoses.count == mistakesBefore {
            self.diagnose(object, "\(field).instances", "is missing: a list of what the handler gets")
        }
        guard let handlerText = action["handler"]?.string, !handlerText.isEmpty else {
            self.diagnose(object, "\(field).handler", "is missing: the name of a handler")
            return []
        }
        let reference = ObjectReference(handlerText, from: namespace)
        let handlers = self.drafts.filter {
            reference.matches(name: $0.key.name, namespace: $0.key.namespace, kinds: $0.value.kinds)
        }
        guard let (name, draft) = handlers.min(by: { $0.key.description < $1.key.description }) else {
            self.diagnose(object, "\(field).handler", "there is no handler \(handlerText)", cause: .others)
            return []
        }
        let actionName = action["name"]?.string ?? ""
        var result: [PolicyRule.Dispatch] = []
        for (place, value) in instances.enumerated() {
            let field = "\(field).instances[\(place)]"
            let text = value.string ?? ""
            let reference = ObjectReference(text, from: namespace)
            guard let instance = self.instances.first(where: reference.matches) else {
                self.diagnose(
                    object,
                    field,
                    "there is no instance \(text.isEmpty ? value.text() : text)",
                    cause: text.isEmpty ? .object : .others
                )
                continue
            }
            guard draft.adapter.templates.contains(instance.schema.name) else {
                let names = draft.adapter.templates.sorted().joined(separator: ", ")
                self.diagnose(
                    object,
                    field,
                    "is of template \(instance.schema.name), \(draft.adapter.name) takes \(names)",
                    cause: .others
                )
                continue
            }
            result.append(PolicyRule.Dispatch(handler: name, instance: instance, actionName: actionName))
        }
        return result
    }

    private mutating func operations(
        _ object: KubernetesObject,
        _ member: String,
        of message: HeaderChange.Message,
        _ actions: Set<String>
    ) -> [PolicyRule.HeaderOperation] {
        var result: [PolicyRule.HeaderOperation] = []
        for (index, operation) in self.list(object.spec.member(member), "spec.\(member)", object).enumerated() {
            let field = "spec.\(member)[\(index)]"
            self.checkMembers(operation, field, ["name", "values", "operation"], object)
            guard operation.object != nil else { continue }
            guard let name = operation["name"]?.string, !name.isEmpty else {
                self.diagnose(object, "\(field).name", "is missing: the header's name")
                continue
            }
            let word = operation["operation"]?.string ?? HeaderChange.Kind.replace.rawValue
            guard let kind = HeaderChange.Kind(rawValue: word.uppercased()) else {
                self.diagnose(object, "\(field).operation", "is none of REPLACE, REMOVE, APPEND")
                continue
            }
            let values = self.list(operation["values"], "\(field).values", object)
            var parts: [PolicyRule.HeaderOperation.Part] = []
            for (place, value) in values.enumerated() {
                if let part = self.part(value.string ?? value.text(), "\(field).values[\(place)]", actions, object) {
                    parts.append(part)
                }
            }
            if kind != .remove, values.isEmpty {
                self.diagnose(object, "\(field).values", "is missing: the header's values")
                continue
            }
            if let mistake = PseudoHeader.mistake(
                name: name,
                kind: kind,
                valueCount: values.count,
                isOfRequest: message == .request
            ) {
                self.diagnose(object, "\(field).\(mistake.member)", mistake.text)
                continue
            }
            let names = self.headerName(name, of: message, "\(field).name", actions, object)
            if let names { result.append(PolicyRule.HeaderOperation(name: names, values: parts, kind: kind)) }
        }
        return result
    }

    /// A header's name stands as it is; in quotes it is an expression.
    private mutating func headerName(
        _ text: String,
        of message: HeaderChange.Message,
        _ field: String,
        _ actions: Set<String>,
        _ object: KubernetesObject
    ) -> PolicyRule.HeaderOperation.Part? {
        let isPlain = text.utf8.allSatisfy {
            $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ":")
                || (0x30...0x39).contains($0) || (0x61...0x7a).contains($0 | 0x20)
        }
        guard isPlain else { return self.part(text, field, actions, object) }
        guard HeaderChange.mayChange(text, of: message) else {
            self.diagnose(object, field, "\(text) may not be changed: it is no header, or the proxy's own business")
            return nil
        }
        return self.part(AttributeValue.quoted(text), field, actions, object)
    }

    /// An expression of type STRING, or the output of an action.
    private mutating func part(
        _ source: String,
        _ field: String,
        _ actions: Set<String>,
        _ object: KubernetesObject
    ) -> PolicyRule.HeaderOperation.Part? {
        let words = source.split(separator: ".", omittingEmptySubsequences: false)
        if words.count >= 2, words[1] == "output", actions.contains(String(words[0])) {
            return .output(action: String(words[0]), field: words.dropFirst(2).joined(separator: "."))
        }
        do throws(ExpressionError) {
            let expression = try CompiledExpression(source, vocabulary: self.vocabulary, wanted: .string)
            return .expression(expression)
        } catch {
            self.diagnose(object, field, "\(error); in: \(source)")
            return nil
        }
    }
}
