import SwiftASN1
package import X509

/// Key, certificate and what leads from it to a root, as the files of Istio's Secrets `cacerts` and `istio-ca-secret`
/// hold them (PEM).
package struct AuthorityFiles: Hashable, Sendable, Codable {
    /// `ca-cert.pem`: the certificate to sign with.
    package var certificate: String
    /// `ca-key.pem`
    package var key: String
    /// `cert-chain.pem`: what lies between the certificate and the root, if anything.
    package var chain: String
    /// `root-cert.pem`: one root or more, that of the certificate among them.
    package var root: String

    package init(certificate: String, key: String, chain: String = "", root: String) {
        self.certificate = certificate
        self.key = key
        self.chain = chain
        self.root = root
    }

    package static let certificateName = "ca-cert.pem"
    package static let keyName = "ca-key.pem"
    package static let chainName = "cert-chain.pem"
    package static let rootName = "root-cert.pem"

    /// The roots one by one, written alike, so that they can be compared.
    package var roots: [String] {
        get throws(AuthorityError) {
            let certificates = try Self.certificates(self.root, file: Self.rootName)
            return try certificates.map { certificate throws(AuthorityError) in try certificate.pem() }
        }
    }

    /// The certificates of a PEM text; `file` names it in complaints.
    static func certificates(_ text: String, file: String) throws(AuthorityError) -> [Certificate] {
        do {
            return try PEMDocument.parseMultiple(pemString: text).map { try Certificate(pemDocument: $0) }
        } catch {
            throw AuthorityError(.unusableAuthority, "\(file) cannot be read: \(error)")
        }
    }
}

extension AuthorityFiles: CustomStringConvertible, CustomDebugStringConvertible {
    /// Without the key: descriptions end up in logs.
    package var description: String { "AuthorityFiles(\(self.certificate.utf8.count) bytes of certificate)" }
    package var debugDescription: String { self.description }
}

extension Certificate {
    /// The certificate as PEM, with an end of line.
    package func pem() throws(AuthorityError) -> String {
        do {
            return try self.serializeAsPEM().pemString + "\n"
        } catch {
            throw AuthorityError(.unusableAuthority, "a certificate cannot be written: \(error)")
        }
    }
}
