internal import MeshModel
internal import NIOCore
package import NIOSSL
package import TrafficEngine

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// Whether a peer may be who it says it is: what is asked of its certificate beyond the chain, which the TLS library
/// has checked when this is asked.
package struct PeerCheck: Sendable {
    private struct Name: Sendable {
        var kind: PeerValidation.NameKind
        var match: Match
        /// As a person reads it.
        var text: String
    }

    private enum Match: Sendable {
        case exact(String)
        case prefix(String)
        case suffix(String)
        case contains(String)
        case pattern(Pattern)
    }

    private let names: [Name]
    private let verifiesHostName: Bool
    private let certificateHashes: Set<String>
    private let publicKeyHashes: Set<String>
    private let revoked: RevocationList?
    /// Mesh identities have exactly one URI (SPIFFE X.509-SVID section 2).
    private let isMesh: Bool
    private let checksChain: Bool

    /// - Throws: `TLSFault` if a pattern of a name cannot be read.
    package init(_ validation: PeerValidation) throws(TLSFault) { try self.init(validation, revoked: nil) }

    init(_ validation: PeerValidation, revoked: RevocationList?) throws(TLSFault) {
        self.names = try validation.names.map { name throws(TLSFault) in
            let match: Match
            let text: String
            switch name.match {
            case .exact(let value): (match, text) = (.exact(value), value)
            case .prefix(let value): (match, text) = (.prefix(value), value + "*")
            case .suffix(let value): (match, text) = (.suffix(value), "*" + value)
            case .contains(let value): (match, text) = (.contains(value), "*" + value + "*")
            case .regex(let source):
                do throws(Pattern.SyntaxError) {
                    (match, text) = (.pattern(try Pattern(compiling: source)), "~" + source)
                } catch {
                    let message = "name pattern `\(source)`: \(error.message)"
                    throw TLSFault(reason: .upstreamTLSFailed, message: message)
                }
            }
            return Name(kind: name.kind, match: match, text: text)
        }
        self.verifiesHostName = validation.verifiesHostName
        self.certificateHashes = Set(validation.certificateHashes.map { $0.lowercased().filter { $0 != ":" } })
        self.publicKeyHashes = Set(validation.publicKeyHashes)
        self.revoked = revoked
        self.isMesh = validation.roots == .secret(TLSSecret.meshRoots)
        self.checksChain = validation.roots != .none
    }

    /// What is wrong with a certificate whose chain is right; `nil`: nothing.
    package func refusal(of certificate: NIOSSLCertificate, expectedName: String?) -> PeerRefusal? {
        self.refusal(of: certificate, CertificateReading(certificate), expectedName: expectedName)
    }

    func refusal(
        of certificate: NIOSSLCertificate,
        _ reading: CertificateReading,
        expectedName: String?
    ) -> PeerRefusal? {
        let names = reading.names
        if let refusal = self.refusal(of: names, expectedName: expectedName) {
            return PeerRefusal(
                kind: .name,
                message: "\(refusal); peer presented \(names.text), "
                    + "issuer \(DistinguishedName.text(certificate.issuerName))"
            )
        }
        // The chain of a session that is resumed was checked when the session began, perhaps in the certificate's time.
        if self.checksChain, Self.dateFault(reading.notBefore, reading.notAfter) != nil {
            return PeerRefusal(kind: .error, message: self.chainRefusal(of: certificate))
        }
        if let refusal = self.hashRefusal(of: certificate) { return refusal }
        if let reason = self.revoked?.refusal(of: certificate) {
            return PeerRefusal(
                kind: .error,
                message: "\(reason); peer presented \(names.text), "
                    + "issuer \(DistinguishedName.text(certificate.issuerName))"
            )
        }
        return nil
    }

    private func hashRefusal(of certificate: NIOSSLCertificate) -> PeerRefusal? {
        // One of either kind is enough (Envoy: "either must match").
        guard !self.certificateHashes.isEmpty || !self.publicKeyHashes.isEmpty else { return nil }
        if !self.certificateHashes.isEmpty,
            self.certificateHashes.contains(CertificateHash.hex(of: certificate))
        {
            return nil
        }
        if !self.publicKeyHashes.isEmpty,
            self.publicKeyHashes.contains(CertificateHash.base64OfPublicKey(of: certificate))
        {
            return nil
        }
        return PeerRefusal(
            kind: .hash,
            message: "certificate is not one of the pinned ones; peer presented SHA-256 "
                + CertificateHash.hex(of: certificate)
        )
    }

    /// What is wrong with the names of a certificate; `nil`: nothing.
    func refusal(of names: CertificateNames, expectedName: String?) -> String? {
        if self.isMesh, names.uris.count != 1 {
            return "expected exactly one URI name, as mesh identities have"
        }
        if self.verifiesHostName {
            guard let expectedName, !expectedName.isEmpty else {
                return "no host name is known that the certificate could be checked against"
            }
            guard Self.stands(names, for: expectedName) else { return "expected a certificate for \(expectedName)" }
        }
        if self.names.isEmpty || self.names.contains(where: { Self.matches($0, names) }) { return nil }
        let expected = self.names.prefix(8).map(\.text).joined(separator: " or ")
        return "expected \(expected)" + (self.names.count > 8 ? " or \(self.names.count - 8) more" : "")
    }

    /// Why the TLS library may have refused the chain of `certificate`: it says only that it did.
    func chainRefusal(of certificate: NIOSSLCertificate?) -> String {
        guard let certificate else { return "peer's certificate chain was refused" }
        let names = CertificateNames(certificate)
        let issuer = DistinguishedName.text(certificate.issuerName)
        let reason =
            Self.dateFault(certificate.notValidBefore, certificate.notValidAfter)
            ?? "certificate chain does not lead to a trusted root, or may not be used so"
        return "\(reason); peer presented \(names.text), issuer \(issuer.isEmpty ? "-" : issuer), "
            + "valid from \(Self.instant(certificate.notValidBefore)) to \(Self.instant(certificate.notValidAfter))"
    }

    private static func dateFault(_ notBefore: time_t, _ notAfter: time_t) -> String? {
        let now = time(nil)
        if notAfter < now { return "certificate has expired" }
        return notBefore > now ? "certificate is not yet valid" : nil
    }

    private static func matches(_ name: Name, _ names: CertificateNames) -> Bool {
        func any(_ candidates: [String]) -> Bool { candidates.contains { Self.matches(name.match, $0) } }
        switch name.kind {
        case .uri: return any(names.uris)
        case .email: return any(names.emails)
        case .address: return any(names.addresses)
        case .dns: return Self.matchesDNS(name.match, names.dns)
        case .any:
            return any(names.uris) || Self.matchesDNS(name.match, names.dns) || any(names.emails)
                || any(names.addresses)
        }
    }

    /// A DNS name of a certificate may have a wildcard.
    private static func matchesDNS(_ match: Match, _ candidates: [String]) -> Bool {
        candidates.contains { candidate in
            if case .exact(let wanted) = match { return DNSIdentity.matches(candidate, wanted) }
            return Self.matches(match, candidate)
        }
    }

    private static func matches(_ match: Match, _ value: String) -> Bool {
        switch match {
        case .exact(let wanted): return value == wanted
        case .prefix(let wanted): return value.utf8.starts(with: wanted.utf8)
        case .suffix(let wanted):
            return value.utf8.count >= wanted.utf8.count
                && value.utf8.suffix(wanted.utf8.count).elementsEqual(wanted.utf8)
        case .contains(let wanted): return Self.contains(Array(value.utf8), Array(wanted.utf8))
        case .pattern(let pattern): return pattern.matches(Array(value.utf8))
        }
    }

    private static func contains(_ value: [UInt8], _ part: [UInt8]) -> Bool {
        guard part.count <= value.count else { return false }
        return (0...(value.count - part.count)).contains { value[$0...].starts(with: part) }
    }

    private static func stands(_ names: CertificateNames, for host: String) -> Bool {
        if DNSIdentity.isAddress(host) { return names.addresses.contains(DNSIdentity.canonicalAddress(host)) }
        return names.dns.contains { DNSIdentity.matches($0, host) }
    }

    private static func instant(_ seconds: time_t) -> String {
        var text: [UInt8] = []
        WallClock.write(milliseconds: Int(seconds) * 1000, to: &text)
        return String(decoding: text, as: UTF8.self)
    }
}
