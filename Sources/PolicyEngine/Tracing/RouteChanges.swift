package import KubernetesAPI

/// Rules that change requests, and with them perhaps where they go, as far as that can be told without the engine.
///
/// Whether handlers let a request pass is not looked at, nor what their answers put into it.
package struct RouteChanges: Sendable {
    /// A request as a proxy gets it.
    package struct Request: Sendable {
        /// The workload's beside the proxy, whose rules count.
        package var namespace: String
        /// The proxy is the client's.
        package var isOutbound: Bool
        /// `nil`: proxies before this one may have changed it.
        package var head: Head?

        package init(namespace: String, isOutbound: Bool, head: Head?) {
            self.namespace = namespace
            self.isOutbound = isOutbound
            self.head = head
        }
    }

    package struct Head: Sendable {
        package var method: String
        /// With the query.
        package var target: String
        package var authority: String
        /// Lower-case names.
        package var headers: [String: String]

        package init(method: String, target: String, authority: String, headers: [String: String]) {
            self.method = method
            self.target = target
            self.authority = authority
            self.headers = headers
        }
    }

    /// What one rule does.
    package struct Change: Sendable, Hashable {
        /// `NAME.NAMESPACE`
        package var rule: String
        /// What it changes, in the rule's order.
        package var names: [String]
        /// `nil`: it is for all requests.
        package var condition: String?
        /// The rule certainly holds for the request.
        package var holds: Bool

        /// One line.
        package var text: String {
            let names = self.names.joined(separator: ", ")
            if self.holds { return "rule \(self.rule) holds, and may change the route by \(names)" }
            let condition = self.condition.map { ", if \($0)" } ?? ""
            return "rule \(self.rule) may change the route at run time by \(names)\(condition)"
        }
    }

    private struct Rule: Sendable {
        var name: String
        var namespace: String
        var names: [String]
        var source: String?
        /// `nil`: for all requests, or with a mistake in it.
        var condition: RuleCondition?
        /// The engine may go on with what the rule was before.
        var isBroken = false
    }

    /// Headers that proxies write by themselves.
    private static let proxyHeaders = ["x-request-id", "x-forwarded-", "x-envoy-", "x-b3-", "x-istio-", "traceparent"]

    private let vocabulary: AttributeVocabulary
    private let rules: [Rule]
    private let rootNamespace: String

    /// `objects`: rules and manifests; others are passed over.
    package init(_ objects: [KubernetesObject], rootNamespace: String) {
        let objects = objects.sorted { ($0.kind, $0.key) < ($1.kind, $1.key) }
        var reader = ManifestReader()
        for object in objects where ManifestReader.isManifest(object) { reader.add(object) }
        let vocabulary = reader.vocabulary
        self.vocabulary = vocabulary
        self.rootNamespace = rootNamespace
        self.rules = objects.filter { $0.kind == "rule" && $0.group == ConfigurationBuilder.group }
            .compactMap { Self.rule($0, vocabulary) }
    }

    private static func rule(_ object: KubernetesObject, _ vocabulary: AttributeVocabulary) -> Rule? {
        let operations = object.spec.member("requestHeaderOperations")?.array ?? []
        let names = operations.compactMap { $0["name"]?.string }
        guard !names.isEmpty else { return nil }
        var rule = Rule(name: object.name, namespace: object.namespace ?? "default", names: names)
        guard let match = object.spec["match"], !match.isNull else { return rule }
        let source = match.string ?? match.text()
        if source.allSatisfy(\.isWhitespace) { return rule }
        rule.source = source
        do throws(ExpressionError) {
            rule.condition = try RuleCondition(source, vocabulary: vocabulary)
        } catch {
            rule.isBroken = true
        }
        return rule
    }

    /// The rules that change the request, or may; those that certainly do not are left out.
    package func all(for request: Request) -> [Change] {
        let (bag, known) = self.bag(request)
        return self.rules.filter { $0.namespace == self.rootNamespace || $0.namespace == request.namespace }
            .compactMap { rule in
                var evaluation = Evaluation(bag)
                let outcome = rule.condition?.outcome(&evaluation) ?? .holds
                let isKnown =
                    !rule.isBroken
                    && evaluation.references.all.allSatisfy { self.knows($0, request, known) }
                if isKnown, outcome == .fails { return nil }
                return Change(
                    rule: "\(rule.name).\(rule.namespace)",
                    names: rule.names,
                    condition: rule.source,
                    holds: isKnown && outcome == .holds
                )
            }
    }

    /// What is known of the request, and in which slots.
    private func bag(_ request: Request) -> (AttributeBag, Set<Int>) {
        var values: [String: AttributeValue] = [
            "context.reporter.kind": .string(request.isOutbound ? "outbound" : "inbound"),
            (request.isOutbound ? "source.namespace" : "destination.namespace"): .string(request.namespace),
        ]
        if let head = request.head {
            let path = head.target.prefix { $0 != "?" && $0 != "#" }
            var headers = head.headers
            headers[":method"] = head.method
            headers[":path"] = head.target
            headers[":authority"] = head.authority
            values["request.method"] = .string(head.method)
            values["request.path"] = .string(head.target)
            values["request.url_path"] = .string(String(path))
            values["request.host"] = .string(head.authority)
            values["request.headers"] = .stringMap(headers)
        }
        var bag = AttributeBag(self.vocabulary)
        var known: Set<Int> = []
        for (name, value) in values {
            // A manifest may have given it another type.
            guard let slot = self.vocabulary.slot(of: name), self.vocabulary.attributes[slot].type == value.type else {
                continue
            }
            bag[slot] = value
            known.insert(slot)
        }
        return (bag, known)
    }

    private func knows(_ reference: AttributeReferences.Reference, _ request: Request, _ known: Set<Int>) -> Bool {
        guard known.contains(reference.slot) else { return false }
        guard self.vocabulary.attributes[reference.slot].name == "request.headers" else { return true }
        guard let key = reference.key?.lowercased() else { return false }
        return request.head?.headers[key] != nil || key.hasPrefix(":")
            || !Self.proxyHeaders.contains { key.hasPrefix($0) }
    }
}
