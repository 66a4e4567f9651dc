/// A rule of an AuthorizationPolicy, as entries of policies are named: `ns[NAMESPACE]-policy[NAME]-rule[INDEX]`.
///
/// CUSTOM rules have `istio-ext-authz-PROVIDER-` in front (Istio's form).
package struct PolicyName: Hashable, Sendable, CustomStringConvertible {
    package var namespace: String
    package var name: String
    package var rule: Int
    /// The provider of a CUSTOM rule.
    package var provider: String?

    package init(namespace: String, name: String, rule: Int, provider: String? = nil) {
        self.namespace = namespace
        self.name = name
        self.rule = rule
        self.provider = provider
    }

    package static let customPrefix = "istio-ext-authz-"

    /// Reads the form above; `nil` for names of other origin.
    package init?(_ text: String) {
        var rest = Substring(text)
        var provider: String?
        if rest.hasPrefix(Self.customPrefix) {
            rest = rest.dropFirst(Self.customPrefix.count)
            guard let start = rest.firstRange(of: "-ns[") else { return nil }
            provider = String(rest[..<start.lowerBound])
            rest = rest[rest.index(after: start.lowerBound)...]
        }
        guard rest.hasPrefix("ns["), rest.hasSuffix("]"), let first = rest.firstRange(of: "]-policy["),
            let second = rest.firstRange(of: "]-rule["), first.upperBound <= second.lowerBound,
            let rule = Int(rest[second.upperBound...].dropLast())
        else { return nil }
        self.init(
            namespace: String(rest.dropFirst(3)[..<first.lowerBound]),
            name: String(rest[first.upperBound..<second.lowerBound]),
            rule: rule,
            provider: provider
        )
    }

    /// As entries are named.
    package var text: String {
        let plain = "ns[\(self.namespace)]-policy[\(self.name)]-rule[\(self.rule)]"
        return self.provider.map { "\(Self.customPrefix)\($0)-\(plain)" } ?? plain
    }

    /// For people: `shop/allow-get rule 0`.
    package var description: String { "\(self.namespace)/\(self.name) rule \(self.rule)" }
}
