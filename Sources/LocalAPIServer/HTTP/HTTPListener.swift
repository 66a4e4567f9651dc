import KubernetesAPI
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket
import Synchronization

/// Accepts TLS connections on one address and serves HTTP/1.1, or a WebSocket where a client asks to upgrade.
struct HTTPListener: Sendable {
    /// What became of a connection after its first request.
    enum Negotiated: Sendable {
        case http(HTTPConnection.AsyncChannel)
        case exec(ExecConnection.AsyncChannel, PodExecRequest)
        /// The pod went away between the request and the upgrade.
        case refused(any Channel)
    }

    typealias Server = NIOAsyncChannel<EventLoopFuture<Negotiated>, Never>

    let tls: NIOSSLContext
    let connection: HTTPConnection
    let connectionsMax: Int
    let logger: Logger

    func bind(address: String, port: Int) async throws -> Server {
        do {
            return try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .serverChannelOption(.backlog, value: 256)
                .childChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .bind(host: address, port: port) { channel in
                    channel.eventLoop.makeCompletedFuture { try self.configure(channel) }
                }
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            throw APIServerError(
                "cannot listen on \(address):\(port): the port is in use; stop what listens there (ss -ltnp shows it, "
                    + "lateen down ends an earlier platform)",
                cause: error
            )
        } catch let error as IOError where error.errnoCode == EADDRNOTAVAIL {
            throw APIServerError(
                "cannot listen on \(address):\(port): no interface of this machine has the address",
                cause: error
            )
        } catch {
            throw APIServerError("cannot listen on \(address):\(port): \(error)", cause: error)
        }
    }

    /// Serves until the task is cancelled.
    func serve(_ server: Server) async throws {
        let slots = ConnectionSlots(max: self.connectionsMax)
        try await server.executeThenClose { connections in
            try await withThrowingDiscardingTaskGroup { group in
                for try await negotiation in connections {
                    let isAllowed = slots.take()
                    group.addTask {
                        defer { if isAllowed { slots.giveBack() } }
                        await self.serve(negotiation, isAllowed: isAllowed)
                    }
                }
            }
        }
    }

    private func serve(_ negotiation: EventLoopFuture<Negotiated>, isAllowed: Bool) async {
        let negotiated: Negotiated
        do { negotiated = try await negotiation.get() } catch {
            // A failed handshake or a client that left; it has been closed already.
            self.logger.debug("connection failed early", metadata: ["error": "\(error)"])
            return
        }
        switch negotiated {
        case .http(let channel) where isAllowed: await self.connection.serve(channel)
        case .exec(let channel, let request) where isAllowed:
            await ExecConnection(request: request, backend: self.connection.dispatcher.backend, logger: self.logger)
                .serve(channel)
        case .http(let channel): channel.channel.close(promise: nil)
        case .exec(let channel, _): channel.channel.close(promise: nil)
        case .refused(let channel): channel.close(promise: nil)
        }
    }

    private func configure(_ channel: any Channel) throws -> EventLoopFuture<Negotiated> {
        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: self.tls))
        try channel.pipeline.syncOperations.addHandler(FirstBytesDeadline())
        let upgrader = NIOTypedWebSocketServerUpgrader<Negotiated>(
            maxFrameSize: ExecConnection.frameBytesMax,
            shouldUpgrade: { channel, head in self.shouldUpgrade(channel, head) },
            upgradePipelineHandler: { channel, head in
                channel.eventLoop.makeCompletedFuture {
                    // Who asks was checked when the upgrade was allowed.
                    guard let request = try? self.execTarget(head, .anonymous).exec else { return .refused(channel) }
                    return .exec(try ExecConnection.AsyncChannel(wrappingChannelSynchronously: channel), request)
                }
            }
        )
        var configuration = NIOUpgradableHTTPServerPipelineConfiguration(
            upgradeConfiguration: NIOTypedHTTPServerUpgradeConfiguration(
                upgraders: [upgrader],
                notUpgradingCompletionHandler: { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(ResponseBodyWrapper())
                        return .http(try HTTPConnection.AsyncChannel(wrappingChannelSynchronously: channel))
                    }
                }
            )
        )
        // Requests are served one after the other anyway, and reads must go on to notice a client's going.
        configuration.enablePipelining = false
        return try channel.pipeline.syncOperations.configureUpgradableHTTPServerPipeline(configuration: configuration)
    }

    /// Headers of the upgrade's answer; `nil` lets the request be answered as plain HTTP, with the reason.
    private func shouldUpgrade(_ channel: any Channel, _ head: HTTPRequestHead) -> EventLoopFuture<HTTPHeaders?> {
        // No certificate is the normal case of a client that sends a token.
        let certificate = try? channel.pipeline.syncOperations.nioSSL_peerCertificate()
        let authenticator = self.connection.authenticator
        return channel.eventLoop.makeFutureWithTask {
            guard
                let sender = try? await authenticator.identity(certificate: certificate, headers: head.headers),
                let identity = try? self.connection.dispatcher.authorizer.acting(sender, head.headers),
                !identity.isAnonymous, let found = try? self.execTarget(head, identity),
                (try? self.connection.dispatcher.authorize(found.target, found.request)) != nil
            else { return nil }
            let offered = head.headers[canonicalForm: "sec-websocket-protocol"].map(String.init)
            guard let chosen = ExecConnection.protocols.first(where: offered.contains) else { return nil }
            return ["sec-websocket-protocol": chosen]
        }
    }

    private func execTarget(
        _ head: HTTPRequestHead,
        _ identity: Identity
    ) throws -> (exec: PodExecRequest, target: APIDispatcher.Target, request: APIRequest) {
        let request = try APIRequest(head: head, body: ByteBuffer(), identity: identity)
        guard request.path.first == "api" else { throw APIFailure.pathNotFound() }
        let dispatcher = self.connection.dispatcher
        let target = try APIDispatcher.target(request.path, dispatcher.service.registry.current)
        guard target.info.storageResource == ResourceService.pods,
            target.subresource == "exec" || target.subresource == "attach"
        else { throw APIFailure.pathNotFound() }
        return (try dispatcher.execRequest(target, request), target, request)
    }
}

/// Counts open connections against their limit.
private final class ConnectionSlots: Sendable {
    private let free: Mutex<Int>

    init(max: Int) { self.free = Mutex(max) }

    func take() -> Bool {
        self.free.withLock { free in
            guard free > 0 else { return false }
            free -= 1
            return true
        }
    }

    func giveBack() { self.free.withLock { $0 += 1 } }
}
