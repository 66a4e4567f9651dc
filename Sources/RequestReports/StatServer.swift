package import Logging
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOWebSocket

/// Takes stat messages from activators, adapters and pods, each over a WebSocket of its own.
///
/// Any path is accepted, as senders differ in it. A plain GET gets an answer that health checks are content with.
package struct StatServer: Sendable {
    private typealias FrameChannel = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>

    private enum Negotiated: Sendable {
        case frames(FrameChannel)
        case plain(any Channel)
    }

    /// A sender pings every few seconds; one that is silent for so long is gone.
    private static let silenceMax: TimeAmount = .seconds(60)

    private let onMessages: @Sendable ([StatMessage]) -> Void
    private let logger: Logger
    private let desk: StatDesk

    /// `onMessages` is called on an event loop's or a task's thread, and must not block.
    package init(
        limits: StatIntake.Limits = StatIntake.Limits(),
        logger: Logger,
        onMessages: @escaping @Sendable ([StatMessage]) -> Void
    ) {
        self.logger = logger
        self.onMessages = onMessages
        self.desk = StatDesk(limits: limits, logger: logger)
    }

    /// What was refused since the start.
    package var refusals: [StatIntake.Refusal: UInt64] { self.desk.refusals }

    /// The same for Prometheus.
    package var metricsPage: String {
        let name = "autoscaler_stat_refused_total"
        let refusals = self.refusals
        var page = "# HELP \(name) Connections of senders, frames and unfinished messages that were refused.\n"
        page += "# TYPE \(name) counter\n"
        for refusal in StatIntake.Refusal.allCases {
            page += "\(name){what=\"\(refusal.rawValue)\"} \(refusals[refusal] ?? 0)\n"
        }
        return page
    }

    /// Serves until the task is cancelled; senders are then told to come back (RFC 6455, code 1012: restart).
    package func run(host: String, port: Int, onBound: @Sendable (Int) -> Void = { _ in }) async throws {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 256)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .bind(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture { try Self.configure(channel, self.desk) }
            }
        onBound(server.channel.localAddress?.port ?? port)
        self.logger.info("taking stat messages", metadata: ["address": "\(host)", "port": "\(port)"])
        try await withThrowingDiscardingTaskGroup { group in
            try await server.executeThenClose { inbound in
                for try await negotiation in inbound {
                    group.addTask { await self.serve(negotiation) }
                }
            }
        }
    }

    private static func configure(_ channel: any Channel, _ desk: StatDesk) throws -> EventLoopFuture<Negotiated> {
        guard desk.opened() else {
            desk.refused(.connection, peer: channel.remoteAddress)
            channel.close(promise: nil)
            throw StatFrameError(description: "as many senders are connected as may be")
        }
        let limit = StatConnectionLimit(desk)
        try channel.pipeline.syncOperations.addHandler(limit)
        let boundLimit = NIOLoopBound(limit, eventLoop: channel.eventLoop)
        try channel.pipeline.syncOperations.addHandler(IdleStateHandler(readTimeout: Self.silenceMax))
        try channel.pipeline.syncOperations.addHandler(CloseWhenIdle())
        let upgrader = NIOTypedWebSocketServerUpgrader<Negotiated>(
            maxFrameSize: StatFrame.bytesMax,
            shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture([:]) },
            upgradePipelineHandler: { channel, _ in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        NIOWebSocketFrameAggregator(
                            minNonFinalFragmentSize: 0,
                            maxAccumulatedFrameCount: 1024,
                            maxAccumulatedFrameSize: StatFrame.bytesMax
                        )
                    )
                    try channel.pipeline.syncOperations.addHandler(StatMessageEnds(boundLimit.value))
                    return .frames(try FrameChannel(wrappingChannelSynchronously: channel))
                }
            }
        )
        let upgrade = NIOTypedHTTPServerUpgradeConfiguration(
            upgraders: [upgrader],
            notUpgradingCompletionHandler: { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(PlainAnswer())
                    return Negotiated.plain(channel)
                }
            }
        )
        return try channel.pipeline.syncOperations.configureUpgradableHTTPServerPipeline(
            configuration: NIOUpgradableHTTPServerPipelineConfiguration(upgradeConfiguration: upgrade)
        )
    }

    private func serve(_ negotiation: EventLoopFuture<Negotiated>) async {
        do {
            switch try await negotiation.get() {
            case .frames(let channel): try await self.serve(channel)
            // Its handler answers and closes.
            case .plain(let channel): try await channel.closeFuture.get()
            }
        } catch let error where error is NIOWebSocketError || error is NIOWebSocketFrameAggregator.Error {
            self.desk.refused(.frame, peer: nil, "\(error)")
        } catch {
            self.logger.debug("stat connection ended", metadata: ["error": "\(error)"])
        }
    }

    private func serve(_ channel: FrameChannel) async throws {
        let peer = channel.channel.remoteAddress
        self.logger.debug("stat sender connected", metadata: ["peer": "\(peer?.description ?? "unknown")"])
        try await channel.executeThenClose { inbound, outbound in
            do {
                for try await frame in inbound {
                    switch frame.opcode {
                    case .binary: self.receive(frame.unmaskedData, peer)
                    case .ping:
                        try await outbound.write(WebSocketFrame(fin: true, opcode: .pong, data: frame.unmaskedData))
                    case .connectionClose:
                        try await outbound.write(
                            WebSocketFrame(fin: true, opcode: .connectionClose, data: frame.unmaskedData)
                        )
                        return
                    default: ()
                    }
                }
            } catch is CancellationError {
                ()
            }
            guard Task.isCancelled else { return }
            // The writer above ends with the task; the channel does not.
            try await channel.channel.writeAndFlush(Self.restart(channel.channel.allocator)).get()
        }
    }

    private static func restart(_ allocator: ByteBufferAllocator) -> WebSocketFrame {
        var data = allocator.buffer(capacity: 2)
        data.write(webSocketErrorCode: .init(codeNumber: 1012))
        return WebSocketFrame(fin: true, opcode: .connectionClose, data: data)
    }

    private func receive(_ data: ByteBuffer, _ peer: SocketAddress?) {
        do throws(StatFrameError) {
            let messages = try StatFrame.decode(Array(data.readableBytesView))
            if !messages.isEmpty { self.onMessages(messages) }
        } catch {
            self.desk.refused(.frame, peer: peer, error.description)
        }
    }
}

