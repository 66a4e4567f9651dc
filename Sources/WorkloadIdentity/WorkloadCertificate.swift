package import MeshModel
internal import X509

/// A workload's certificate with its key and the roots that it trusts.
package struct WorkloadCertificate: Hashable, Sendable {
    /// Why a certificate is not used.
    package enum Flaw: Error, Hashable, Sendable, CustomStringConvertible {
        case unreadable(String)
        case noCertificate
        case otherKey
        /// The URI names that it has.
        case otherIdentity([String])
        case expired
        /// Its root is none of the mesh's any more.
        case untrusted

        package var description: String {
            switch self {
            case .unreadable(let what): "\(what) cannot be read"
            case .noCertificate: "there is no certificate in it"
            case .otherKey: "it is for another key"
            case .otherIdentity(let uris): "it is for \(uris.isEmpty ? "nobody" : uris.joined(separator: ", "))"
            case .expired: "it is no longer valid"
            case .untrusted: "its root is no longer trusted"
            }
        }
    }

    package let credential: TLSCredential
    package let leaf: CertificateFacts
    package let roots: [CertificateFacts]

    package init(credential: TLSCredential, leaf: CertificateFacts, roots: [CertificateFacts]) {
        self.credential = credential
        self.leaf = leaf
        self.roots = roots
    }

    /// Puts together what belongs together; everything else is refused.
    ///
    /// - Parameters:
    ///   - chain: PEM, the workload's own certificate first. Roots at its end are not shown to peers.
    ///   - key: the key that the first certificate must be for.
    ///   - roots: PEM, any number of times the same root.
    ///   - identity: the one URI name that it must have; `nil`: any.
    ///   - now: seconds since 1970.
    /// - Throws: `Flaw`
    package init(
        chain: [UInt8],
        key: WorkloadKey,
        roots: [[UInt8]],
        identity: WorkloadID?,
        now: Double
    ) throws(Flaw) {
        let all = try Self.certificates(chain, "the certificate")
        guard let leaf = all.first else { throw .noCertificate }
        guard leaf.publicKey == key.key.publicKey else { throw .otherKey }
        let facts = CertificateFacts(leaf)
        if let identity, facts.uris != [identity.uri] { throw .otherIdentity(facts.uris) }
        guard facts.validUntil > now else { throw .expired }
        var trusted: [Certificate] = []
        for pem in roots { trusted += try Self.certificates(pem, "a root certificate") }
        let shown = [leaf] + all.dropFirst().filter { !CertificateFacts($0).isSelfIssued }
        self.leaf = facts
        self.roots = Self.unique(trusted).map(CertificateFacts.init)
        self.credential = TLSCredential(
            certificateChain: try Self.pem(shown),
            privateKey: key.pem,
            roots: try Self.pem(trusted)
        )
    }

    /// The roots at the end of a chain that an authority sent; empty: it sent none.
    package static func roots(in chain: [UInt8]) throws(Flaw) -> [UInt8] {
        let all = try Self.certificates(chain, "the certificate")
        return try Self.pem(all.dropFirst().filter { CertificateFacts($0).isSelfIssued })
    }

    /// Whether `roots` (PEM) has one of the certificates of `others`.
    package static func overlap(_ roots: [UInt8], _ others: [UInt8]) -> Bool {
        // Roots that cannot be read are none.
        let known = Set((try? PEMCertificates(roots))?.certificates ?? [])
        return ((try? PEMCertificates(others))?.certificates ?? []).contains { known.contains($0) }
    }

    private static func certificates(_ pem: [UInt8], _ what: String) throws(Flaw) -> [Certificate] {
        do { return try PEMCertificates(pem).certificates } catch { throw .unreadable("\(what): \(error)") }
    }

    private static func pem(_ certificates: [Certificate]) throws(Flaw) -> [UInt8] {
        do { return try PEMCertificates.pem(certificates) } catch { throw .unreadable("a certificate: \(error)") }
    }

    private static func unique(_ certificates: [Certificate]) -> [Certificate] {
        var seen: Set<Certificate> = []
        return certificates.filter { seen.insert($0).inserted }
    }
}
