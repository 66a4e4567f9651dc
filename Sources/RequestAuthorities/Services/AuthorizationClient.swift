internal import Foundation
internal import GRPCCore
internal import GRPCProtobuf
package import Logging
internal import MeshModel
package import ProxyRuntime
package import TrafficEngine
internal import XDSAPI

/// Asks authorization services over gRPC and HTTP, at the endpoints of the proxy's clusters and with their TLS.
package final class AuthorizationClient: RequestAuthorizing {
    private struct Job: Sendable {
        var question: AuthorizationQuestion
        var policy: ExternalPolicy
        var completion: @Sendable (AuthorizationAnswer) -> Void
    }

    /// Requests that wait for their turn; more are answered with a failure.
    private static let waitingMax = 4096

    private let grpc: GRPCConnections
    private let http: HTTPConnections
    private let jobs: (stream: AsyncStream<Job>, continuation: AsyncStream<Job>.Continuation)

    package init(connector: ServiceConnector, logger: Logger) {
        self.grpc = GRPCConnections(connector: connector, logger: logger)
        self.http = HTTPConnections(connector: connector)
        self.jobs = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.waitingMax))
    }

    package func authorize(
        _ question: AuthorizationQuestion,
        policy: ExternalPolicy,
        completion: @escaping @Sendable (AuthorizationAnswer) -> Void
    ) {
        guard !question.endpoints.isEmpty else {
            completion(.failed("cluster \(policy.clusterName) has no endpoint"))
            return
        }
        let job = Job(question: question, policy: policy, completion: completion)
        switch self.jobs.continuation.yield(job) {
        case .enqueued: ()
        case .dropped, .terminated: completion(.failed("too many requests wait to be asked about"))
        @unknown default: completion(.failed("not asked"))
        }
    }

    /// Asks until it is cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.grpc.run() }
            for await job in self.jobs.stream {
                group.addTask { job.completion(await self.answer(job)) }
            }
            group.cancelAll()
        }
        self.http.close()
    }

    private func answer(_ job: Job) async -> AuthorizationAnswer {
        switch job.policy.provider.wire {
        case .grpc: await self.answerOverGRPC(job)
        case .http(pathPrefix: let pathPrefix): await self.answerOverHTTP(job, pathPrefix)
        }
    }

    private func answerOverGRPC(_ job: Job) async -> AuthorizationAnswer {
        let provider = job.policy.provider
        let message = CheckMessages.request(job.question, provider, now: Date())
        let outcome = await self.grpc.first(
            of: job.question.endpoints,
            within: provider.timeout,
            isRepeatable: true
        ) { client, options, _ in
            try await Envoy_Service_Auth_V3_Authorization.Client(wrapping: client).check(message, options: options)
        }
        return switch outcome {
        case .success(let response): CheckMessages.answer(response)
        case .failure(let failure): .failed(failure.description)
        }
    }

    private func answerOverHTTP(_ job: Job, _ pathPrefix: String) async -> AuthorizationAnswer {
        let provider = job.policy.provider
        guard let asked = job.question.request else { return .failed("a service over HTTP knows requests only") }
        let head = HTTPCheck.head(asked, provider, pathPrefix: pathPrefix)
        let deadline = ContinuousClock.now + provider.timeout
        var reason = "no endpoint could be asked"
        for endpoint in job.question.endpoints.prefix(ServiceEndpoint.countMax) {
            guard ContinuousClock.now < deadline else { break }
            do {
                let reply = try await self.http.ask(
                    endpoint,
                    head,
                    body: asked.body?.bytes ?? [],
                    bodyBytesMax: CheckMessages.bodyBytesMax,
                    until: deadline
                )
                return HTTPCheck.answer(reply, provider)
            } catch let error as ServiceConnectionError {
                // It has not been asked: the next may be.
                reason = error.message
            } catch {
                return .failed("\(endpoint.address): \(error)")
            }
        }
        return .failed(reason)
    }
}
