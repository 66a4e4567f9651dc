package import GRPCCore
import GRPCNIOTransportHTTP2Posix

/// The socket that proxies connect to over TLS, for certificates and whatever else is served there.
package struct IdentityServer: Sendable {
    private let transport: HTTP2ServerTransport.Custom<SecureListener>
    private let server: GRPCServer<HTTP2ServerTransport.Custom<SecureListener>>

    /// Sets up the server; `credentials` must have been refreshed once before it runs.
    ///
    /// - Parameters:
    ///   - host: address to listen on.
    ///   - port: 0 takes a free one, see ``port()``.
    ///   - credentials: certificate and trusted roots.
    ///   - services: what is served; handlers find a ``PeerCertificate`` in their context.
    package init(
        host: String,
        port: Int,
        credentials: ServerCredentials,
        services: [any RegistrableRPCService]
    ) {
        var configuration = HTTP2ServerTransport.Custom<SecureListener>.Config.defaults
        // Finds out about proxies that vanished without a word, and lets Envoy's own probes pass.
        configuration.connection.keepalive = .init(
            time: .seconds(30),
            timeout: .seconds(10),
            clientBehavior: .init(minPingIntervalWithoutCalls: .seconds(5), allowWithoutCalls: true)
        )
        let connections = PeerConnections()
        self.transport = HTTP2ServerTransport.Custom(
            listenerFactory: SecureListener(host: host, port: port, credentials: credentials, connections: connections),
            config: configuration
        )
        self.server = GRPCServer(
            transport: self.transport,
            services: services,
            interceptors: [PeerInterceptor(connections: connections)]
        )
    }

    /// Serves until cancelled.
    package func run() async throws {
        do {
            try await withTaskCancellationHandler {
                try await self.server.serve()
            } onCancel: {
                self.server.beginGracefulShutdown()
            }
        } catch  where Task.isCancelled {
            // The transport calls it an error to be told to stop.
            return
        }
    }

    /// The port that is listened on, once it is.
    package func port() async -> Int? { await self.transport.listeningAddress?.ipv4?.port }
}
