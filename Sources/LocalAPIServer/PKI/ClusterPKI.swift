import Crypto
package import Foundation
import SwiftASN1
import X509

/// The cluster's own certificate authority and what it issued: serving certificate, administrator's certificate and
/// the key that signs service account tokens.
///
/// Everything is kept under `pki/`; what is missing, near its end or made for other names is issued anew at start.
package struct ClusterPKI: Sendable {
    package let caPEM: String
    package let servingCertificatePEM: String
    let servingKeyPEM: String
    let adminCertificatePEM: String
    package let adminKeyPEM: String
    package let tokenKeyPEM: String

    private static let day: TimeInterval = 86_400

    package static func open(_ configuration: APIServerConfiguration, now: Date = Date()) throws -> ClusterPKI {
        let folder = configuration.pkiFolder
        try PrivateFiles.makeFolder(folder)
        let authority = try Authority.open(folder, now: now)
        let serving = try authority.pair(
            "apiserver",
            in: folder,
            now: now,
            request: Request(
                commonName: "kube-apiserver",
                organizations: [],
                dnsNames: configuration.servingNames,
                addresses: configuration.servingAddresses,
                usage: .serverAuth
            )
        )
        let admin = try authority.pair(
            "admin",
            in: folder,
            now: now,
            request: Request(
                commonName: "kubernetes-admin",
                organizations: ["system:masters"],
                dnsNames: [],
                addresses: [],
                usage: .clientAuth
            )
        )
        let tokenFile = folder.appendingPathComponent("service-account.key")
        let tokenKey: String
        if let kept = try PrivateFiles.read(tokenFile) {
            tokenKey = try Self.explain(tokenFile) { try P256.Signing.PrivateKey(pemRepresentation: kept) }
                .pemRepresentation
        } else {
            tokenKey = P256.Signing.PrivateKey().pemRepresentation
            try PrivateFiles.write(tokenKey, to: tokenFile, mode: 0o600)
        }
        return ClusterPKI(
            caPEM: authority.certificatePEM,
            servingCertificatePEM: serving.certificate,
            servingKeyPEM: serving.key,
            adminCertificatePEM: admin.certificate,
            adminKeyPEM: admin.key,
            tokenKeyPEM: tokenKey
        )
    }

    /// What a leaf certificate is for.
    struct Request {
        var commonName: String
        var organizations: [String]
        var dnsNames: [String]
        var addresses: [String]
        var usage: ExtendedKeyUsage.Usage
    }

    private static func explain<T>(_ file: URL, _ body: () throws -> T) throws -> T {
        do { return try body() } catch {
            throw APIServerError(
                "cannot read \(file.path): \(error); remove the folder \(file.deletingLastPathComponent().path) to issue new keys",
                cause: error
            )
        }
    }

    /// The signing half: lives only while certificates are issued at start.
    private struct Authority {
        let certificate: Certificate
        let key: Certificate.PrivateKey
        let certificatePEM: String

        static func open(_ folder: URL, now: Date) throws -> Authority {
            let certificateFile = folder.appendingPathComponent("ca.crt")
            let keyFile = folder.appendingPathComponent("ca.key")
            if let pem = try PrivateFiles.read(certificateFile), let keyPEM = try PrivateFiles.read(keyFile) {
                let certificate = try explain(certificateFile) { try Certificate(pemEncoded: pem) }
                let key = try explain(keyFile) { try P256.Signing.PrivateKey(pemRepresentation: keyPEM) }
                let privateKey = Certificate.PrivateKey(key)
                // A crash between the two writes leaves a pair that does not match: issue it anew.
                if certificate.notValidAfter > now.addingTimeInterval(180 * day),
                    certificate.publicKey == privateKey.publicKey
                {
                    return Authority(certificate: certificate, key: privateKey, certificatePEM: pem)
                }
            }
            let key = P256.Signing.PrivateKey()
            let privateKey = Certificate.PrivateKey(key)
            let name = try DistinguishedName { CommonName("lateen-ca") }
            let certificate = try Certificate(
                version: .v3,
                serialNumber: Certificate.SerialNumber(),
                publicKey: privateKey.publicKey,
                notValidBefore: now.addingTimeInterval(-day),
                notValidAfter: now.addingTimeInterval(3650 * day),
                issuer: name,
                subject: name,
                signatureAlgorithm: .ecdsaWithSHA256,
                extensions: try Certificate.Extensions {
                    Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                    Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                    SubjectKeyIdentifier(hash: privateKey.publicKey)
                },
                issuerPrivateKey: privateKey
            )
            let pem = try certificate.serializeAsPEM().pemString + "\n"
            try PrivateFiles.write(key.pemRepresentation, to: keyFile, mode: 0o600)
            try PrivateFiles.write(pem, to: certificateFile, mode: 0o644)
            return Authority(certificate: certificate, key: privateKey, certificatePEM: pem)
        }

        func pair(
            _ name: String,
            in folder: URL,
            now: Date,
            request: Request
        ) throws -> (certificate: String, key: String) {
            let certificateFile = folder.appendingPathComponent("\(name).crt")
            let keyFile = folder.appendingPathComponent("\(name).key")
            if let pem = try PrivateFiles.read(certificateFile), let keyPEM = try PrivateFiles.read(keyFile),
                // An unreadable pair is replaced: everything in it can be issued again.
                let certificate = try? Certificate(pemEncoded: pem),
                let key = try? P256.Signing.PrivateKey(pemRepresentation: keyPEM),
                certificate.publicKey == Certificate.PrivateKey(key).publicKey,
                certificate.notValidAfter > now.addingTimeInterval(60 * day),
                self.key.publicKey.isValidSignature(certificate.signature, for: certificate),
                try certificate.extensions.subjectAlternativeNames.map(Array.init) ?? [] == request.alternativeNames
            {
                return (pem, keyPEM)
            }
            let key = P256.Signing.PrivateKey()
            let publicKey = Certificate.PrivateKey(key).publicKey
            let names = try request.alternativeNames
            let certificate = try Certificate(
                version: .v3,
                serialNumber: Certificate.SerialNumber(),
                publicKey: publicKey,
                notValidBefore: now.addingTimeInterval(-day),
                notValidAfter: now.addingTimeInterval(365 * day),
                issuer: self.certificate.subject,
                subject: try DistinguishedName {
                    for organization in request.organizations { OrganizationName(organization) }
                    CommonName(request.commonName)
                },
                signatureAlgorithm: .ecdsaWithSHA256,
                extensions: try Certificate.Extensions {
                    Critical(BasicConstraints.notCertificateAuthority)
                    Critical(KeyUsage(digitalSignature: true))
                    try ExtendedKeyUsage([request.usage])
                    if !names.isEmpty { SubjectAlternativeNames(names) }
                },
                issuerPrivateKey: self.key
            )
            let pem = try certificate.serializeAsPEM().pemString + "\n"
            try PrivateFiles.write(key.pemRepresentation, to: keyFile, mode: 0o600)
            try PrivateFiles.write(pem, to: certificateFile, mode: 0o644)
            return (pem, key.pemRepresentation)
        }
    }
}

extension ClusterPKI.Request {
    var alternativeNames: [GeneralName] {
        get throws {
            self.dnsNames.map { GeneralName.dnsName($0) }
                + self.addresses.map { address in
                    let parts = address.split(separator: ".").compactMap { UInt8($0) }
                    return parts.count == 4
                        ? GeneralName.ipAddress(ASN1OctetString(contentBytes: ArraySlice(parts)))
                        : GeneralName.dnsName(address)
                }
        }
    }
}
