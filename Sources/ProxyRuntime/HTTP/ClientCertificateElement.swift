package import TrafficEngine

/// One element of `x-forwarded-client-cert`: whose certificate the client showed, as Envoy writes it.
package enum ClientCertificateElement {
    /// `By=…;Hash=…;Subject="…";URI=…;DNS=…`, with what the configuration asks for.
    ///
    /// - Parameters:
    ///   - peer: the client.
    ///   - own: the URI of our own certificate.
    ///   - wanted: which parts are told.
    /// - Returns: text without control characters.
    package static func text(
        of peer: PeerIdentity,
        by own: String?,
        _ wanted: ClientCertificateHeader
    ) -> [UInt8] {
        var parts: [String] = []
        if let own { parts.append("By=\(own)") }
        if !peer.hash.isEmpty { parts.append("Hash=\(peer.hash)") }
        if wanted.addsCertificate, !peer.certificate.isEmpty { parts.append("Cert=\"\(peer.certificate)\"") }
        if wanted.addsSubject {
            parts.append("Subject=\"\(Self.escaped(peer.subject))\"")
        }
        if wanted.addsURI { parts += peer.uris.isEmpty ? ["URI="] : peer.uris.map { "URI=\($0)" } }
        if wanted.addsDNS { parts += peer.dnsNames.map { "DNS=\($0)" } }
        // A certificate is a stranger's text: nothing in it may end the line.
        return parts.joined(separator: ";").utf8.filter { $0 >= 0x20 && $0 != 0x7F }
    }

    /// Scalar by scalar: a quote with a combining mark behind it is another `Character`, and still a quote to readers.
    private static func escaped(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if scalar == "\"" || scalar == "\\" { result.append("\\") }
            result.append(scalar)
        }
        return String(result)
    }
}
