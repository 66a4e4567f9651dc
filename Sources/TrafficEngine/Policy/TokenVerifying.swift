/// Checks tokens: on the caller's thread where the keys are known and few of them fit, else on another.
package protocol TokenVerifying: Sendable {
    /// Checks one token against the providers that may have issued it.
    ///
    /// - Parameters:
    ///   - token: as a request presented it.
    ///   - policy: whose providers the token names by index.
    ///   - completion: called once, on any thread, if the verdict is not returned.
    /// - Returns: the verdict; `nil`: keys have to be fetched, or more of them tried than a caller may wait for.
    func verify(
        _ token: PresentedToken,
        policy: TokenPolicy,
        completion: @escaping @Sendable (TokenVerdict) -> Void
    ) -> TokenVerdict?
}

package enum TokenVerdict: Sendable {
    case verified(VerifiedToken)
    case refused(TokenFault)
}

/// A token whose signature, issuer, audience and times were right (RFC 7519).
package final class VerifiedToken: Sendable {
    /// Index into the policy's providers.
    package let provider: Int
    package let issuer: String
    package let subject: String
    /// Seconds since 1970; `nil`: it never expires.
    package let expires: Int64?
    /// The payload as an object; claims that are lists with spaces in between are split.
    package let claims: ClaimValue
    /// The payload as it was sent, base64url without padding.
    package let payload: [UInt8]

    package init(
        provider: Int,
        issuer: String,
        subject: String,
        expires: Int64?,
        claims: ClaimValue,
        payload: [UInt8]
    ) {
        self.provider = provider
        self.issuer = issuer
        self.subject = subject
        self.expires = expires
        self.claims = claims
        self.payload = payload
    }

    /// Istio's request principal, `ISSUER/SUBJECT`.
    package var principal: String { "\(self.issuer)/\(self.subject)" }
}

/// Why a token was refused, in Envoy's words where it has some.
package enum TokenFault: String, Hashable, Sendable, CaseIterable {
    case missing = "Jwt is missing"
    case badForm = "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections"
    case badHeader = "Jwt header is an invalid JSON"
    case badPayload = "Jwt payload is an invalid JSON"
    case badSignatureEncoding = "Jwt signature is an invalid Base64url encoded"
    case badAlgorithm = "Jwt header [alg] is not supported"
    case unknownIssuer = "Jwt issuer is not configured"
    case wrongAudience = "Audiences in Jwt are not allowed"
    case expired = "Jwt is expired"
    case notYetValid = "Jwt not yet valid"
    case badSignature = "Jwt verification fails"
    case noKey = "Jwks doesn't have key to match kid or alg from Jwt"
    case fetchFailed = "Jwks remote fetch is failed"
    case badKeys = "Jwks is an invalid JSON"
    /// A larger one than any issuer makes costs work for nothing.
    case tooLarge = "Jwt is too large"
    case tooMany = "Too many Jwts in one request"
    /// More tokens wait for their check than are allowed to.
    case overloaded = "Too many Jwts are being verified"

    /// For the access log, in Envoy's form: `jwt_authn_access_denied{Jwt_is_expired}`.
    package var details: String {
        "jwt_authn_access_denied{" + self.rawValue.map { $0 == " " ? "_" : String($0) }.joined() + "}"
    }
}
