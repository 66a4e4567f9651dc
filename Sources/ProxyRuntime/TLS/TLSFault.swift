internal import NIOSSL
package import TrafficEngine

/// Why there is no TLS: a secret that is not there, or one that cannot be used. Never shows a key.
package struct TLSFault: Error, Hashable, Sendable, CustomStringConvertible {
    package var reason: EndReason
    /// What is wrong and with what: names the secret or file.
    package var message: String

    package var description: String { self.message }
    /// As one word of an access log's line.
    var logText: String { HandshakeFailure.escaped(self.message) }
}

/// What a handshake was refused for, under the counter that it belongs to.
package struct PeerRefusal: Error, Hashable, Sendable {
    package enum Kind: Hashable, Sendable { case noCertificate, error, name, hash }

    package var kind: Kind
    /// What was expected and what the peer presented.
    package var message: String
}

/// Texts of failed handshakes as access logs show them.
enum HandshakeFailure {
    /// Begins as Envoy's reason does, so that what looks for it there finds it here.
    static func text(verification message: String) -> String {
        "TLS_error:|268435581:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:"
            + Self.escaped(message) + ":TLS_error_end"
    }

    static func text(_ error: any Error) -> String {
        let text: String
        switch error {
        case NIOSSLError.handshakeFailed(.sslError(let stack)) where !stack.isEmpty:
            text = stack.map(\.description).joined(separator: "|")
        case NIOSSLError.handshakeFailed(let error): text = "\(error)"
        default: text = "\(error)"
        }
        return "TLS_error:|" + Self.escaped(text) + ":TLS_error_end"
    }

    /// Whether the library refused the peer's certificate chain.
    static func isVerification(_ error: any Error) -> Bool {
        guard case NIOSSLError.handshakeFailed(.sslError(let stack)) = error else { return false }
        return stack.contains { $0.description.contains("CERTIFICATE_VERIFY_FAILED") }
    }

    /// Whether the peer showed no certificate where one is needed.
    static func isMissingCertificate(_ error: any Error) -> Bool {
        guard case NIOSSLError.handshakeFailed(.sslError(let stack)) = error else {
            if case NIOSSLError.noCertificateToValidate = error { return true }
            return false
        }
        return stack.contains { $0.description.contains("PEER_DID_NOT_RETURN_A_CERTIFICATE") }
    }

    /// One word of a log line: no spaces, no line ends, nothing that a peer could break the line with.
    static func escaped(_ text: String) -> String {
        String(
            decoding: text.utf8.map { byte in
                byte <= 0x20 || byte == 0x7F || byte == UInt8(ascii: "\"") ? UInt8(ascii: "_") : byte
            },
            as: UTF8.self
        )
    }
}
