package import Foundation
package import X509

/// A certificate and what its holder shows with it.
package struct IssuedCertificate: Hashable, Sendable {
    package let leaf: Certificate
    /// Between the certificate and the root, nearest first.
    package let intermediates: [Certificate]
    /// Whom others must trust.
    package let roots: [Certificate]

    package var notAfter: Date { self.leaf.notValidAfter }

    /// Certificate, then intermediates: what is shown in a handshake; PEM.
    package var chain: [String] {
        get throws(AuthorityError) {
            let shown = [self.leaf] + self.intermediates
            return try shown.map { certificate throws(AuthorityError) in try certificate.pem() }
        }
    }

    /// The chain, then all roots in one text: the answer of Istio's certificate service.
    package var answer: [String] {
        get throws(AuthorityError) {
            var roots = ""
            for root in self.roots { roots += try root.pem() }
            return try self.chain + [roots]
        }
    }
}
