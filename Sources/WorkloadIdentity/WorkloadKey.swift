internal import Crypto
package import MeshModel
internal import SwiftASN1
internal import X509
internal import _CryptoExtras

/// A workload's private key. It is made here and leaves the pod never.
package struct WorkloadKey: Sendable, CustomStringConvertible {
    package enum Algorithm: Hashable, Sendable {
        case ecdsaP256
        /// Bits, at least 2048.
        case rsa(bits: Int)

        /// RSA if `rsaBits` is more than 0, else ECDSA; `nil` for a length that is not used.
        package init?(rsaBits: Int) {
            if rsaBits <= 0 {
                self = .ecdsaP256
                return
            }
            guard [2048, 3072, 4096].contains(rsaBits) else { return nil }
            self = .rsa(bits: rsaBits)
        }
    }

    let key: Certificate.PrivateKey
    /// PEM.
    package let pem: [UInt8]

    /// Makes a new one.
    package init(_ algorithm: Algorithm) throws {
        switch algorithm {
        case .ecdsaP256:
            let key = P256.Signing.PrivateKey()
            self.key = Certificate.PrivateKey(key)
            self.pem = Array((key.pemRepresentation + "\n").utf8)
        case .rsa(let bits):
            let key = try _RSA.Signing.PrivateKey(keySize: _RSA.Signing.KeySize(bitCount: bits))
            self.key = Certificate.PrivateKey(key)
            self.pem = Array((key.pemRepresentation + "\n").utf8)
        }
    }

    /// Reads one.
    package init(pem: [UInt8]) throws {
        self.key = try Certificate.PrivateKey(pemEncoded: String(decoding: pem, as: UTF8.self))
        self.pem = pem
    }

    package var description: String { "[redacted]" }

    /// Asks for a certificate for `identity` (PKCS #10, RFC 2986), in PEM.
    ///
    /// The name is a URI in the subject alternative name; the subject is empty, so the extension is critical
    /// (RFC 5280 section 4.2.1.6).
    package func signingRequest(for identity: WorkloadID) throws -> String {
        let extensions = try Certificate.Extensions {
            Critical(SubjectAlternativeNames([.uniformResourceIdentifier(identity.uri)]))
        }
        let request = try CertificateSigningRequest(
            version: .v1,
            subject: DistinguishedName(),
            privateKey: self.key,
            attributes: CertificateSigningRequest.Attributes([
                CertificateSigningRequest.Attribute(ExtensionRequest(extensions: extensions))
            ])
        )
        return try request.serializeAsPEM().pemString + "\n"
    }
}
