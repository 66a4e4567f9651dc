import Logging
import MeshModel
import NIOCore
import NIOPosix
import Synchronization

/// Serves node ports on loopback: a connection is carried to one of the service's ready endpoints.
actor NodePortForwarder {
    /// Connections of one port at the same time; more are closed at once.
    static let connectionsMax = 512

    private let eventLoops: any EventLoopGroup
    private let logger: Logger
    private var listeners: [Int: (channel: any Channel, target: NodePortTarget)] = [:]
    private var complaints: Set<Int> = []

    init(eventLoops: any EventLoopGroup, logger: Logger) {
        self.eventLoops = eventLoops
        self.logger = logger
    }

    func update(_ ports: [ServiceTable.NodePort]) async {
        let wanted = Dictionary(ports.map { ($0.port, $0) }, uniquingKeysWith: { first, _ in first })
        for (port, listener) in self.listeners where wanted[port] == nil {
            try? await listener.channel.close()
            self.listeners[port] = nil
        }
        for (port, entry) in wanted {
            if let listener = self.listeners[port] {
                listener.target.backends.withLock { $0 = entry.backends }
                continue
            }
            do {
                let target = NodePortTarget(entry.backends)
                self.listeners[port] = (try await self.listen(port, target), target)
                self.complaints.remove(port)
                self.logger.info("node port served", metadata: ["port": "\(port)", "service": "\(entry.name)"])
            } catch  where self.complaints.insert(port).inserted {
                self.logger.error(
                    "cannot bind a node port on 127.0.0.1; which program has it? see `ss -ltnp`",
                    metadata: ["port": "\(port)", "service": "\(entry.name)", "error": "\(error)"]
                )
            } catch {}
        }
    }

    func stop() async {
        for listener in self.listeners.values { try? await listener.channel.close() }
        self.listeners = [:]
    }

    private func listen(_ port: Int, _ target: NodePortTarget) async throws -> any Channel {
        let eventLoops = self.eventLoops
        return try await ServerBootstrap(group: eventLoops)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Door(target))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
    }
}

/// Where the connections of one node port go.
private final class NodePortTarget: Sendable {
    let backends: Mutex<[ServiceRoute.Backend]>
    let open = Mutex(0)

    init(_ backends: [ServiceRoute.Backend]) { self.backends = Mutex(backends) }
}

/// The client's side until the endpoint is connected: nothing is read before.
private final class Door: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let target: NodePortTarget

    init(_ target: NodePortTarget) { self.target = target }

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        let target = self.target
        let backend = target.backends.withLock { $0.randomElement() }
        let hasRoom = target.open.withLock { open in
            open += 1
            return open <= NodePortForwarder.connectionsMax
        }
        channel.closeFuture.whenComplete { _ in target.open.withLock { $0 -= 1 } }
        guard let backend, hasRoom else {
            channel.close(promise: nil)
            return
        }
        ClientBootstrap(group: channel.eventLoop)
            .connectTimeout(.seconds(5))
            .channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .connect(host: backend.address.description, port: backend.port)
            .flatMapThrowing { other in
                let (one, two) = Glue.pair(channel, other)
                try channel.pipeline.syncOperations.addHandler(one)
                try other.pipeline.syncOperations.addHandler(two)
                channel.read()
                other.read()
                if !channel.isActive { other.close(promise: nil) }
            }
            .whenFailure { _ in channel.close(promise: nil) }
    }
}

/// One side of a carried connection: what comes in goes out at the other side, and no faster than that takes it.
private final class Glue: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let other: any Channel

    private init(to other: any Channel) { self.other = other }

    static func pair(_ one: any Channel, _ two: any Channel) -> (Glue, Glue) { (Glue(to: two), Glue(to: one)) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let channel = context.channel
        self.other.writeAndFlush(self.unwrapInboundIn(data)).whenComplete { result in
            switch result {
            case .success: channel.read()
            case .failure: channel.close(promise: nil)
            }
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event { self.other.close(mode: .output, promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) { self.other.close(promise: nil) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
