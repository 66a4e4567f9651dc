internal import GRPCCore
package import Logging
internal import MixerAPI
package import TrafficEngine

/// Asks the policy engine over gRPC, and tells it what has happened (`istio.mixer.v1.Mixer`).
package final class MixerClient: RequestMixing {
    private enum Job: Sendable {
        case check(MixerQuestion, completion: @Sendable (MixerAnswer) -> Void)
        case report([MixerReport], [NetworkAddress], completion: @Sendable (Bool) -> Void)
    }

    /// Checks and batches of reports that wait for their turn; more come to nothing.
    private static let waitingMax = 4096
    /// For an answer, further attempts included; as Istio's proxies wait.
    private static let timeout = Duration.seconds(5)

    private let logger: Logger
    private let jobs: (stream: AsyncStream<Job>, continuation: AsyncStream<Job>.Continuation)

    package init(logger: Logger) {
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
        to endpoints: [NetworkAddress],
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
            var connections = PlainConnections(logger: self.logger)
            for await job in self.jobs.stream {
                switch job {
                case .check(let question, let completion):
                    let clients = question.endpoints.compactMap { connections.client(for: $0, in: &group) }
                    group.addTask { completion(await self.answer(question, clients)) }
                case .report(let reports, let endpoints, let completion):
                    let clients = endpoints.compactMap { connections.client(for: $0, in: &group) }
                    group.addTask { completion(await self.tell(reports, clients)) }
                }
            }
            group.cancelAll()
        }
    }

    private func answer(_ question: MixerQuestion, _ clients: [PlainConnections.Client]) async -> MixerAnswer {
        let request = MixerMessages.request(question)
        let outcome = await Self.first(of: clients) { client, options in
            try await Istio_Mixer_V1_Mixer.Client(wrapping: client).check(request, options: options)
        }
        return switch outcome {
        case .success(let response): MixerMessages.answer(response, to: question)
        case .failure(let error): .failed(error.description)
        }
    }

    private func tell(_ reports: [MixerReport], _ clients: [PlainConnections.Client]) async -> Bool {
        let request = MixerMessages.request(reports)
        let outcome = await Self.first(of: clients) { client, options in
            try await Istio_Mixer_V1_Mixer.Client(wrapping: client).report(request, options: options)
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

    /// Why no client gave an answer.
    private struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// The first answer. Another client is tried only where one did not take the call: what was asked once must not be
    /// charged or counted twice.
    private static func first<Response: Sendable>(
        of clients: [PlainConnections.Client],
        _ call: (PlainConnections.Client, CallOptions) async throws -> Response
    ) async -> Result<Response, Failure> {
        let deadline = ContinuousClock.now + Self.timeout
        var failure = Failure(description: "no endpoint could be asked")
        for client in clients {
            let left = deadline - ContinuousClock.now
            guard left > .zero else { break }
            var options = CallOptions.defaults
            options.timeout = left
            options.waitForReady = false
            options.maxResponseMessageBytes = 1 << 20
            do {
                return .success(try await call(client, options))
            } catch let error as RPCError where error.code == .unavailable {
                failure.description = error.message
            } catch {
                failure.description = "\(error)"
                break
            }
        }
        return .failure(failure)
    }
}
