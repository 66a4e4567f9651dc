import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import KubernetesAPI
import Logging
import MixerAPI
import PolicyEngine
import ServerlessAPI
import SwiftProtobuf
import Synchronization
import Testing

/// Runs an adapter that is a gRPC server, and an engine with these objects, until `body` ends.
func withEngine(
    _ services: [any RegistrableRPCService],
    in environment: TestEnvironment = TestEnvironment(),
    _ objects: (_ address: String) throws -> [KubernetesObject],
    _ body: (PolicyServer) async throws -> Void
) async throws {
    let server = GRPCServer(
        transport: .http2NIOPosix(address: .ipv4(host: "127.0.0.1", port: 0), transportSecurity: .plaintext),
        services: services
    )
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await server.serve() }
        let port = try #require(try await server.listeningAddress?.ipv4?.port)
        let configuration = PolicyDispatcher.of(try objects("127.0.0.1:\(port)"), in: environment).configuration
        #expect(configuration.diagnoses.map(\.description) == [])
        let engine = PolicyServer(configuration, logger: Logger(label: "test"))
        let running = Task { await engine.run() }
        try await body(engine)
        running.cancel()
        await running.value
        server.beginGracefulShutdown()
        try await group.waitForAll()
    }
}

/// An adapter that answers as it is told, and remembers what it was asked.
final class TestAdapter: Sendable {
    struct State {
        var requests: [Authorization_HandleAuthorizationRequest] = []
        var answer: Result<Authorization_CheckResult, RPCError> = .success(.init())
        /// Sessions that it knows; `nil`: it takes calls without.
        var sessions: Set<String>?
        var created: [Istio_Mixer_Adapter_Model_V1beta1_CreateSessionRequest] = []
        /// Calls about these paths fail, whatever their session.
        var broken: Set<String> = []
        var validation = Google_Rpc_Status()
    }

    let state = Mutex(State())
    /// Sessions that were closed.
    let closed = AsyncStream<String>.makeStream()

    var services: [any RegistrableRPCService] { [TestChecks(adapter: self), TestSessions(adapter: self)] }
}

private struct TestChecks: Authorization_HandleAuthorizationService.SimpleServiceProtocol {
    let adapter: TestAdapter

    func handleAuthorization(
        request: Authorization_HandleAuthorizationRequest,
        context: ServerContext
    ) async throws -> Authorization_CheckResult {
        try self.adapter.state.withLock { state in
            state.requests.append(request)
            if let sessions = state.sessions {
                let id = String(decoding: request.adapterConfig.value, as: UTF8.self)
                guard sessions.contains(id), request.adapterConfig.typeURL == "google.protobuf.Any.type_url" else {
                    throw RPCError(code: .notFound, message: "no session \(id)")
                }
            }
            if state.broken.contains(request.instance.action.path) {
                throw RPCError(code: .internalError, message: "what a path")
            }
            return try state.answer.get()
        }
    }
}

private struct TestSessions: Istio_Mixer_Adapter_Model_V1beta1_InfrastructureBackend.SimpleServiceProtocol {
    let adapter: TestAdapter

    func validate(
        request: Istio_Mixer_Adapter_Model_V1beta1_ValidateRequest,
        context: ServerContext
    ) async throws -> Istio_Mixer_Adapter_Model_V1beta1_ValidateResponse {
        .with { $0.status = self.adapter.state.withLock { $0.validation } }
    }

    func createSession(
        request: Istio_Mixer_Adapter_Model_V1beta1_CreateSessionRequest,
        context: ServerContext
    ) async throws -> Istio_Mixer_Adapter_Model_V1beta1_CreateSessionResponse {
        self.adapter.state.withLock { state in
            state.created.append(request)
            let id = "session-\(state.created.count)"
            state.sessions?.insert(id)
            return .with { $0.sessionID = id }
        }
    }

    func closeSession(
        request: Istio_Mixer_Adapter_Model_V1beta1_CloseSessionRequest,
        context: ServerContext
    ) async throws -> Istio_Mixer_Adapter_Model_V1beta1_CloseSessionResponse {
        self.adapter.closed.continuation.yield(request.sessionID)
        return .init()
    }
}
