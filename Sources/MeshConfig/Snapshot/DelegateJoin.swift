import MeshModel

/// Puts the rules of VirtualServices without hosts where others delegate to them; one level deep, as in Istio.
struct DelegateJoin {
    /// Those with hosts, none of whose rules delegates.
    let rules: [RouteRules]
    let diagnoses: [Diagnosis]

    init(_ written: [RouteRules]) {
        var delegates: [ObjectID: RouteRules] = [:]
        for rules in written where rules.hosts.isEmpty { delegates[rules.source.id] = rules }
        var join = Join(delegates: delegates)
        self.rules = written.filter { !$0.hosts.isEmpty }.map { join.resolved($0) }
        for rules in written where rules.hosts.isEmpty && !join.used.contains(rules.source.id) {
            join.say(.warning, rules, "spec.hosts", "is empty, and no VirtualService delegates to this one: no effect")
        }
        self.diagnoses = join.diagnoses
    }
}

private struct Join {
    /// Conditions that a VirtualService may come to have by delegating: those of its own and of others multiply.
    private static let combinationsMax = 10_000

    let delegates: [ObjectID: RouteRules]
    var used: Set<ObjectID> = []
    var diagnoses: [Diagnosis] = []

    mutating func resolved(_ root: RouteRules) -> RouteRules {
        var result = root
        var combinations = 0
        result.http = root.http.enumerated().flatMap { index, rule in
            rule.delegate.map { self.rules(of: $0, for: rule, root, "spec.http[\(index)]", &combinations) } ?? [rule]
        }
        return result
    }

    /// Without the delegate requests go to the next rule, as in Istio.
    private mutating func rules(
        of id: ObjectID,
        for rule: HTTPRouteRule,
        _ root: RouteRules,
        _ field: String,
        _ combinations: inout Int
    ) -> [HTTPRouteRule] {
        guard let delegate = self.delegates[id] else {
            let message = "VirtualService \(id) does not exist, is broken, or has hosts of its own"
            self.say(.error, root, "\(field).delegate", "\(message): the rule is left out")
            return []
        }
        self.used.insert(id)
        guard delegate.visibility.includes(root.source.id.namespace) else {
            let message = "VirtualService \(id) is not exported here"
            self.say(.error, root, "\(field).delegate", "\(message): the rule is left out")
            return []
        }
        let more = delegate.http.reduce(0) { $0 + max(1, $1.matches.count) } * max(1, rule.matches.count)
        guard combinations + more <= Self.combinationsMax else {
            let message = "VirtualService \(id) makes more than \(Self.combinationsMax) combinations of conditions"
            self.say(.error, root, "\(field).delegate", "\(message): the rule is left out")
            return []
        }
        combinations += more
        var result: [HTTPRouteRule] = []
        for (index, own) in delegate.http.enumerated() {
            let place = "spec.http[\(index)]"
            if own.delegate != nil {
                self.say(.error, delegate, "\(place).delegate", "what is delegated to cannot delegate: it is left out")
            } else if let merged = own.delegated(by: rule) {
                result.append(merged)
            } else {
                let message = "contradicts `\(field).match` of \(root.source), which delegates here: it never matches"
                self.say(.warning, delegate, "\(place).match", message)
            }
        }
        return result
    }

    mutating func say(_ severity: Diagnosis.Severity, _ rules: RouteRules, _ field: String, _ message: String) {
        self.diagnoses.append(Diagnosis(severity: severity, object: rules.source, field: field, message: message))
    }
}

