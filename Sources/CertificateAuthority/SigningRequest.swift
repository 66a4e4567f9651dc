import Crypto
import SwiftASN1
package import X509
import _CryptoExtras

/// A PKCS#10 request (RFC 2986) that proves the possession of its key.
///
/// Nothing of it but the key is used: who the holder is says the caller's authentication, not the request.
package struct SigningRequest: Sendable {
    package let publicKey: Certificate.PublicKey

    /// A request with an RSA key of 8192 bits and a few names stays far below this.
    package static let bytesMax = 16 * 1024

    /// Reads and checks a request.
    ///
    /// - Parameter pem: one `CERTIFICATE REQUEST`.
    /// - Throws: ``AuthorityError`` with what is wrong.
    package init(pem: String) throws(AuthorityError) {
        guard pem.utf8.count <= Self.bytesMax else {
            throw AuthorityError(.malformedRequest, "the CSR is larger than \(Self.bytesMax) bytes")
        }
        let request: CertificateSigningRequest
        do {
            request = try CertificateSigningRequest(pemEncoded: pem)
        } catch {
            throw AuthorityError(.malformedRequest, "the CSR cannot be read: \(error)")
        }
        if let objection = Self.objection(to: request.publicKey) { throw AuthorityError(.keyRefused, objection) }
        // SHA-1 no longer proves anything.
        guard request.signatureAlgorithm != .sha1WithRSAEncryption else {
            throw AuthorityError(.badSignature, "the CSR is signed with SHA-1")
        }
        guard request.publicKey.isValidSignature(request.signature, for: request) else {
            throw AuthorityError(.badSignature, "the CSR is not signed by the key in it")
        }
        self.publicKey = request.publicKey
    }

    /// Why a key is not accepted; `nil` if it is.
    private static func objection(to key: Certificate.PublicKey) -> String? {
        if P256.Signing.PublicKey(key) != nil || P384.Signing.PublicKey(key) != nil { return nil }
        if let rsa = _RSA.Signing.PublicKey(key) {
            if SigningKeyKind.rsaBits.contains(rsa.keySizeInBits) { return nil }
            return "RSA keys must have \(SigningKeyKind.rsaBits.lowerBound) to \(SigningKeyKind.rsaBits.upperBound)"
                + " bits, this one has \(rsa.keySizeInBits)"
        }
        return "\(key) is not accepted: use ECDSA P-256, ECDSA P-384 or RSA"
    }
}
