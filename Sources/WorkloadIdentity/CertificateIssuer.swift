/// An authority that signs requests.
package protocol CertificateIssuer: Sendable {
    /// Asks for a certificate.
    ///
    /// - Parameters:
    ///   - request: PKCS #10 in PEM.
    ///   - lifetime: what is wished for; the authority decides.
    /// - Returns: PEM, the new certificate first, a root last; each may hold several.
    /// - Throws: why there is none, for the log.
    func certificates(for request: String, lifetime: Duration) async throws -> [String]
}
