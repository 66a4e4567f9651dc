internal import MeshModel
package import NIOCore
internal import NIOPosix
internal import Synchronization
package import TrafficEngine

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// Connections to services that are asked about requests: off the workers' loops, and secured as the endpoint's cluster
/// says.
///
/// The contexts are those of the proxy's own traffic: they change with the configuration, and keys are renewed in them.
package final class ServiceConnector: Sendable {
    private let table = Mutex(TLSTable.empty)

    package init() {}

    /// Connections that are made from now on are secured so.
    func use(_ table: TLSTable) {
        self.table.withLock { if table.number > $0.number { $0 = table } }
    }

    /// What the cluster says now of connections to an endpoint; `nil`: they are plain.
    ///
    /// A connection that was made with something else must not carry another question.
    package func settings(of endpoint: ServiceEndpoint) -> ClientTLS? {
        self.table.withLock { $0 }.settings(endpoint.cluster, transport: endpoint.transport)
    }

    /// Opens a connection.
    ///
    /// - Parameters:
    ///   - endpoint: where to, and how it is secured.
    ///   - timeout: for the connection, and once more for the handshake.
    ///   - install: puts handlers behind TLS, on the channel's loop and before this returns there; with TLS the
    ///     peer is checked by then. The second parameter is what ALPN settled.
    /// - Returns: what `install` made.
    /// - Throws: `ServiceConnectionError`; nothing has been asked then.
    package func connect<Installed: Sendable>(
        to endpoint: ServiceEndpoint,
        within timeout: Duration,
        install: @escaping @Sendable (any Channel, String?) -> EventLoopFuture<Installed>
    ) async throws -> Installed {
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(TimeAmount(timeout))
        let address = SocketAddress(endpoint.address)
        do {
            switch self.table.withLock({ $0 }).client(endpoint.cluster, transport: endpoint.transport) {
            case nil: return try await bootstrap.connect(to: address) { install($0, nil) }
            case .success(let tls):
                let secured = try await bootstrap.connect(to: address) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try Self.secure(channel, tls, endpoint.hostname, timeout, install)
                    }
                }
                return try await secured.get()
            case .failure(let fault): throw ServiceConnectionError(message: fault.message)
            }
        } catch {
            throw ServiceConnectionError(message: "\(endpoint.address): \(Self.text(error))")
        }
    }

    private static func secure<Installed: Sendable>(
        _ channel: any Channel,
        _ tls: ClientTLSContext,
        _ host: String?,
        _ timeout: Duration,
        _ install: @escaping @Sendable (any Channel, String?) -> EventLoopFuture<Installed>
    ) throws -> EventLoopFuture<Installed> {
        let installed = channel.eventLoop.makePromise(of: Installed.self)
        // Where no connection comes about, nobody else completes it.
        channel.closeFuture.whenComplete { _ in installed.fail(ChannelError.ioOnClosedChannel) }
        try tls.secure(channel, host: host, worker: nil, timeout: timeout) { outcome in
            switch outcome {
            case .established(let peer):
                return HandshakeHandler.Successor {
                    install(channel, peer.negotiatedProtocol).cascade(to: installed)
                }
            case .timedOut: installed.fail(ServiceConnectionError(message: "TLS handshake timed out"))
            case .failed(_, let detail): installed.fail(ServiceConnectionError(message: detail))
            }
            return nil
        }
        return installed.futureResult
    }

    private static func text(_ error: any Error) -> String {
        switch error {
        case let error as ServiceConnectionError: error.message
        case ChannelError.connectTimeout: "connection timed out"
        case let error as IOError: String(cString: strerror(error.errnoCode))
        default: "\(error)"
        }
    }
}

/// Why no connection to a service came about.
package struct ServiceConnectionError: Error, CustomStringConvertible {
    /// What happened, for people.
    package var message: String

    package init(message: String) { self.message = message }

    package var description: String { self.message }
}
