import GRPCNIOTransportHTTP2Posix
import NIOCore
import NIOPosix
import NIOSSL

/// Accepts connections with TLS; each uses the credentials of the moment in which it comes, so that certificates are
/// renewed and roots replaced while others go on.
struct SecureListener: HTTP2ServerTransport.ListenerFactory {
    let host: String
    let port: Int
    let credentials: ServerCredentials
    let connections: PeerConnections
    let eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton

    func makeListeningChannel(
        listenerConfigurator: HTTP2ServerTransport.ListenerConfigurator,
        connectionConfigurator: HTTP2ServerTransport.ConnectionConfigurator
    ) async throws -> NIOAsyncChannel<HTTP2ServerTransport.ConnectionConfigurator.ConnectionChannel, Never> {
        let credentials = self.credentials
        let connections = self.connections
        return try await ServerBootstrap(group: self.eventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { listenerConfigurator.configure(channel: $0) }
            .bind(host: self.host, port: self.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let context = credentials.context else { throw NoCredentials() }
                    try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                    try channel.pipeline.syncOperations.addHandler(PeerRecorder(connections))
                }
                .flatMap { connectionConfigurator.configure(channel: channel, tls: .configured(requireALPN: true)) }
            }
    }
}

/// A connection came before there was a certificate to serve it with.
struct NoCredentials: Error, CustomStringConvertible {
    var description: String { "there is no server certificate yet" }
}