/// Ends connections of senders that are gone without saying so.
private final class CloseWhenIdle: ChannelInboundHandler {
    typealias InboundIn = NIOAny

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent {
            context.close(promise: nil)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }
}

/// Answers requests that do not ask for a WebSocket: health checks, and people who look what is here.
private final class PlainAnswer: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private var status = HTTPResponseStatus.upgradeRequired

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.unwrapInboundIn(data) {
        case .head(let head):
            let agent = head.headers.first(name: "user-agent") ?? ""
            let isProbe = agent.hasPrefix("kube-probe/") || ["/healthz", "/health", "/ready"].contains(head.uri)
            self.status = isProbe ? .ok : .upgradeRequired
        case .body: ()
        case .end: self.answer(context)
        }
    }

    private func answer(_ context: ChannelHandlerContext) {
        let text = self.status == .ok ? "ok\n" : "stat messages come over a WebSocket\n"
        var headers: HTTPHeaders = ["content-length": String(text.utf8.count), "connection": "close"]
        if self.status != .ok { headers.add(name: "upgrade", value: "websocket") }
        let head = HTTPResponseHead(version: .http1_1, status: self.status, headers: headers)
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        context.write(self.wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
        let isClosed = context.eventLoop.makePromise(of: Void.self)
        isClosed.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: isClosed)
    }
}
