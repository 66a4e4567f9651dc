import Crypto
import Foundation
import KubernetesAPI
import Logging
import SwiftASN1
import X509

/// What the webhook serves with, and whom callers must trust for that.
struct WebhookCertificate: Sendable {
    var authorityPEM: String
    var certificatePEM: String
    var keyPEM: String

    /// Whether it is the right one for `names` for a good while to come.
    func isUsable(for names: [String], at now: Date) -> Bool {
        // Whatever cannot be read is replaced: everything in it can be issued again.
        guard let certificate = try? Certificate(pemEncoded: self.certificatePEM),
            let key = try? P256.Signing.PrivateKey(pemRepresentation: self.keyPEM),
            let authority = try? Certificate(pemEncoded: self.authorityPEM),
            let alternatives = try? certificate.extensions.subjectAlternativeNames
        else { return false }
        return certificate.publicKey == Certificate.PrivateKey(key).publicKey
            && authority.publicKey.isValidSignature(certificate.signature, for: certificate)
            && Array(alternatives) == names.map { GeneralName.dnsName($0) }
            && certificate.notValidAfter > now.addingTimeInterval(30 * Self.day)
            && certificate.notValidBefore <= now
    }

    /// An authority for this one certificate; its key is forgotten at once, so nobody can issue another.
    static func issue(for names: [String], at now: Date) throws -> WebhookCertificate {
        let authorityKey = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let authorityName = try DistinguishedName { CommonName("lateen-webhook-ca") }
        let authority = try Certificate(
            version: .v3,
            serialNumber: Certificate.SerialNumber(),
            publicKey: authorityKey.publicKey,
            notValidBefore: now.addingTimeInterval(-Self.day),
            notValidAfter: now.addingTimeInterval(3650 * Self.day),
            issuer: authorityName,
            subject: authorityName,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(keyCertSign: true))
                SubjectKeyIdentifier(hash: authorityKey.publicKey)
            },
            issuerPrivateKey: authorityKey
        )
        let key = P256.Signing.PrivateKey()
        let publicKey = Certificate.PrivateKey(key).publicKey
        let certificate = try Certificate(
            version: .v3,
            serialNumber: Certificate.SerialNumber(),
            publicKey: publicKey,
            notValidBefore: now.addingTimeInterval(-Self.day),
            notValidAfter: now.addingTimeInterval(3649 * Self.day),
            issuer: authorityName,
            subject: try DistinguishedName { CommonName(names.first ?? "webhook") },
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([.serverAuth])
                SubjectAlternativeNames(names.map { .dnsName($0) })
                SubjectKeyIdentifier(hash: publicKey)
            },
            issuerPrivateKey: authorityKey
        )
        return WebhookCertificate(
            authorityPEM: try authority.serializeAsPEM().pemString + "\n",
            certificatePEM: try certificate.serializeAsPEM().pemString + "\n",
            keyPEM: key.pemRepresentation + "\n"
        )
    }

    private static let day: TimeInterval = 86_400
}

/// Keeps the certificate in a Secret, so that all replicas serve with the same one.
struct WebhookCertificateStore: Sendable {
    let client: KubernetesClient
    let namespace: String
    let service: String
    let logger: Logger

    static let secretName = "lateen-webhook"

    /// The certificate, issued if there is none yet; waits for the API server as long as it takes.
    func certificate() async throws -> WebhookCertificate {
        var backOff = BackOff(base: .milliseconds(100), max: .seconds(10), seed: UInt64.random(in: .min ... .max))
        while true {
            do {
                return try await self.readOrIssue()
            } catch let error as KubernetesError {
                self.logger.warning("cannot keep the webhook's certificate", metadata: ["error": "\(error)"])
                try await Task.sleep(for: backOff.next())
            }
        }
    }

    private var names: [String] {
        let name = "\(self.service).\(self.namespace).svc"
        return [name, "\(name).cluster.local", "\(self.service).\(self.namespace)", self.service]
    }

    private func readOrIssue() async throws -> WebhookCertificate {
        let now = Date()
        var existing: KubernetesObject?
        do {
            let object = try await self.client.get(.secrets, namespace: self.namespace, name: Self.secretName)
            if let kept = Self.read(object), kept.isUsable(for: self.names, at: now) { return kept }
            existing = object
        } catch let error as KubernetesError where error.isNotFound {
            existing = nil
        }
        let issued = try WebhookCertificate.issue(for: self.names, at: now)
        var object = existing ?? KubernetesObject(.secrets, namespace: self.namespace, name: Self.secretName)
        object.json["type"] = "Opaque"
        object.json["data"] = [
            "ca.crt": .string(Base64.text(issued.authorityPEM)),
            "tls.crt": .string(Base64.text(issued.certificatePEM)),
            "tls.key": .string(Base64.text(issued.keyPEM)),
        ]
        // Lost against another replica, this throws, and the next round reads what that one wrote.
        if existing == nil {
            _ = try await self.client.create(.secrets, object)
        } else {
            _ = try await self.client.replace(.secrets, object)
        }
        self.logger.info("webhook certificate issued", metadata: ["secret": "\(self.namespace)/\(Self.secretName)"])
        return issued
    }

    private static func read(_ object: KubernetesObject) -> WebhookCertificate? {
        func text(_ key: String) -> String? {
            object.json[path: "data", key]?.string.flatMap { Data(base64Encoded: $0) }
                .map { String(decoding: $0, as: UTF8.self) }
        }
        guard let authority = text("ca.crt"), let certificate = text("tls.crt"), let key = text("tls.key") else {
            return nil
        }
        return WebhookCertificate(authorityPEM: authority, certificatePEM: certificate, keyPEM: key)
    }
}

/// Base64, as Secrets and webhook registrations hold bytes.
enum Base64 {
    static func text(_ text: String) -> String { Data(text.utf8).base64EncodedString() }
}
