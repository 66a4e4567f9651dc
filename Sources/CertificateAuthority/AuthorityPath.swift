import Foundation
import SwiftASN1
import X509

/// The way from a signing certificate to its root, found and checked.
struct AuthorityPath {
    let key: Certificate.PrivateKey
    let intermediates: [Certificate]
    let root: Certificate
    let roots: [Certificate]

    /// Longer chains are mistakes; they would also cost every handshake.
    private static let intermediatesMax = 8

    init(_ files: AuthorityFiles, now: Date) throws(AuthorityError) {
        let signers = try AuthorityFiles.certificates(files.certificate, file: AuthorityFiles.certificateName)
        guard let signer = signers.first else {
            throw AuthorityError(.unusableAuthority, "\(AuthorityFiles.certificateName) has no certificate")
        }
        do {
            self.key = try Certificate.PrivateKey(pemEncoded: files.key)
        } catch {
            // What is wrong with a key is not told: the reason may quote it.
            throw AuthorityError(.unusableAuthority, "\(AuthorityFiles.keyName) is no private key in PEM")
        }
        guard self.key.publicKey == signer.publicKey else {
            throw AuthorityError(
                .unusableAuthority,
                "\(AuthorityFiles.keyName) does not belong to \(AuthorityFiles.certificateName)"
            )
        }
        let roots = try AuthorityFiles.certificates(files.root, file: AuthorityFiles.rootName)
        guard !roots.isEmpty else {
            throw AuthorityError(.unusableAuthority, "\(AuthorityFiles.rootName) has no certificate")
        }
        // More certificates of the first file continue the chain.
        let others =
            signers.dropFirst() + (try AuthorityFiles.certificates(files.chain, file: AuthorityFiles.chainName))
        try Self.check(signer, file: AuthorityFiles.certificateName, now: now)
        var path: [Certificate] = []
        var current = signer
        while !roots.contains(current) {
            path.append(current)
            if let root = roots.first(where: { Self.isIssuer($0, of: current) }) {
                current = root
                continue
            }
            guard path.count <= Self.intermediatesMax,
                let next = others.first(where: { !path.contains($0) && Self.isIssuer($0, of: current) })
            else {
                throw AuthorityError(
                    .unusableAuthority,
                    "\(AuthorityFiles.chainName) does not lead from \(AuthorityFiles.certificateName) to "
                        + "\(AuthorityFiles.rootName): nobody there issued `\(current.subject)`"
                )
            }
            try Self.check(next, file: AuthorityFiles.chainName, now: now)
            current = next
        }
        try Self.check(current, file: AuthorityFiles.rootName, now: now)
        self.intermediates = path
        self.root = current
        self.roots = [current] + roots.filter { $0 != current }
    }

    private static func isIssuer(_ candidate: Certificate, of certificate: Certificate) -> Bool {
        candidate.subject == certificate.issuer
            && candidate.publicKey.isValidSignature(certificate.signature, for: certificate)
    }

    private static func check(_ certificate: Certificate, file: String, now: Date) throws(AuthorityError) {
        let isAuthority: Bool
        do {
            if case .isCertificateAuthority = try certificate.extensions.basicConstraints {
                isAuthority = try certificate.extensions.keyUsage?.keyCertSign ?? true
            } else {
                isAuthority = false
            }
        } catch {
            throw AuthorityError(.unusableAuthority, "\(file) cannot be read: \(error)")
        }
        guard isAuthority else {
            throw AuthorityError(.unusableAuthority, "\(file): `\(certificate.subject)` may not sign certificates")
        }
        guard certificate.notValidAfter > now else {
            throw AuthorityError(
                .expiredAuthority,
                "\(file): `\(certificate.subject)` ended at \(certificate.notValidAfter)"
            )
        }
        guard certificate.notValidBefore <= now else {
            throw AuthorityError(
                .unusableAuthority,
                "\(file): `\(certificate.subject)` begins at \(certificate.notValidBefore)"
            )
        }
    }
}
