package import Foundation
package import MeshModel
import SwiftASN1
package import X509

/// Signs certificates of workloads: with a root of its own, or with a certificate that leads to one.
///
/// A value without store, clock or wire. What it grants says ``IssuancePolicy``.
package struct CertificateAuthority: Sendable {
    package let policy: IssuancePolicy
    /// From the signing certificate up to, but without, the root; empty if the root itself signs.
    package let intermediates: [Certificate]
    /// Where the chain ends.
    package let root: Certificate
    /// All roots that the files name, that of the chain first.
    package let roots: [Certificate]
    private let key: Certificate.PrivateKey

    /// Takes files into use if they fit together at `now`.
    ///
    /// - Parameters:
    ///   - files: key, certificate, chain and root.
    ///   - policy: what is granted.
    ///   - now: the time for which the certificates must be valid.
    /// - Throws: ``AuthorityError`` that names the file at fault.
    package init(files: AuthorityFiles, policy: IssuancePolicy, now: Date) throws(AuthorityError) {
        let path = try AuthorityPath(files, now: now)
        self.policy = policy
        self.key = path.key
        self.intermediates = path.intermediates
        self.root = path.root
        self.roots = path.roots
    }

    /// The certificate that signs.
    package var signer: Certificate { self.intermediates.first ?? self.root }

    /// When the first certificate of the chain ends; nothing that is issued lives longer.
    package var notAfter: Date {
        ([self.root] + self.intermediates).map(\.notValidAfter).min() ?? self.root.notValidAfter
    }

    /// A certificate for a workload, whatever names the request asks for.
    ///
    /// - Parameters:
    ///   - identity: who the caller proved to be.
    ///   - request: the checked request; only its key is used.
    ///   - lifetime: seconds that were asked for; 0 or less: none were.
    ///   - now: the present.
    /// - Returns: the certificate and what leads from it to the root.
    /// - Throws: ``AuthorityError`` if the authority's own certificate ends before the new one could begin to be of use.
    package func issue(
        for identity: WorkloadID,
        request: SigningRequest,
        lifetime: Int64,
        now: Date
    ) throws(AuthorityError) -> IssuedCertificate {
        let life = self.policy.lifetime(requested: lifetime)
        return try self.issue(
            uris: [identity.uri],
            to: request.publicKey,
            from: now.addingTimeInterval(-self.policy.backdating.seconds),
            until: now.addingTimeInterval(life.seconds),
            now: now
        )
    }

    /// A certificate with exactly these names and this life, which is cut where the authority's own ends.
    ///
    /// This is for the control plane's own certificate, and for tests that need a broken one.
    ///
    /// - Parameters:
    ///   - uris: names of the form `spiffe://…`.
    ///   - dnsNames: names of hosts.
    ///   - publicKey: the holder's key.
    ///   - start: first moment of the life.
    ///   - end: last moment of the life.
    ///   - now: the present, if the authority must be alive; `nil` issues in any case.
    /// - Returns: the certificate and what leads from it to the root.
    /// - Throws: ``AuthorityError``.
    package func issue(
        uris: [String] = [],
        dnsNames: [String] = [],
        to publicKey: Certificate.PublicKey,
        from start: Date,
        until end: Date,
        now: Date? = nil
    ) throws(AuthorityError) -> IssuedCertificate {
        if let now, self.notAfter <= now {
            throw AuthorityError(.expiredAuthority, "the authority's certificate ended at \(self.notAfter)")
        }
        do {
            let certificate = try Certificate(
                version: .v3,
                serialNumber: Self.serialNumber(),
                publicKey: publicKey,
                notValidBefore: start.wholeSeconds,
                notValidAfter: min(end, self.notAfter).wholeSeconds,
                issuer: self.signer.subject,
                // Empty, therefore the alternative names are critical (RFC 5280 section 4.2.1.6).
                subject: DistinguishedName(),
                extensions: try Certificate.Extensions {
                    Critical(BasicConstraints.notCertificateAuthority)
                    Critical(KeyUsage(digitalSignature: true, keyEncipherment: true))
                    try ExtendedKeyUsage([.serverAuth, .clientAuth])
                    Critical(
                        SubjectAlternativeNames(
                            uris.map { .uniformResourceIdentifier($0) } + dnsNames.map { .dnsName($0) }
                        )
                    )
                    AuthorityKeyIdentifier(keyIdentifier: Self.keyIdentifier(of: self.signer))
                },
                issuerPrivateKey: self.key
            )
            return IssuedCertificate(leaf: certificate, intermediates: self.intermediates, roots: self.roots)
        } catch {
            throw AuthorityError(.unusableAuthority, "signing failed: \(error)")
        }
    }

    /// A key and the certificate that signs itself with it, for a new mesh.
    ///
    /// - Parameters:
    ///   - organization: the only part of its name; the trust domain, as Istio does.
    ///   - kind: kind of the key.
    ///   - lifetime: how long the root lives.
    ///   - now: the present.
    /// - Returns: files for ``init(files:policy:now:)``.
    /// - Throws: ``AuthorityError``, for example if the key cannot be made.
    package static func selfSigned(
        organization: String,
        kind: SigningKeyKind = .ecdsaP256,
        lifetime: Duration = .seconds(10 * 365 * 86_400),
        now: Date
    ) throws(AuthorityError) -> AuthorityFiles {
        do {
            let key = try kind.makeKey()
            let name = try DistinguishedName { OrganizationName(organization) }
            let root = try Certificate(
                version: .v3,
                serialNumber: self.serialNumber(),
                publicKey: key.publicKey,
                notValidBefore: now.addingTimeInterval(-IssuancePolicy().backdating.seconds).wholeSeconds,
                notValidAfter: now.addingTimeInterval(lifetime.seconds).wholeSeconds,
                issuer: name,
                subject: name,
                extensions: try Certificate.Extensions {
                    Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
                    Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                    SubjectKeyIdentifier(hash: key.publicKey)
                },
                issuerPrivateKey: key
            )
            let pem = try root.pem()
            return AuthorityFiles(certificate: pem, key: try key.serializeAsPEM().pemString + "\n", root: pem)
        } catch let error as AuthorityError {
            throw error
        } catch {
            throw AuthorityError(.unusableAuthority, "no root can be made: \(error)")
        }
    }

    /// The key and certificate of an authority below this one, as an operator would plug it in.
    ///
    /// - Parameters:
    ///   - organization: its name.
    ///   - kind: kind of its key.
    ///   - start: first moment of its life.
    ///   - end: last moment of its life.
    /// - Returns: files with this authority's root and the whole chain.
    /// - Throws: ``AuthorityError``.
    package func subordinate(
        organization: String,
        kind: SigningKeyKind = .ecdsaP256,
        from start: Date,
        until end: Date
    ) throws(AuthorityError) -> AuthorityFiles {
        do {
            let key = try kind.makeKey()
            let certificate = try Certificate(
                version: .v3,
                serialNumber: Self.serialNumber(),
                publicKey: key.publicKey,
                notValidBefore: start.wholeSeconds,
                notValidAfter: end.wholeSeconds,
                issuer: self.signer.subject,
                subject: try DistinguishedName {
                    OrganizationName(organization)
                    CommonName("Intermediate CA")
                },
                extensions: try Certificate.Extensions {
                    Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
                    Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                    SubjectKeyIdentifier(hash: key.publicKey)
                    AuthorityKeyIdentifier(keyIdentifier: Self.keyIdentifier(of: self.signer))
                },
                issuerPrivateKey: self.key
            )
            return AuthorityFiles(
                certificate: try certificate.pem(),
                key: try key.serializeAsPEM().pemString + "\n",
                chain: try ([certificate] + self.intermediates).map { try $0.pem() }.joined(),
                root: try self.roots.map { try $0.pem() }.joined()
            )
        } catch let error as AuthorityError {
            throw error
        } catch {
            throw AuthorityError(.unusableAuthority, "no subordinate authority can be made: \(error)")
        }
    }

    /// 128 random bits; RFC 5280 section 4.1.2.2 wants a positive number of at most 20 bytes.
    private static func serialNumber() -> Certificate.SerialNumber {
        var generator = SystemRandomNumberGenerator()
        var bytes: [UInt8] = []
        for _ in 0..<2 {
            let number = generator.next()
            bytes += (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
        }
        return Certificate.SerialNumber(bytes: bytes)
    }

    /// What the certificate calls its key, so that chains are found the same way by everybody.
    private static func keyIdentifier(of certificate: Certificate) -> ArraySlice<UInt8> {
        // A certificate without the extension, or with one that cannot be read, gets the usual hash.
        let written = try? certificate.extensions.subjectKeyIdentifier
        return (written ?? SubjectKeyIdentifier(hash: certificate.publicKey)).keyIdentifier
    }
}

extension Date {
    /// Certificates know no fractions.
    var wholeSeconds: Date { Date(timeIntervalSince1970: self.timeIntervalSince1970.rounded(.down)) }
}

extension Duration {
    package var seconds: TimeInterval {
        TimeInterval(self.components.seconds) + TimeInterval(self.components.attoseconds) / 1e18
    }
}
