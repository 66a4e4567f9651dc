/// A JSON value of a token's payload.
package indirect enum ClaimValue: Hashable, Sendable {
    case text(String)
    case number(Double)
    case flag(Bool)
    case list([ClaimValue])
    case object([String: ClaimValue])
    case null

    /// The value under a path of names; `nil` if there is none.
    package func value(at path: some Collection<String>) -> ClaimValue? {
        guard let name = path.first else { return self }
        guard case .object(let members) = self else { return nil }
        return members[name]?.value(at: path.dropFirst())
    }

    /// Under a name as Envoy's `claim_to_headers` writes it: `a.b` is the claim `a.b`, else `b` in `a`.
    package func value(named name: String) -> ClaimValue? {
        self.value(at: [name])
            ?? self.value(at: name.split(separator: ".", omittingEmptySubsequences: false).map(String.init))
    }

    /// As a header can carry it; `nil` for lists, objects, and text with characters that no header may have.
    package var headerText: [UInt8]? {
        switch self {
        case .text(let text):
            let bytes = Array(text.utf8)
            return bytes.allSatisfy { $0 >= 32 && $0 != 127 } ? bytes : nil
        case .number(let number):
            let isWhole = number == number.rounded() && number.magnitude < 9_007_199_254_740_992  // 2^53
            return Array((isWhole ? "\(Int64(number))" : "\(number)").utf8)
        case .flag(let flag): return Array((flag ? "true" : "false").utf8)
        case .list, .object, .null: return nil
        }
    }

    /// With the text of these claims split at spaces into lists.
    package func splittingSpaces(in names: [String]) -> ClaimValue {
        guard case .object(var members) = self else { return self }
        for name in names {
            guard case .text(let text)? = members[name] else { continue }
            members[name] = .list(text.split(separator: " ").map { .text(String($0)) })
        }
        return .object(members)
    }

    /// Whether it is text that matches, or a list with such an element.
    func holds(_ match: TextMatch) -> Bool {
        switch self {
        case .text(let text): match.holds(text)
        case .list(let elements):
            elements.contains { if case .text(let text) = $0 { match.holds(text) } else { false } }
        case .number, .flag, .object, .null: false
        }
    }
}
