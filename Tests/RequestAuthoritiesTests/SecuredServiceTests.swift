import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Logging
import MeshModel
import NIOCore
import ProxyRuntime
import RequestAuthorities
import Testing
import TrafficEngine
import XDSAPI

/// Services that are asked over mutual TLS.
@Suite struct SecuredServiceTests {
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Asks a service over gRPC.
    private func askOverGRPC(
        expecting expected: String = SecuredService.service,
        _ body: (SecuredService, AuthorizationClient, TestService) async throws -> Void
    ) async throws {
        let service = TestService()
        let transport = HTTP2ServerTransport.Posix(
            address: .ipv4(host: "127.0.0.1", port: 0),
            transportSecurity: .plaintext
        )
        let server = GRPCServer(transport: transport, services: [service])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.serve() }
            let port = try #require(try await server.listeningAddress?.ipv4?.port)
            try await SecuredService.run(port: try #require(UInt16(exactly: port)), expecting: expected) { secured in
                let client = AuthorizationClient(connector: secured.connector, logger: self.logger)
                group.addTask { await client.run() }
                try await body(secured, client, service)
            }
            group.cancelAll()
        }
    }

    private func ask(
        _ client: AuthorizationClient,
        _ path: String,
        _ wire: AuthorizationProvider.Wire,
        _ endpoint: ServiceEndpoint
    ) async throws -> AuthorizationAnswer {
        var provider = AuthorizationProvider(name: "p", wire: wire, service: "s", port: try #require(Port(80)))
        // A machine under load shall not make a test fail.
        provider.timeout = .seconds(20)
        let policy = ExternalPolicy(provider: provider, cluster: endpoint.cluster, clusterName: "c", name: "n/p")
        var request = AuthorizationQuestion.Request()
        request.method = "GET"
        request.path = path
        request.host = "web.test"
        let question = AuthorizationQuestion(
            request: request,
            source: nil,
            destination: NetworkAddress(ip: .v4(0x0a00_0002), port: 80),
            endpoints: [endpoint]
        )
        return await withCheckedContinuation { continuation in
            client.authorize(question, policy: policy) { continuation.resume(returning: $0) }
        }
    }

    @Test("A service over gRPC is asked with the mesh's identities, time and again on one connection")
    func grpc() async throws {
        try await self.askOverGRPC { secured, client, service in
            for _ in 0..<3 {
                guard case .allowed = try await self.ask(client, "/allow", .grpc, secured.endpoint) else {
                    Issue.record("not allowed")
                    return
                }
            }
            #expect(service.first?.attributes.request.http.host == "web.test")
        }
    }

    @Test("A service that shows somebody else's certificate is not asked; the reason says who was expected")
    func refusesImpostor() async throws {
        let expected = "spiffe://cluster.local/ns/security/sa/other"
        try await self.askOverGRPC(expecting: expected) { secured, client, service in
            guard case .failed(let reason) = try await self.ask(client, "/allow", .grpc, secured.endpoint) else {
                Issue.record("it was asked")
                return
            }
            #expect(reason.contains("expected_\(expected)"))
            #expect(reason.contains("peer_presented_URI:\(SecuredService.service)"))
            #expect(service.first == nil)
        }
    }

    @Test("A connection that was made under other settings is not used again")
    func obeysNewSettings() async throws {
        try await self.askOverGRPC { secured, client, _ in
            guard case .allowed = try await self.ask(client, "/allow", .grpc, secured.endpoint) else {
                Issue.record("not allowed")
                return
            }
            // In plain the other side, which wants TLS, does not answer.
            await secured.use(nil)
            guard case .failed = try await self.ask(client, "/allow", .grpc, secured.endpoint) else {
                Issue.record("the old connection was used")
                return
            }
        }
    }

    @Test("A key that has not come yet is named in the failure")
    func namesMissingSecret() async throws {
        try await self.askOverGRPC { secured, client, _ in
            let validation = PeerValidation(roots: .secret("kubernetes://decider"))
            await secured.use(ClientTLS(validation: validation))
            let answer = try await self.ask(client, "/allow", .grpc, secured.endpoint)
            let address = secured.endpoint.address
            #expect(answer == .failed("\(address): secret kubernetes://decider has not been received"))
        }
    }

    @Test("A service over HTTP is asked in the same way, and so are its refusals heard")
    func http() async throws {
        let server = try await HTTPService.start()
        let port = try #require(server.localAddress?.port.flatMap { UInt16(exactly: $0) })
        try await SecuredService.run(port: port) { secured in
            let client = AuthorizationClient(connector: secured.connector, logger: self.logger)
            let run = Task { await client.run() }
            for _ in 0..<3 {
                let yes = try await self.ask(client, "/allow", .http(pathPrefix: "/check"), secured.endpoint)
                #expect(yes == .allowed(requestHeaders: HeaderEdits(), responseHeaders: HeaderEdits()))
                let no = try await self.ask(client, "/json", .http(pathPrefix: "/check"), secured.endpoint)
                guard case .denied(401, let body, _) = no else {
                    Issue.record("\(no)")
                    return
                }
                #expect(body == Array("{}".utf8))
            }
            run.cancel()
            await run.value
        }
        try await server.close()
    }
}
