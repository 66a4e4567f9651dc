internal import KubernetesAPI
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// Some connections to one Redis server, which are opened again whenever they break.
///
/// A call goes out at once, with others in flight, or fails at once: it never waits for a connection.
final class RedisClient: Sendable {
    private struct State {
        var channels: [Int: any Channel] = [:]
        var next = 0
        /// What the server calls the scripts that it knows.
        var digests: [String: String] = [:]
    }

    /// For how long a call waits for its reply.
    static let timeout = Duration.seconds(1)

    private let endpoint: Endpoint
    private let connectionCount: Int
    private let state = Mutex(State())

    init(_ endpoint: Endpoint, connectionCount: Int) {
        self.endpoint = endpoint
        self.connectionCount = connectionCount
    }

    /// Keeps the connections until the task is cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            for number in 0..<self.connectionCount { group.addTask { await self.keep(number) } }
        }
    }

    private func keep(_ number: Int) async {
        var backOff = BackOff(base: .milliseconds(100), max: .seconds(5), seed: UInt64.random(in: .min ... .max))
        let bootstrap = ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connectTimeout(.seconds(2))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        RedisChannelHandler(timeout: TimeAmount(Self.timeout))
                    )
                }
            }
        while !Task.isCancelled {
            // A connection that cannot be had is tried again below.
            if let channel = try? await bootstrap.connect(host: self.endpoint.host, port: self.endpoint.port).get() {
                backOff.reset()
                self.state.withLock { $0.channels[number] = channel }
                await withTaskCancellationHandler {
                    // However it ends, it has ended.
                    try? await channel.closeFuture.get()
                } onCancel: {
                    channel.close(promise: nil)
                }
                self.state.withLock { $0.channels[number] = nil }
            }
            // The sleep throws when the task is cancelled, which the loop's condition sees.
            try? await Task.sleep(for: backOff.next())
        }
    }

    /// Sends a command and waits for its reply.
    func send(_ words: [String]) async throws -> RedisReply {
        let channel: (any Channel)? = self.state.withLock { state in
            guard !state.channels.isEmpty else { return nil }
            let numbers = state.channels.keys.sorted()
            state.next = (state.next + 1) % numbers.count
            return state.channels[numbers[state.next]]
        }
        guard let channel else { throw RedisFailure.notConnected }
        let reply = channel.eventLoop.makePromise(of: RedisReply.self)
        // A channel that closed meanwhile has nobody who would fail the call; of two ends the first counts.
        channel.writeAndFlush(RedisCall(command: RedisReply.command(words), reply: reply))
            .whenFailure { _ in reply.fail(RedisFailure.closed) }
        return try await reply.futureResult.get()
    }

    /// Runs a script, which the server is told of once.
    func run(_ script: String, keys: [String], arguments: [String]) async throws -> RedisReply {
        let known = self.state.withLock { $0.digests[script] }
        if let known {
            let reply = try await self.send(["EVALSHA", known, "\(keys.count)"] + keys + arguments)
            // Another server, or one that was started anew, does not know it.
            guard case .error(let text) = reply, text.hasPrefix("NOSCRIPT") else { return reply }
        }
        let loaded = try await self.send(["SCRIPT", "LOAD", script])
        guard case .text(let digest) = loaded else { return loaded }
        self.state.withLock { $0.digests[script] = digest }
        return try await self.send(["EVALSHA", digest, "\(keys.count)"] + keys + arguments)
    }
}
