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
        /// Where Knative's autoscaler takes reports. With the dot at its end the name is whole: without it the search domains of
        /// a pod come first, as it has fewer dots than the `ndots:5` of clusters.
        package static let addressDefault = "ws://autoscaler.knative-serving.svc.cluster.local.:8080"

        /// What is looked up.
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

        /// As the header `host` says it: a dot at the end concerns whoever looks the name up only.
        package var authority: String {
            let name = self.host.hasSuffix(".") ? String(self.host.dropLast()) : self.host
            return name.contains(":") ? "[\(name)]:\(self.port)" : "\(name):\(self.port)"
        }
    }

    private typealias FrameChannel = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>

    private struct State {
        var mailbox = StatMailbox()
        /// Rung for whoever waits for messages.
        var bell: AsyncStream<Void>.Continuation?
        /// A message came while nobody did.
        var isUnheard = false
    }

    #if os(Linux)
    /// A connection to a peer that is gone, and does not say so, breaks so many milliseconds after something was sent by it.
    private static let silenceMax: SocketOptionValue = 2000
    #endif

    private let target: Target
    private let form: StatForm
    private let logger: Logger
    private let waitsForFirst: Bool
    private let upgradeLimit: Duration
    private let reconnection: Reconnection
    private let first: AsyncStream<Void>
    private let firstBell: AsyncStream<Void>.Continuation
    private let state = Mutex(State())
    private let start = ContinuousClock.now

    /// `waitsForFirst`: no connection is opened before there is something to send. `upgradeLimit`: who takes the
    /// connection has so long to say that it speaks WebSocket. `reconnection`: when the next one is made.
    package init(
        target: Target,
        form: StatForm,
        waitsForFirst: Bool = false,
        upgradeLimit: Duration = .seconds(5),
        reconnection: Reconnection = Reconnection(),
        logger: Logger
    ) {
        self.target = target
        self.form = form
        self.waitsForFirst = waitsForFirst
        self.upgradeLimit = upgradeLimit
        self.reconnection = reconnection
        self.logger = logger
        (self.first, self.firstBell) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    private var now: Duration { self.start.duration(to: .now) }

    /// How many messages were sent, and how many were given up for newer ones, or since there was no room.
    package var counts: (sent: UInt64, dropped: UInt64) {
        self.state.withLock { ($0.mailbox.sentCount, $0.mailbox.droppedCount) }
    }

    /// Hands a message over; it is sent at once if there is a connection. `isEarly`: it is a part that the next message
    /// which is not leaves out.
    package func send(_ message: StatMessage, isEarly: Bool = false) {
        let now = self.now
        self.state.withLock { state in
            state.mailbox.post(message, isEarly: isEarly, at: now)
            if let bell = state.bell { bell.yield() } else { state.isUnheard = true }
        }
        if self.waitsForFirst { self.firstBell.yield() }
    }

    /// Keeps the connection until the task is cancelled.
    package func run() async {
        if self.waitsForFirst { for await _ in self.first { break } }
        while !Task.isCancelled {
            var opened: ContinuousClock.Instant?
            do {
                try await self.connectAndSend { opened = .now }
                self.logger.debug("autoscaler closed the connection", metadata: ["host": "\(self.target.host)"])
            } catch {
                self.logger.warning(
                    "no connection to the autoscaler; trying again",
                    metadata: ["host": "\(self.target.host)", "port": "\(self.target.port)", "error": "\(error)"]
                )
            }
            await self.pause(self.reconnection.pause(after: opened.map { $0.duration(to: .now) }))
        }
    }

    /// Waits so long, or a moment if there is something to say meanwhile.
    private func pause(_ whole: Duration) async {
        guard whole > .zero else { return }
        let (bell, ringer) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let isUnheard = self.state.withLock { state in
            state.bell = ringer
            defer { state.isUnheard = false }
            return state.isUnheard
        }
        if isUnheard { ringer.yield() }
        defer { self.state.withLock { $0.bell = nil } }
        let rest = min(whole, self.reconnection.rest())
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                // Cancellation ends the pause.
                try? await Task.sleep(for: whole)
            }
            group.addTask {
                for await _ in bell { break }
                // The same.
                try? await Task.sleep(for: rest)
            }
            await group.next()
            group.cancelAll()
        }
    }

    /// `onOpen` is called when there is a connection.
    private func connectAndSend(onOpen: () -> Void) async throws {
        let channel = try await self.connect()
        onOpen()
        let (bell, ringer) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        self.state.withLock {
            $0.bell = ringer
            $0.isUnheard = false
        }
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
        var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(5))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
        #if os(Linux)
        let option = NIOBSDSocket.Option(rawValue: TCP_USER_TIMEOUT)
        bootstrap = bootstrap.channelOption(.tcpOption(option), value: Self.silenceMax)
        #endif
        let negotiated =
            try await bootstrap
            .connect(host: target.host, port: target.port) { channel in
                channel.eventLoop.makeCompletedFuture { try Self.configure(channel, target, limit) }
            }
        guard let channel = try await negotiated.get() else {
            throw StatFrameError(description: "\(target.authority) speaks HTTP, but no WebSocket")
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
        let headers: HTTPHeaders = ["host": target.authority, "content-length": "0"]
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
