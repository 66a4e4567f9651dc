internal import Foundation
internal import SwiftASN1
internal import X509

/// What is said in a certificate, as far as anybody here asks.
package struct CertificateFacts: Hashable, Sendable {
    /// Lower-case hex.
    package var serial: String
    package var uris: [String]
    package var dnsNames: [String]
    /// Seconds since 1970.
    package var validFrom: Double
    package var validUntil: Double
    /// Whether it is its own issuer, as roots are.
    package var isSelfIssued: Bool

    init(_ certificate: Certificate) {
        self.serial = certificate.serialNumber.bytes.map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
        self.uris = []
        self.dnsNames = []
        // A certificate whose names cannot be read has none that anybody may rely on.
        for name in (try? certificate.extensions.subjectAlternativeNames) ?? SubjectAlternativeNames() {
            switch name {
            case .uniformResourceIdentifier(let uri): self.uris.append(uri)
            case .dnsName(let dns): self.dnsNames.append(dns)
            default: ()  // an open set of the standard; the others stand for no workload
            }
        }
        self.validFrom = certificate.notValidBefore.timeIntervalSince1970
        self.validUntil = certificate.notValidAfter.timeIntervalSince1970
        self.isSelfIssued = certificate.issuer == certificate.subject && !certificate.subject.isEmpty
    }

    /// What stands in a file of certificates in PEM, first to last; what is no certificate is left out.
    package static func all(in pem: [UInt8]) -> [CertificateFacts] {
        // Shown to people only: of a file that cannot be read nothing can be shown.
        ((try? PEMCertificates(pem)) ?? PEMCertificates()).certificates.map(Self.init)
    }
}

/// Certificates in PEM, taken apart.
struct PEMCertificates: Sendable {
    /// More are not read, from whomever they come.
    private static let countMax = 64

    var certificates: [Certificate] = []

    init() {}

    init(_ pem: [UInt8]) throws {
        let text = String(decoding: pem, as: UTF8.self)
        guard text.contains("-----BEGIN") else { return }
        self.certificates = try PEMDocument.parseMultiple(pemString: text)
            .filter { $0.discriminator == Certificate.defaultPEMDiscriminator }
            .prefix(Self.countMax)
            .map { try Certificate(pemDocument: $0) }
    }

    /// PEM again, each certificate once, in the order of its first appearance.
    static func pem(_ certificates: [Certificate]) throws -> [UInt8] {
        var seen: Set<Certificate> = []
        var text = ""
        for certificate in certificates where seen.insert(certificate).inserted {
            text += try certificate.serializeAsPEM().pemString + "\n"
        }
        return Array(text.utf8)
    }
}