extension HTTPRouteRule {
    /// This rule where `root` delegates to it; its own word goes before the root's. `nil`: no request meets both.
    fileprivate func delegated(by root: HTTPRouteRule) -> HTTPRouteRule? {
        var result = self
        result.name = [root.name, self.name].filter { !$0.isEmpty }.joined(separator: "-")
        if !root.matches.isEmpty, !self.matches.isEmpty {
            result.matches = root.matches.flatMap { outer in self.matches.compactMap { $0.narrowed(from: outer) } }
            if result.matches.isEmpty { return nil }
        } else {
            result.matches = root.matches + self.matches
        }
        if self.rewritePath == nil, self.rewriteAuthority == nil {
            result.rewritePath = root.rewritePath
            result.rewriteAuthority = root.rewriteAuthority
        }
        result.timeout = self.timeout ?? root.timeout
        result.retries = self.retries ?? root.retries
        result.crossOrigin = self.crossOrigin ?? root.crossOrigin
        result.requestHeaders = self.requestHeaders.over(root.requestHeaders)
        result.responseHeaders = self.responseHeaders.over(root.responseHeaders)
        return result
    }
}

extension HeaderOperations {
    fileprivate func over(_ root: HeaderOperations) -> HeaderOperations {
        var result = self
        result.set.merge(root.set) { own, _ in own }
        result.add.merge(root.add) { own, _ in own }
        result.remove = root.remove.filter { !self.remove.contains($0) } + self.remove
        return result
    }
}

extension RequestMatch {
    /// Both, where this one asks for no more than a part of what `root` does; else `nil` (facts #43).
    fileprivate func narrowed(from root: RequestMatch) -> RequestMatch? {
        var result = self
        result.name = [root.name, self.name].filter { !$0.isEmpty }.joined(separator: "-")
        guard self.path == nil || root.path == nil || self.isPathCaseInsensitive == root.isPathCaseInsensitive,
            StringMatch.narrow(&result.path, from: root.path),
            StringMatch.narrow(&result.scheme, from: root.scheme),
            StringMatch.narrow(&result.method, from: root.method),
            StringMatch.narrow(&result.authority, from: root.authority),
            StringMatch.narrow(&result.headers, from: root.headers),
            StringMatch.narrow(&result.headersAbsent, from: root.headersAbsent),
            StringMatch.narrow(&result.queryParameters, from: root.queryParameters)
        else { return nil }
        if self.path == nil { result.isPathCaseInsensitive = root.isPathCaseInsensitive }
        guard self.port == nil || root.port == nil || self.port == root.port else { return nil }
        result.port = self.port ?? root.port
        guard self.sourceNamespace == nil || root.sourceNamespace == nil || self.sourceNamespace == root.sourceNamespace
        else { return nil }
        result.sourceNamespace = self.sourceNamespace ?? root.sourceNamespace
        for (key, value) in root.sourceLabels {
            guard result.sourceLabels.updateValue(value, forKey: key) ?? value == value else { return nil }
        }
        if self.gateways.isEmpty {
            result.gateways = root.gateways
        } else if !root.gateways.isEmpty {
            result.gateways = self.gateways.filter { root.gateways.contains($0) }
            if result.gateways.isEmpty { return nil }
        }
        return result
    }
}

extension StringMatch {
    /// Takes the outer condition where there is no inner one.
    ///
    /// - Returns: `false` if not all that the inner one takes is taken by the outer, as far as that can be told.
    fileprivate static func narrow(_ inner: inout StringMatch?, from outer: StringMatch?) -> Bool {
        guard let own = inner, let outer else {
            inner = inner ?? outer
            return true
        }
        switch (outer, own) {
        case (.exact(let wanted), .exact(let text)): return text == wanted
        case (.prefix(let prefix), .exact(let text)), (.prefix(let prefix), .prefix(let text)):
            return text.hasPrefix(prefix)
        case (.exact, .prefix), (.regex, _), (_, .regex): return false
        }
    }

    /// `nil` asks for presence, which every other condition on the same name implies.
    fileprivate static func narrow(_ inner: inout [String: StringMatch?], from outer: [String: StringMatch?]) -> Bool {
        for (name, condition) in outer {
            var own = inner[name] ?? nil
            guard Self.narrow(&own, from: condition) else { return false }
            inner.updateValue(own, forKey: name)
        }
        return true
    }
}
