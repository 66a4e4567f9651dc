import CertificateAuthority
import Crypto
import Foundation
import MeshModel
import SwiftASN1
import X509
import _CryptoExtras

/// Requests and identities for tests.
enum Requests {
    /// A fixed moment, 2026-01-01.
    static let now = Date(timeIntervalSince1970: 1_767_225_600)

    static func identity() throws -> WorkloadID {
        guard let id = WorkloadID(trustDomain: "cluster.local", namespace: "default", serviceAccount: "sleep") else {
            throw AuthorityError(.noIdentity, "not an identity")
        }
        return id
    }

    static func authority(
        _ kind: SigningKeyKind = .ecdsaP256,
        policy: IssuancePolicy = IssuancePolicy(),
        lifetime: Duration = .seconds(10 * 365 * 86_400),
        now: Date = Self.now
    ) throws -> CertificateAuthority {
        let files = try CertificateAuthority.selfSigned(
            organization: "cluster.local",
            kind: kind,
            lifetime: lifetime,
            now: now
        )
        return try CertificateAuthority(files: files, policy: policy, now: now)
    }

    /// A PKCS#10 request that asks for `uri`, with a subject that asks for more.
    static func pem(_ key: Certificate.PrivateKey, uri: String = "spiffe://evil/ns/a/sa/b") throws -> String {
        let extensions = try Certificate.Extensions {
            Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
            SubjectAlternativeNames([.uniformResourceIdentifier(uri), .dnsName("istiod.istio-system.svc")])
        }
        let request = try CertificateSigningRequest(
            version: .v1,
            subject: try DistinguishedName { CommonName("admin") },
            privateKey: key,
            attributes: try CertificateSigningRequest.Attributes([.init(ExtensionRequest(extensions: extensions))])
        )
        return try request.serializeAsPEM().pemString
    }

    static func key() -> Certificate.PrivateKey { Certificate.PrivateKey(P256.Signing.PrivateKey()) }
}
