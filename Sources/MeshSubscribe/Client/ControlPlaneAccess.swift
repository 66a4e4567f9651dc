internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
package import MeshModel

/// How a proxy reaches its control plane.
///
/// What changes in the life of a proxy (its certificate, the roots, its token) is asked for at each use.
package struct ControlPlaneAccess: Sendable {
    package enum Security: Sendable {
        case plaintext
        case tls(TLS)
    }

    package struct TLS: Sendable {
        /// What the control plane's certificate must be for.
        package var serverName: String
        /// PEM.
        package var roots: [UInt8]
        /// Shown if the control plane asks; `nil`: none yet.
        package var certificate: TLSCredential?

        package init(serverName: String, roots: [UInt8], certificate: TLSCredential?) {
            self.serverName = serverName
            self.roots = roots
            self.certificate = certificate
        }
    }

    package var host: String
    package var port: Int
    package var security: @Sendable () throws -> Security
    /// The workload's token (JWT); `nil`: there is none.
    package var token: @Sendable () -> String?

    package init(
        host: String,
        port: Int,
        security: @escaping @Sendable () throws -> Security = { .plaintext },
        token: @escaping @Sendable () -> String? = { nil }
    ) {
        self.host = host
        self.port = port
        self.security = security
        self.token = token
    }

    package var address: String { "\(self.host):\(self.port)" }

    /// The name that a control plane's certificate has: the one that was dialled, or, where an address was, the name
    /// of its service.
    package static func serverName(of host: String) -> String {
        IPAddress(host) == nil ? host : "istiod.istio-system.svc"
    }

    /// A new transport with what is valid now; its connections keep it.
    func transport() throws -> HTTP2ClientTransport.Posix {
        var serverName: String?
        var security = HTTP2ClientTransport.Posix.TransportSecurity.plaintext
        switch try self.security() {
        case .plaintext: ()
        case .tls(let tls):
            serverName = tls.serverName
            security = .tls {
                $0.trustRoots = .certificates([.bytes(tls.roots, format: .pem)])
                guard let certificate = tls.certificate else { return }
                $0.certificateChain = [.bytes(certificate.certificateChain, format: .pem)]
                $0.privateKey = .bytes(certificate.privateKey, format: .pem)
            }
        }
        return try HTTP2ClientTransport.Posix(
            target: .dns(host: self.host, port: self.port),
            transportSecurity: security,
            config: .defaults {
                $0.http2.authority = serverName
                $0.backoff = .init(initial: .milliseconds(100), max: .seconds(2), multiplier: 1.6, jitter: 0.2)
                // A control plane that vanished without a word is noticed in 40 s.
                $0.connection.keepalive = .init(time: .seconds(30), timeout: .seconds(10), allowWithoutCalls: false)
            }
        )
    }

    /// Who asks, as far as a token says it.
    func metadata() -> Metadata {
        guard let token = self.token(), !token.isEmpty else { return [:] }
        return ["authorization": "Bearer \(token)"]
    }
}

/// An error of a call in words for the log.
func words(_ error: any Error) -> String {
    guard let error = error as? RPCError else { return "\(error)" }
    guard let cause = error.cause else { return "\(error.code): \(error.message)" }
    return "\(error.code): \(error.message) (\(cause))"
}
