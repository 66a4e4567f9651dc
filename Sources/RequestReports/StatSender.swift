internal import Foundation
package import Logging
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOWebSocket
internal import Synchronization

/// Sends stat messages to the autoscaler over one WebSocket, which it opens again whenever it breaks.
///
/// ``send(_:)`` never waits: what cannot be sent yet is kept in a ``StatMailbox``.
package final class StatSender: Sendable {
    /// Where the autoscaler listens.
    package struct Target: Sendable, Hashable {
        package var host: String
        package var port: Int
        package var path: String

        /// `ws://autoscaler.knative-serving.svc.cluster.local:8080`, with or without scheme, port and path.
        package init?(_ text: String) {
            let withScheme = text.contains("://") ? text : "ws://" + text
            guard let parts = URLComponents(string: withScheme), parts.scheme == "ws", let host = parts.host,
                !host.isEmpty
            else { return nil }
            self.host = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
            self.port = parts.port ?? 8080
            self.path = parts.percentEncodedPath.isEmpty ? "/" : parts.percentEncodedPath
        }
    }

    private typealias FrameChannel = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>

    private struct State {
        var mailbox = StatMailbox()
        var bell: AsyncStream<Void>.Continuation?
    }

    /// Whoever waits for a pod waits so much longer after an interruption; by chance, so that not all come at once.
    private static let pause = 100...1000

    private let target: Target
    private let form: StatForm
    private let logger: Logger
    private let waitsForFirst: Bool
    private let upgradeLimit: Duration
    private let first: AsyncStream<Void>
    private let firstBell: AsyncStream<Void>.Continuation
    private let state = Mutex(State())
    private let start = ContinuousClock.now

    /// `waitsForFirst`: no connection is opened before there is something to send. `upgradeLimit`: who takes the
    /// connection has so long to say that it speaks WebSocket.
    package init(
        target: Target,
        form: StatForm,
        waitsForFirst: Bool = false,
        upgradeLimit: Duration = .seconds(5),
        logger: Logger
    ) {
        self.target = target
        self.form = form
        self.waitsForFirst = waitsForFirst
        self.upgradeLimit = upgradeLimit
        self.logger = logger
        (self.first, self.firstBell) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    private var now: Duration { self.start.duration(to: .now) }

    /// How many messages were sent, and how many were given up for newer ones, or since there was no room.
    package var counts: (sent: UInt64, dropped: UInt64) {
        self.state.withLock { ($0.mailbox.sentCount, $0.mailbox.droppedCount) }
    }

    /// Hands a message over; it is sent at once if there is a connection.
    package func send(_ message: StatMessage) {
        let now = self.now
        self.state.withLock { state in
            state.mailbox.post(message, at: now)
            state.bell?.yield()
        }
        if self.waitsForFirst { self.firstBell.yield() }
    }

    /// Keeps the connection until the task is cancelled.
    package func run() async {
        if self.waitsForFirst { for await _ in self.first { break } }
        while !Task.isCancelled {
            do {
                try await self.connectAndSend()
                self.logger.debug("autoscaler closed the connection", metadata: ["host": "\(self.target.host)"])
            } catch {
                self.logger.warning(
                    "no connection to the autoscaler; trying again",
                    metadata: ["host": "\(self.target.host)", "port": "\(self.target.port)", "error": "\(error)"]
                )
            }
            // Cancellation ends the loop.
            try? await Task.sleep(for: .milliseconds(Int.random(in: Self.pause)))
        }
    }

    private func connectAndSend() async throws {
        let channel = try await self.connect()
        let (bell, ringer) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        self.state.withLock { $0.bell = ringer }
        ringer.yield()
        defer { self.state.withLock { $0.bell = nil } }
        try await channel.executeThenClose { inbound, outbound in
            let clock = ContinuousClock()
            let start = clock.now
            let keepAlive = SharedKeepAlive()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for try await frame in inbound {
                        switch frame.opcode {
                        case .pong: keepAlive.machine.withLock { $0.pongReceived(at: start.duration(to: clock.now)) }
                        case .ping:
                            let data = frame.unmaskedData
                            try await outbound.write(Self.frame(.pong, data))
                        case .connectionClose: return
                        default: ()
                        }
                    }
                }
                group.addTask {
                    for await _ in bell { try await self.sendWaiting(outbound) }
                }
                group.addTask {
                    while true {
                        try await Task.sleep(for: keepAlive.machine.withLock { $0.interval })
                        switch keepAlive.machine.withLock({ $0.tick(at: start.duration(to: clock.now)) }) {
                        case .ping: try await outbound.write(Self.frame(.ping, ByteBuffer()))
                        case .close:
                            throw StatFrameError(
                                description: "no pong for \(keepAlive.machine.withLock { $0.pongTimeout })"
                            )
                        }
                    }
                }
                // Whatever ends first ends the connection.
                try await group.next()
                group.cancelAll()
            }
        }
    }

    private func sendWaiting(_ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>) async throws {
        let messages = self.state.withLock { $0.mailbox.takeAll() }
        guard !messages.isEmpty else { return }
        do {
            for frame in StatFrame.encode(messages, as: self.form) {
                try await outbound.write(Self.frame(.binary, ByteBuffer(bytes: frame)))
            }
        } catch {
            let now = self.now
            self.state.withLock { $0.mailbox.notSent(messages, at: now) }
            throw error
        }
        self.state.withLock { $0.mailbox.sent(messages.count) }
    }

    /// Frames of a client are masked (RFC 6455 section 5.3).
    private static func frame(_ opcode: WebSocketOpcode, _ data: ByteBuffer) -> WebSocketFrame {
        WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: data)
    }

    private func connect() async throws -> FrameChannel {
        let target = self.target
        let limit = TimeAmount(self.upgradeLimit)
        let negotiated = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(5))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connect(host: target.host, port: target.port) { channel in
                channel.eventLoop.makeCompletedFuture { try Self.configure(channel, target, limit) }
            }
        guard let channel = try await negotiated.get() else {
            throw StatFrameError(description: "\(target.host):\(target.port) speaks HTTP, but no WebSocket")
        }
        return channel
    }

    private static func configure(
        _ channel: any Channel,
        _ target: Target,
        _ limit: TimeAmount
    ) throws -> EventLoopFuture<FrameChannel?> {
        let upgrader = NIOTypedWebSocketClientUpgrader<FrameChannel?>(
            maxFrameSize: 64 << 10,
            upgradePipelineHandler: { channel, _ in
                channel.eventLoop.makeCompletedFuture { try FrameChannel(wrappingChannelSynchronously: channel) }
            }
        )
        let headers: HTTPHeaders = ["host": "\(target.host):\(target.port)", "content-length": "0"]
        let upgrade = NIOTypedHTTPClientUpgradeConfiguration(
            upgradeRequestHead: HTTPRequestHead(version: .http1_1, method: .GET, uri: target.path, headers: headers),
            upgraders: [upgrader],
            notUpgradingCompletionHandler: { channel in
                channel.close(promise: nil)
                return channel.eventLoop.makeSucceededFuture(nil)
            }
        )
        let upgraded = try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(
            configuration: .init(upgradeConfiguration: upgrade)
        )
        // Closing ends the wait for the answer with an error.
        let limited = channel.eventLoop.scheduleTask(in: limit) { channel.close(promise: nil) }
        upgraded.whenComplete { _ in limited.cancel() }
        return upgraded
    }
}

/// What the tasks of one connection know of its pings.
private final class SharedKeepAlive: Sendable {
    let machine = Mutex(KeepAlive(at: .zero))
}
