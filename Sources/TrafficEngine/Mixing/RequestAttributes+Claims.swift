/// What a verified token says, in Istio's words.
extension RequestAttributes {
    static let claims = "request.auth.claims"

    /// Issuer and subject, `ISSUER/SUBJECT`; `nil` if the token lacks one.
    var authenticatedPrincipal: String? {
        guard let issuer = self.claim("iss"), let subject = self.claim("sub") else { return nil }
        return "\(issuer)/\(subject)"
    }

    /// A claim as text, of a list of texts all with commas in between; `nil`: it is none of both, or not there.
    func claim(_ name: String) -> String? {
        guard case .object(let members) = self.facts.claims else { return nil }
        return members[name].flatMap(Self.text)
    }

    /// All claims that are text, or lists of it.
    var claimMap: [String: String] {
        guard case .object(let members) = self.facts.claims else { return [:] }
        return members.compactMapValues(Self.text)
    }

    /// The token's own JSON, with claims of all kinds and its own spaces.
    var rawClaims: [UInt8]? { self.facts.claimsPayload.flatMap { Base64URL.decode($0) } }

    private static func text(_ claim: ClaimValue) -> String? {
        switch claim {
        case .text(let text): return text
        case .list(let elements):
            let texts = elements.compactMap { if case .text(let text) = $0 { text } else { nil } }
            return texts.isEmpty ? nil : texts.joined(separator: ",")
        case .number, .flag, .object, .null: return nil
        }
    }
}
