package import MeshModel

/// What an earlier run has left in the directory, and can be used again.
package struct StoredCertificate: Sendable {
    let content: CertificateDirectory.Content
    let key: WorkloadKey
    package let certificate: WorkloadCertificate

    /// `nil` if nothing is stored.
    ///
    /// - Parameters:
    ///   - directory: where it is.
    ///   - identity: the one that it must be for.
    ///   - meshRoots: PEM of the mesh's roots, one of which must be its own; empty: those that are stored with it.
    ///   - now: seconds since 1970.
    /// - Throws: why it cannot be used.
    package init?(
        in directory: CertificateDirectory,
        identity: WorkloadID,
        meshRoots: [UInt8],
        now: Double
    ) throws {
        guard let content = try directory.read() else { return nil }
        self.content = content
        self.key = try WorkloadKey(pem: content.key)
        self.certificate = try WorkloadCertificate(
            chain: content.chain,
            key: self.key,
            roots: [meshRoots.isEmpty ? content.roots : meshRoots],
            identity: identity,
            now: now
        )
        guard meshRoots.isEmpty || WorkloadCertificate.overlap(content.roots, meshRoots) else {
            throw WorkloadCertificate.Flaw.untrusted
        }
    }
}
