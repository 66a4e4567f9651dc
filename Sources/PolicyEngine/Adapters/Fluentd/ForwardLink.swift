internal import KubernetesAPI
internal import NIOCore
internal import NIOPosix

/// The way to a server of the Forward protocol: a connection for each batch, so that nobody waits for one that is stale.
final class ForwardLink: Sendable {
    private typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    /// A batch that could not be sent so often is lost, so that a server that chokes on one does not stop all others.
    private static let attemptsMax = 10
    /// What a server may say before its acknowledgement.
    private static let answerBytesMax = 4096

    private let endpoint: Endpoint
    private let timeout: Duration

    init(_ endpoint: Endpoint, timeout: Duration) {
        self.endpoint = endpoint
        self.timeout = timeout
    }

    /// Sends a batch until the server has it; whether it has.
    func send(_ batch: ForwardQueue.Batch) async -> Bool {
        var backOff = BackOff(base: .milliseconds(200), max: .seconds(10), seed: UInt64.random(in: .min ... .max))
        for attempt in 1...Self.attemptsMax {
            do {
                try await self.withTimeout { try await self.exchange(batch) }
                return true
            } catch {
                if Task.isCancelled || attempt == Self.attemptsMax { return false }
                // The sleep throws when the task is cancelled, which is looked at above.
                try? await Task.sleep(for: backOff.next())
            }
        }
        return false
    }

    private func exchange(_ batch: ForwardQueue.Batch) async throws {
        let connection = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connectTimeout(.seconds(5))
            .connect(host: self.endpoint.host, port: self.endpoint.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try Connection(
                        wrappingChannelSynchronously: channel,
                        configuration: .init(inboundType: ByteBuffer.self, outboundType: ByteBuffer.self)
                    )
                }
            }
        try await connection.executeThenClose { inbound, outbound in
            try await outbound.write(batch.message)
            var answer = ByteBuffer()
            for try await var bytes in inbound {
                answer.writeBuffer(&bytes)
                if answer.readableBytesView.starts(with: batch.acknowledgement.readableBytesView) { return }
                guard answer.readableBytes <= Self.answerBytesMax else { break }
            }
            throw ForwardFailure.notAcknowledged
        }
    }

    private func withTimeout(_ body: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await body() }
            group.addTask {
                try await Task.sleep(for: self.timeout)
                throw ForwardFailure.timedOut
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}

/// Why a batch may not have got there.
private enum ForwardFailure: Error { case notAcknowledged, timedOut }
