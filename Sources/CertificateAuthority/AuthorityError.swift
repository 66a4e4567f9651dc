/// Why an authority cannot be used, or a request is not granted. Never holds a key or a token.
package struct AuthorityError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: String, Hashable, Sendable, CaseIterable {
        /// The signing request cannot be read.
        case malformedRequest = "malformed_csr"
        /// The request was not signed by the key that it names.
        case badSignature = "csr_sign_error"
        /// The key of the request is too weak or of a kind that proxies do not speak.
        case keyRefused = "key_refused"
        /// Key, certificate, chain and root do not fit together, or one of them cannot be read.
        case unusableAuthority = "authority_error"
        /// The authority's certificate, or one above it, has ended.
        case expiredAuthority = "authority_expired"
        /// A certificate does not say who its holder is.
        case noIdentity = "no_identity"
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { self.message }
}
