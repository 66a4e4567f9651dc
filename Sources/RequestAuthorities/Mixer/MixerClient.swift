internal import GRPCCore
internal import GRPCProtobuf
package import Logging
internal import MixerAPI
package import ProxyRuntime
internal import Synchronization
package import TrafficEngine

/// Asks the policy engine over gRPC, and tells it what has happened (`istio.mixer.v1.Mixer`).
package final class MixerClient: RequestMixing {
    private enum Job: Sendable {
        case check(MixerQuestion, completion: @Sendable (MixerAnswer) -> Void)
        case report([ReportMessage], [ServiceEndpoint], completion: @Sendable (Int) -> Void)
    }

    /// Checks and batches of reports that wait for their turn; more come to nothing.
    private static let waitingMax = 4096
    /// Checks that wait for an answer, those of clients that have left included: answers may be held for long.
    private static let checksMax = 10_000

    private let connections: GRPCConnections
    private let reportTimeout: Duration
    private let logger: Logger
    private let complainedAt = Mutex<ContinuousClock.Instant?>(nil)
    private let checks = Atomic(0)
    private let jobs: (stream: AsyncStream<Job>, continuation: AsyncStream<Job>.Continuation)

    /// - Parameters:
    ///   - connector: to engines.
    ///   - reportTimeout: until a batch of reports is confirmed, all its messages and further attempts included; as Istio's
    ///     proxies wait.
    ///   - logger: hears of engines that want what cannot be done.
    package init(connector: ServiceConnector, reportTimeout: Duration = .seconds(5), logger: Logger) {
        self.connections = GRPCConnections(connector: connector, logger: logger)
        self.reportTimeout = reportTimeout
        self.logger = logger
        self.jobs = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.waitingMax))
    }

    package func check(_ question: MixerQuestion, completion: @escaping @Sendable (MixerAnswer) -> Void) {
        guard !question.endpoints.isEmpty else {
            let name = question.policy.checkServer?.name ?? ""
            completion(.failed("cluster \(name) has no endpoint"))
            return
        }
        let settle: @Sendable (MixerAnswer) -> Void = { answer in
            self.checks.subtract(1, ordering: .relaxed)
            completion(answer)
        }
        guard self.checks.add(1, ordering: .relaxed).newValue <= Self.checksMax else {
            settle(.failed("too many requests wait for answers"))
            return
        }
        switch self.jobs.continuation.yield(.check(question, completion: settle)) {
        case .enqueued: ()
        case .dropped, .terminated: settle(.failed("too many requests wait to be asked about"))
        @unknown default: settle(.failed("not asked"))
        }
    }

    package func makeReportWriter() -> any ReportWriting { ReportWriter() }

    package func report(
        _ messages: [ReportMessage],
        to endpoints: [ServiceEndpoint],
        completion: @escaping @Sendable (Int) -> Void
    ) {
        let count = messages.reduce(0) { $0 + $1.count }
        guard !endpoints.isEmpty else { return completion(count) }
        switch self.jobs.continuation.yield(.report(messages, endpoints, completion: completion)) {
        case .enqueued: ()
        case .dropped, .terminated: completion(count)
        @unknown default: completion(count)
        }
    }

    /// Asks until it is cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.connections.run() }
            for await job in self.jobs.stream {
                switch job {
                case .check(let question, let completion):
                    group.addTask { completion(await self.answer(question)) }
                case .report(let messages, let endpoints, let completion):
                    group.addTask { completion(await self.tell(messages, endpoints)) }
                }
            }
            group.cancelAll()
        }
    }

    private func answer(_ question: MixerQuestion) async -> MixerAnswer {
        let outcome = await self.call(
            Istio_Mixer_V1_Mixer.Method.Check.descriptor,
            MixerMessages.request(question),
            ProtobufSerializer<Istio_Mixer_V1_CheckRequest>(),
            ProtobufDeserializer<Istio_Mixer_V1_CheckResponse>(),
            to: question.endpoints,
            within: question.policy.checkTimeout,
            // Engines do not know what others have charged.
            isRepeatable: question.charges.isEmpty
        )
        switch outcome {
        case .success(let response):
            let (answer, unusable) = MixerMessages.answer(response, to: question)
            if let first = unusable.first { self.complain(first) }
            return answer
        case .failure(let error): return .failed(error.description)
        }
    }

    /// Somebody should mend the engine's rules; but requests come by the thousand, and one line in ten seconds says the
    /// same.
    private func complain(_ reason: String) {
        let isTime = self.complainedAt.withLock { last in
            let now = ContinuousClock.now
            if let last, now - last < .seconds(10) { return false }
            last = now
            return true
        }
        self.logger.log(
            level: isTime ? .warning : .debug,
            "policy engine wants what cannot be done",
            metadata: ["reason": "\(reason)"]
        )
    }

    /// How many reports the engine did not get.
    private func tell(_ messages: [ReportMessage], _ endpoints: [ServiceEndpoint]) async -> Int {
        var lost = 0
        let deadline = ContinuousClock.now + self.reportTimeout
        for message in messages {
            let outcome = await self.call(
                Istio_Mixer_V1_Mixer.Method.Report.descriptor,
                message.bytes,
                BytesSerializer(),
                ProtobufDeserializer<Istio_Mixer_V1_ReportResponse>(),
                to: endpoints,
                within: deadline - ContinuousClock.now,
                isRepeatable: false
            )
            guard case .failure(let error) = outcome else { continue }
            lost += message.count
            self.logger.debug(
                "reports lost",
                metadata: ["count": "\(message.count)", "reason": "\(error.description)"]
            )
        }
        return lost
    }

    private func call<Request: Sendable, Response: Sendable>(
        _ method: MethodDescriptor,
        _ request: Request,
        _ serializer: some MessageSerializer<Request>,
        _ deserializer: some MessageDeserializer<Response>,
        to endpoints: [ServiceEndpoint],
        within timeout: Duration,
        isRepeatable: Bool
    ) async -> Result<Response, GRPCConnections.Failure> {
        await self.connections.first(
            of: endpoints,
            within: timeout,
            isRepeatable: isRepeatable
        ) { client, options, mark in
            // As a stream of one message, which tells when it is sent.
            try await client.clientStreaming(
                request: StreamingClientRequest { writer in
                    mark.set()
                    try await writer.write(request)
                },
                descriptor: method,
                serializer: serializer,
                deserializer: deserializer,
                options: options
            ) { response in try response.message }
        }
    }
}

/// A message that was written before.
private struct BytesSerializer: MessageSerializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Bytes { Bytes(message) }
}
