import NIOCore
import NIOPosix
import Synchronization
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A connection as bytes: what came, and whether and how it ended. Used for the client's and the endpoint's side.
final class RawConnection: Sendable {
    enum End: Sendable { case open, ended, reset }

    private struct Waiter: Sendable {
        var condition: @Sendable ([UInt8], End) -> Bool
        var continuation: CheckedContinuation<String, Never>
    }

    private struct State: Sendable {
        var received: [UInt8] = []
        var end = End.open
        var waiters: [Waiter] = []

        mutating func takeReady() -> [Waiter] {
            let received = self.received
            let end = self.end
            let ready = self.waiters.filter { $0.condition(received, end) }
            self.waiters.removeAll { $0.condition(received, end) }
            return ready
        }

        var text: String { String(decoding: self.received, as: UTF8.self) }
    }

    private let state = Mutex(State())
    let channel: any Channel

    init(channel: any Channel) { self.channel = channel }

    /// Connects to a local port.
    static func connect(port: UInt16) async throws -> RawConnection {
        let connection = Mutex<RawConnection?>(nil)
        _ = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                let own = RawConnection(channel: channel)
                connection.withLock { $0 = own }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(connection: own))
                }
            }
            .connect(host: "127.0.0.1", port: Int(port)).get()
        return try #require(connection.withLock { $0 })
    }

    var received: String { self.state.withLock { $0.text } }
    var bytes: [UInt8] { self.state.withLock { $0.received } }
    var end: End { self.state.withLock { $0.end } }

    func send(_ text: String) {
        self.channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
    }

    func send(_ buffer: ByteBuffer) async throws { try await self.channel.writeAndFlush(buffer) }

    func endOutput() { self.channel.close(mode: .output, promise: nil) }

    func close() { self.channel.close(promise: nil) }

    func reset() async throws {
        let provider = try #require(self.channel as? any SocketOptionProvider)
        try await provider.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
        self.channel.close(promise: nil)
    }

    /// Waits until what has come satisfies `condition`, or the connection has ended; returns all that has come.
    @discardableResult
    func wait(until condition: @escaping @Sendable (String) -> Bool) async -> String {
        await self.wait { bytes, end in condition(String(decoding: bytes, as: UTF8.self)) || end != .open }
    }

    /// Waits until more than `count` bytes have come, or the connection has ended; returns all that has come.
    func waitForMore(than count: Int) async -> [UInt8] {
        _ = await self.wait { bytes, end in bytes.count > count || end != .open }
        return self.bytes
    }

    @discardableResult
    func waitFor(_ part: String) async -> String { await self.wait { $0.contains(part) } }

    /// Waits for the end of the connection.
    @discardableResult
    func waitForEnd() async -> String { await self.wait { _, end in end != .open } }

    /// What never comes is an issue after this time, not a hang.
    static let patience = TimeAmount.seconds(30)

    private func wait(_ condition: @escaping @Sendable ([UInt8], End) -> Bool) async -> String {
        let limit = self.channel.eventLoop.scheduleTask(in: Self.patience) { self.giveUp() }
        defer { limit.cancel() }
        return await withCheckedContinuation { continuation in
            let ready = self.state.withLock { state in
                state.waiters.append(Waiter(condition: condition, continuation: continuation))
                return (state.takeReady(), state.text)
            }
            for waiter in ready.0 { waiter.continuation.resume(returning: ready.1) }
        }
    }

    private func giveUp() {
        let (waiters, text) = self.state.withLock { state in
            defer { state.waiters.removeAll() }
            return (state.waiters, state.text)
        }
        guard !waiters.isEmpty else { return }
        Issue.record("what is awaited did not come; this came: \(text)")
        for waiter in waiters { waiter.continuation.resume(returning: text) }
    }

    fileprivate func update(_ change: (inout [UInt8], inout End) -> Void) {
        let ready = self.state.withLock { state in
            change(&state.received, &state.end)
            return (state.takeReady(), state.text)
        }
        for waiter in ready.0 { waiter.continuation.resume(returning: ready.1) }
    }

    final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let connection: RawConnection

        init(connection: RawConnection) { self.connection = connection }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = self.unwrapInboundIn(data)
            self.connection.update { received, _ in received.append(contentsOf: bytes.readableBytesView) }
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case ChannelEvent.inputClosed = event {
                self.connection.update { _, end in if end == .open { end = .ended } }
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            self.connection.update { _, end in end = .reset }
            context.close(promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) {
            self.connection.update { _, end in if end == .open { end = .ended } }
        }
    }
}

/// An endpoint whose connections a test answers by hand.
final class RawServer: Sendable {
    private struct State: Sendable {
        var connections: [RawConnection] = []
        var waiters: [(Int, CheckedContinuation<RawConnection, Never>)] = []
    }

    private let channel: any Channel
    private let state: StateBox
    let port: UInt16

    private final class StateBox: Sendable {
        let value = Mutex(State())
    }

    private init(channel: any Channel, state: StateBox, port: UInt16) {
        self.channel = channel
        self.state = state
        self.port = port
    }

    /// `prepare` may put handlers in front of the bytes that tests see.
    static func start(_ prepare: @escaping @Sendable (any Channel) throws -> Void = { _ in }) async throws -> RawServer
    {
        let state = StateBox()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                let connection = RawConnection(channel: channel)
                return channel.eventLoop.makeCompletedFuture {
                    try prepare(channel)
                    try channel.pipeline.syncOperations.addHandler(RawConnection.Collector(connection: connection))
                    let ready = state.value.withLock { state in
                        state.connections.append(connection)
                        let count = state.connections.count
                        let ready = state.waiters.filter { $0.0 < count }
                        state.waiters.removeAll { $0.0 < count }
                        return ready.map { ($0.1, state.connections[$0.0]) }
                    }
                    for (continuation, connection) in ready { continuation.resume(returning: connection) }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return RawServer(
            channel: channel,
            state: state,
            port: UInt16(try #require(channel.localAddress?.port))
        )
    }

    var connectionCount: Int { self.state.value.withLock { $0.connections.count } }

    /// The connection number `index`, which may still have to come.
    func connection(_ index: Int) async -> RawConnection {
        let limit = self.channel.eventLoop.scheduleTask(in: RawConnection.patience) { self.giveUp() }
        defer { limit.cancel() }
        return await withCheckedContinuation { continuation in
            let ready = self.state.value.withLock { state -> RawConnection? in
                if index < state.connections.count { return state.connections[index] }
                state.waiters.append((index, continuation))
                return nil
            }
            if let ready { continuation.resume(returning: ready) }
        }
    }

    func stop() async throws { try await self.channel.close() }

    private func giveUp() {
        let waiters = self.state.value.withLock { state in
            defer { state.waiters.removeAll() }
            return state.waiters
        }
        for (index, continuation) in waiters {
            Issue.record("connection \(index) did not come")
            continuation.resume(returning: RawConnection(channel: self.channel))
        }
    }
}
