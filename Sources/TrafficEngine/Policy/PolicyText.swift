/// What the proxy says about policies: in answers, headers and logs.
package enum PolicyText {
    /// Envoy's body of a refusal.
    package static let denied = Array("RBAC: access denied".utf8)
    package static let deniedHeader = Array("x-lateen-denied-by".utf8)

    /// For the access log: `rbac_access_denied_matched_policy[ns[a]-policy[b]-rule[0]]`, `[none]` without an entry.
    package static func details(_ policy: RulePolicy, _ entry: Int?) -> String {
        "rbac_access_denied_matched_policy[\(entry.map { policy.entries[$0].name } ?? "none")]"
    }

    /// For `x-lateen-denied-by`: the policy and rule, or the policies of which none allowed.
    package static func culprit(_ policy: RulePolicy, _ entry: Int?) -> [UInt8] {
        if let entry {
            let name = policy.entries[entry].name
            return Array("AuthorizationPolicy \(PolicyName(name)?.description ?? name)".utf8)
        }
        var names: [String] = []
        for entry in policy.entries {
            let name = PolicyName(entry.name).map { "\($0.namespace)/\($0.name)" } ?? entry.name
            if !names.contains(name) { names.append(name) }
        }
        // A header is no place for a long list; the first say where to look.
        let shown = names.prefix(3).joined(separator: ", ") + (names.count > 3 ? ", ..." : "")
        return Array("AuthorizationPolicy: none that allows matched (\(shown))".utf8)
    }

    /// For logs: what a dry run would have done, or what an AUDIT policy saw; empty: nothing.
    package static func shadow(_ policy: RulePolicy, _ verdict: RulePolicy.Verdict) -> String {
        func name(_ entry: Int?) -> String { entry.map { policy.entries[$0].name } ?? "none" }
        return switch (policy.action, verdict) {
        case (.log, .allowed(let entry)): entry == nil ? "" : "rbac_audit_matched_policy[\(name(entry))]"
        case (_, .denied(let entry)): "rbac_shadow_denied_matched_policy[\(name(entry))]"
        case (_, .allowed(let entry)): entry == nil ? "" : "rbac_shadow_allowed_matched_policy[\(name(entry))]"
        }
    }

    /// RFC 6750 section 3; the realm is the request's address, as Envoy has it.
    package static func challenge(_ request: RequestView, scheme: StaticString, _ fault: TokenFault) -> [UInt8] {
        var text = Array("Bearer realm=\"\(scheme)://".utf8)
        let path = PolicyPath.path(of: request[request.target])
        for byte in (Array(request[request.authority]) + path).prefix(256)
        where byte > 32 && byte < 127 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\") {
            text.append(byte)
        }
        text.append(UInt8(ascii: "\""))
        if fault != .missing { text += Array(", error=\"invalid_token\"".utf8) }
        return text
    }
}
