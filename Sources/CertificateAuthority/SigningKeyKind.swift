import Crypto
package import X509
import _CryptoExtras

/// The kinds of key that the authority makes for itself.
package enum SigningKeyKind: Hashable, Sendable {
    case ecdsaP256
    case ecdsaP384
    case rsa(bits: Int)

    /// RSA keys outside this are too weak, or too slow to be of use.
    package static let rsaBits = 2048...8192

    /// `ecdsa-p256`, `ecdsa-p384`, `rsa-2048`, `rsa-3072`, `rsa-4096`.
    package init?(_ text: String) {
        switch text {
        case "ecdsa-p256": self = .ecdsaP256
        case "ecdsa-p384": self = .ecdsaP384
        case "rsa-2048": self = .rsa(bits: 2048)
        case "rsa-3072": self = .rsa(bits: 3072)
        case "rsa-4096": self = .rsa(bits: 4096)
        default: return nil
        }
    }

    package static let names = ["ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072", "rsa-4096"]

    /// A new key; RSA keys take a second or so.
    package func makeKey() throws -> Certificate.PrivateKey {
        switch self {
        case .ecdsaP256: Certificate.PrivateKey(P256.Signing.PrivateKey())
        case .ecdsaP384: Certificate.PrivateKey(P384.Signing.PrivateKey())
        case .rsa(let bits): Certificate.PrivateKey(try _RSA.Signing.PrivateKey(keySize: .init(bitCount: bits)))
        }
    }
}
