/// Names that proxies of the mesh give to protocols inside mutual TLS (ALPN, RFC 7301).
///
/// A client offers a name of the mesh first, so that the server's proxy can tell its TLS from an application's by
/// looking at the hello, and then the protocol's public name. A server never chooses a name of the mesh for HTTP:
/// it knows only the public ones, so that both ends, stock Envoy included, agree on the version of HTTP by a name that
/// every implementation understands. For a stream of bytes it answers `istio`. Where nothing in both lists agrees
/// the handshake goes on without ALPN, and a server of HTTP looks at the first bytes (RFC 9113 section 3.4).
package enum MeshALPN {
    /// What is spoken inside.
    package enum Content: Hashable, Sendable, CaseIterable { case bytes, http1, http2 }

    /// Names that mark TLS between proxies; a hello with any of them is the mesh's.
    package static let meshNames = ["istio", "istio-peer-exchange", "istio-http/1.0", "istio-http/1.1", "istio-h2"]

    /// Of a server of HTTP, in order of preference.
    package static let httpServer = ["h2", "http/1.1"]

    /// Of a server that passes bytes on.
    package static let bytesServer = ["istio"]

    /// Of a client inside the mesh, in order of preference.
    package static func client(_ content: Content) -> [String] {
        switch content {
        case .bytes: ["istio"]
        case .http1: ["istio-http/1.1", "istio", "http/1.1"]
        case .http2: ["istio-h2", "istio", "h2"]
        }
    }

    /// Of a client of a server outside the mesh; it offers no names of the mesh, and none at all for bytes.
    package static func publicClient(_ content: Content) -> [String] {
        switch content {
        case .bytes: []
        case .http1: ["http/1.1"]
        case .http2: ["h2"]
        }
    }

    /// What a negotiated name means; `nil`: it says nothing about HTTP.
    ///
    /// Our servers never answer with the `istio-…` forms, but those of others may.
    package static func content(negotiated name: String) -> Content? {
        switch name {
        case "h2", "istio-h2": .http2
        case "http/1.1", "http/1.0", "istio-http/1.1", "istio-http/1.0": .http1
        default: nil
        }
    }
}

extension ApplicationProtocol {
    /// What connections to a port carry; `unknown` counts as bytes, as nobody promised that it is HTTP.
    package var content: MeshALPN.Content {
        switch self {
        case .http: .http1
        case .http2, .grpc: .http2
        case .https, .tls, .tcp, .mongo, .mysql, .redis, .udp, .unknown: .bytes
        }
    }
}
