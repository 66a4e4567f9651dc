import Crypto
import Foundation
import MeshModel
import SwiftASN1
import X509

/// A root of trust and what it signs, for tests; also what no honest authority would sign.
struct TestPKI {
    let root: Certificate
    private let key: Certificate.PrivateKey

    init(_ name: String = "root") throws {
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        self.key = key
        let subject = try DistinguishedName { CommonName(name) }
        self.root = try Certificate(
            version: .v3,
            serialNumber: Certificate.SerialNumber(),
            publicKey: key.publicKey,
            notValidBefore: Date(timeIntervalSinceNow: -3600),
            notValidAfter: Date(timeIntervalSinceNow: 360_000),
            issuer: subject,
            subject: subject,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
                Critical(KeyUsage(keyCertSign: true, cRLSign: true))
            },
            issuerPrivateKey: key
        )
    }

    var rootPEM: [UInt8] {
        get throws { Array((try self.root.serializeAsPEM().pemString + "\n").utf8) }
    }

    /// A certificate with its key. Times are in seconds from now.
    func issue(
        uris: [String] = [],
        dns: [String] = [],
        commonName: String? = nil,
        from start: Double = -60,
        to end: Double = 3600,
        serial: Certificate.SerialNumber = Certificate.SerialNumber()
    ) throws -> TLSCredential {
        let key = P256.Signing.PrivateKey()
        let names = uris.map { GeneralName.uniformResourceIdentifier($0) } + dns.map { GeneralName.dnsName($0) }
        let certificate = try Certificate(
            version: .v3,
            serialNumber: serial,
            publicKey: Certificate.PrivateKey(key).publicKey,
            notValidBefore: Date(timeIntervalSinceNow: start),
            notValidAfter: Date(timeIntervalSinceNow: end),
            issuer: self.root.subject,
            subject: try DistinguishedName { if let commonName { CommonName(commonName) } },
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([.serverAuth, .clientAuth])
                if !names.isEmpty { Critical(SubjectAlternativeNames(names)) }
            },
            issuerPrivateKey: self.key
        )
        return TLSCredential(
            certificateChain: Array(try certificate.serializeAsPEM().pemString.utf8),
            privateKey: Array(key.pemRepresentation.utf8),
            roots: try self.rootPEM
        )
    }

    static let frontend = "spiffe://cluster.local/ns/shop/sa/frontend"
    static let backend = "spiffe://cluster.local/ns/shop/sa/backend"
}
