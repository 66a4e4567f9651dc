internal import AsyncHTTPClient
internal import Foundation
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import GRPCProtobuf
package import Logging
internal import MeshModel
internal import NIOCore
internal import NIOPosix
package import TrafficEngine
internal import XDSAPI

/// Asks authorization services over gRPC and HTTP.
///
/// Connections are plain: the addresses are those of the proxy's cluster, its TLS is not used here.
package final class AuthorizationClient: RequestAuthorizing {
    private struct Job: Sendable {
        var question: AuthorizationQuestion
        var policy: ExternalPolicy
        var completion: @Sendable (AuthorizationAnswer) -> Void
    }

    /// Requests that wait for their turn; more are answered with a failure.
    private static let waitingMax = 4096

    private let logger: Logger
    private let jobs: (stream: AsyncStream<Job>, continuation: AsyncStream<Job>.Continuation)

    package init(logger: Logger) {
        self.logger = logger
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
        var http: HTTPClient?
        await withDiscardingTaskGroup { group in
            var connections = PlainConnections(logger: self.logger)
            for await job in self.jobs.stream {
                switch job.policy.provider.wire {
                case .http(let pathPrefix):
                    let client = http ?? Self.makeHTTPClient()
                    http = client
                    group.addTask { await self.answer(job, over: HTTPCheck(client: client), pathPrefix) }
                case .grpc:
                    let addresses = job.question.endpoints.prefix(AuthorizationQuestion.endpointsMax)
                    let chosen = addresses.compactMap { connections.client(for: $0, in: &group) }
                    group.addTask { await self.answer(job, over: chosen) }
                }
            }
            group.cancelAll()
        }
        do { try await http?.shutdown() } catch {
            self.logger.debug("client already shut down", metadata: ["error": "\(error)"])
        }
    }

    // MARK: gRPC

    private func answer(_ job: Job, over clients: [PlainConnections.Client]) async {
        let provider = job.policy.provider
        let message = CheckMessages.request(job.question, provider, now: Date())
        let deadline = ContinuousClock.now + provider.timeout
        var reason = "no endpoint could be asked"
        for client in clients {
            let left = deadline - ContinuousClock.now
            guard left > .zero else { break }
            var options = CallOptions.defaults
            options.timeout = left
            options.waitForReady = false
            options.maxResponseMessageBytes = 1 << 20
            do {
                let service = Envoy_Service_Auth_V3_Authorization.Client(wrapping: client)
                job.completion(CheckMessages.answer(try await service.check(message, options: options)))
                return
            } catch let error as RPCError where error.code == .unavailable {
                reason = error.message
            } catch {
                reason = "\(error)"
                break
            }
        }
        job.completion(.failed(reason))
    }

    // MARK: HTTP

    /// Made when it is first needed: most proxies ask nobody.
    private static func makeHTTPClient() -> HTTPClient {
        var settings = HTTPClient.Configuration()
        settings.redirectConfiguration = .disallow
        settings.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
    }

    private func answer(_ job: Job, over check: HTTPCheck, _ pathPrefix: String) async {
        let provider = job.policy.provider
        let deadline = ContinuousClock.now + provider.timeout
        var reason = "no endpoint could be asked"
        for address in job.question.endpoints.prefix(AuthorizationQuestion.endpointsMax) {
            guard ContinuousClock.now < deadline else { break }
            do {
                let answer = try await check.ask(
                    job.question,
                    provider,
                    pathPrefix: pathPrefix,
                    at: address,
                    until: deadline
                )
                job.completion(answer)
                return
            } catch {
                reason = "\(error)"
                guard Self.isUnconnected(error) else { break }
            }
        }
        job.completion(.failed(reason))
    }

    /// Only a connection that did not come about is worth another try: the service has not been asked.
    private static func isUnconnected(_ error: any Error) -> Bool {
        // By a name, and by an address.
        if error is NIOConnectionError { return true }
        if let error = error as? IOError {
            return [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT].contains(error.errnoCode)
        }
        guard let error = error as? HTTPClientError else { return false }
        return error == .connectTimeout
    }
}
