internal import GRPCCore
internal import GRPCProtobuf
package import Logging
internal import MixerAPI
package import ProxyRuntime
package import TrafficEngine

/// Asks the policy engine over gRPC, and tells it what has happened (`istio.mixer.v1.Mixer`).
package final class MixerClient: RequestMixing {
    private enum Job: Sendable {
        case check(MixerQuestion, completion: @Sendable (MixerAnswer) -> Void)
        case report([MixerReport], [ServiceEndpoint], completion: @Sendable (Bool) -> Void)
    }

    /// Checks and batches of reports that wait for their turn; more come to nothing.
    private static let waitingMax = 4096
    /// For an answer, further attempts included; as Istio's proxies wait.
    private static let timeout = Duration.seconds(5)

    private let connections: GRPCConnections
    private let logger: Logger
    private let jobs: (stream: AsyncStream<Job>, continuation: AsyncStream<Job>.Continuation)

    package init(connector: ServiceConnector, logger: Logger) {
        self.connections = GRPCConnections(connector: connector, logger: logger)
        self.logger = logger
        self.jobs = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.waitingMax))
    }

    package func check(_ question: MixerQuestion, completion: @escaping @Sendable (MixerAnswer) -> Void) {
        guard !question.endpoints.isEmpty else {
            let name = question.policy.checkServer?.name ?? ""
            completion(.failed("cluster \(name) has no endpoint"))
            return
        }
        switch self.jobs.continuation.yield(.check(question, completion: completion)) {
        case .enqueued: ()
        case .dropped, .terminated: completion(.failed("too many requests wait to be asked about"))
        @unknown default: completion(.failed("not asked"))
        }
    }

    package func report(
        _ reports: [MixerReport],
        to endpoints: [ServiceEndpoint],
        completion: @escaping @Sendable (Bool) -> Void
    ) {
        guard !endpoints.isEmpty else { return completion(false) }
        switch self.jobs.continuation.yield(.report(reports, endpoints, completion: completion)) {
        case .enqueued: ()
        case .dropped, .terminated: completion(false)
        @unknown default: completion(false)
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
                case .report(let reports, let endpoints, let completion):
                    group.addTask { completion(await self.tell(reports, endpoints)) }
                }
            }
            group.cancelAll()
        }
    }

    private func answer(_ question: MixerQuestion) async -> MixerAnswer {
        let request = MixerMessages.request(question)
        let outcome = await self.connections.first(of: question.endpoints, within: Self.timeout) { client, options in
            try await Istio_Mixer_V1_Mixer.Client(wrapping: client).check(request, options: options)
        }
        return switch outcome {
        case .success(let response): MixerMessages.answer(response, to: question)
        case .failure(let error): .failed(error.description)
        }
    }

    private func tell(_ reports: [MixerReport], _ endpoints: [ServiceEndpoint]) async -> Bool {
        let request = ReportWriter.request(reports)
        let outcome = await self.connections.first(of: endpoints, within: Self.timeout) { client, options in
            try await client.unary(
                request: ClientRequest(message: request),
                descriptor: Istio_Mixer_V1_Mixer.Method.Report.descriptor,
                serializer: BytesSerializer(),
                deserializer: ProtobufDeserializer<Istio_Mixer_V1_ReportResponse>(),
                options: options
            ) { response in try response.message }
        }
        switch outcome {
        case .success: return true
        case .failure(let error):
            self.logger.debug(
                "reports lost",
                metadata: ["count": "\(reports.count)", "reason": "\(error.description)"]
            )
            return false
        }
    }
}

/// A message that was written before.
private struct BytesSerializer: MessageSerializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Bytes { Bytes(message) }
}
