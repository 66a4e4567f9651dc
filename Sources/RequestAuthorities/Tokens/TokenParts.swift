internal import TrafficEngine

/// A token taken apart and not yet believed (RFC 7515 section 7.1).
struct TokenParts: Sendable {
    /// Algorithms whose keys are public. `none` and the symmetric ones are no proof here: with them anybody who knows
    /// the public key could sign.
    static let algorithms: Set<String> = [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
    ]
    /// Longer ones are refused unread.
    static let bytesMax = 16 * 1024

    var algorithm: String
    var keyID: String?
    var claims: ClaimValue
    var issuer: String
    /// What was signed: header and payload as sent.
    var signed: [UInt8]
    var signature: [UInt8]
    /// The payload as it was sent.
    var payload: [UInt8]

    init(_ text: String) throws(TokenRefusal) {
        guard text.utf8.count <= Self.bytesMax else { throw TokenRefusal(.tooLarge) }
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw TokenRefusal(.badForm) }
        guard let header = Base64URL.decode(parts[0]).flatMap(ClaimJSON.object) else { throw TokenRefusal(.badHeader) }
        guard let algorithm = header.text("alg"), Self.algorithms.contains(algorithm),
            // RFC 7515 section 4.1.11: extensions that must be understood, and none are.
            header.value(at: ["crit"]) == nil
        else { throw TokenRefusal(.badAlgorithm) }
        guard let claims = Base64URL.decode(parts[1]).flatMap(ClaimJSON.object) else { throw TokenRefusal(.badPayload) }
        guard let signature = Base64URL.decode(parts[2]), !signature.isEmpty else {
            throw TokenRefusal(.badSignatureEncoding)
        }
        self.algorithm = algorithm
        self.keyID = header.text("kid")
        self.claims = claims
        self.issuer = claims.text("iss") ?? ""
        self.signed = Array(parts[0]) + [UInt8(ascii: ".")] + Array(parts[1])
        self.signature = signature
        self.payload = Array(parts[1])
    }

    /// Clocks differ a little.
    static let skew: Int64 = 60

    /// What of it can be checked without a key; `nil`: all is right so far.
    func fault(for provider: TokenPolicy.Provider, now: Int64) -> TokenFault? {
        switch self.claims.seconds("exp") {
        case .some(.some(let end)): if now > end.saturating(adding: Self.skew) { return .expired }
        case .some(nil): return .badPayload
        case nil: ()
        }
        switch self.claims.seconds("nbf") {
        case .some(.some(let start)): if now < start.saturating(adding: -Self.skew) { return .notYetValid }
        case .some(nil): return .badPayload
        case nil: ()
        }
        guard !provider.audiences.isEmpty else { return nil }
        return self.audiences.contains(where: { Self.admits(provider.audiences, $0) }) ? nil : .wrongAudience
    }

    private var audiences: [String] {
        switch self.claims.value(at: ["aud"]) {
        case .text(let audience)?: return [audience]
        case .list(let list)?: return list.compactMap { if case .text(let text) = $0 { text } else { nil } }
        case .number?, .flag?, .object?, .null?, nil: return []
        }
    }

    /// Scheme and trailing slash do not count, as in Envoy: `https://a.example/` is `a.example`.
    private static func admits(_ wanted: [String], _ audience: String) -> Bool {
        wanted.contains { Self.plain($0) == Self.plain(audience) }
    }

    private static func plain(_ audience: String) -> Substring {
        var text = Substring(audience)
        for scheme in ["http://", "https://"] where text.hasPrefix(scheme) { text = text.dropFirst(scheme.count) }
        return text.hasSuffix("/") ? text.dropLast() : text
    }
}

/// A fault as an error.
struct TokenRefusal: Error, Hashable {
    var fault: TokenFault

    init(_ fault: TokenFault) { self.fault = fault }
}

extension Int64 {
    fileprivate func saturating(adding other: Int64) -> Int64 {
        let (sum, hasOverflowed) = self.addingReportingOverflow(other)
        return hasOverflowed ? (other > 0 ? .max : .min) : sum
    }
}
