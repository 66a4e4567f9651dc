package import MeshModel
package import X509

extension WorkloadID {
    /// Who the holder of a certificate is.
    ///
    /// - Parameter certificate: one whose chain has been checked.
    /// - Throws: ``AuthorityError`` unless the certificate has exactly one URI and that is an identity (SPIFFE X.509-SVID
    ///   section 2: more than one must be refused).
    package init(certificate: Certificate) throws(AuthorityError) {
        let names: SubjectAlternativeNames?
        do {
            names = try certificate.extensions.subjectAlternativeNames
        } catch {
            throw AuthorityError(.noIdentity, "the certificate's alternative names cannot be read: \(error)")
        }
        var uris: [String] = []
        for case .uniformResourceIdentifier(let uri) in names ?? SubjectAlternativeNames() { uris.append(uri) }
        guard uris.count == 1, let uri = uris.first else {
            throw AuthorityError(.noIdentity, "the certificate has \(uris.count) URIs, one is needed")
        }
        guard let identity = WorkloadID(uri) else {
            throw AuthorityError(
                .noIdentity,
                "`\(uri)` is no identity of the form spiffe://DOMAIN/ns/NAMESPACE/sa/NAME"
            )
        }
        self = identity
    }
}
