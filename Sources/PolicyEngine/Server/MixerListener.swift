internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix

/// The socket that proxies connect to, in clear text.
package struct MixerListener: Sendable {
    private let server: GRPCServer<HTTP2ServerTransport.Posix>

    /// Port 0 takes a free one, see `port()`.
    package init(host: String = "0.0.0.0", port: Int, service: MixerService) {
        var configuration = HTTP2ServerTransport.Posix.Config.defaults
        configuration.connection.keepalive = .init(
            time: .seconds(30),
            timeout: .seconds(10),
            clientBehavior: .init(minPingIntervalWithoutCalls: .seconds(5), allowWithoutCalls: true)
        )
        self.server = GRPCServer(
            transport: .http2NIOPosix(
                address: .ipv4(host: host, port: port),
                transportSecurity: .plaintext,
                config: configuration
            ),
            services: [service]
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
    package func port() async throws -> Int? { try await self.server.listeningAddress?.ipv4?.port }
}
