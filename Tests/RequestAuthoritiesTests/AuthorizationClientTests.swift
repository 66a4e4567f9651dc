import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Logging
import MeshModel
import ProxyRuntime
import RequestAuthorities
import Testing
import TrafficEngine
import XDSAPI

@Suite struct AuthorizationClientTests {
    private static let loopback = IPAddress.v4(0x7f00_0001)

    /// Runs a service and a client of it.
    private func run(
        _ body: (TestService, AuthorizationClient, NetworkAddress) async throws -> Void
    ) async throws {
        let service = TestService()
        let transport = HTTP2ServerTransport.Posix(
            address: .ipv4(host: "127.0.0.1", port: 0),
            transportSecurity: .plaintext
        )
        let server = GRPCServer(transport: transport, services: [service])
        let client = AuthorizationClient(
            connector: ServiceConnector(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.serve() }
            group.addTask { await client.run() }
            let port = try #require(try await server.listeningAddress?.ipv4?.port)
            let address = NetworkAddress(ip: Self.loopback, port: try #require(UInt16(exactly: port)))
            try await body(service, client, address)
            group.cancelAll()
        }
    }

    private func policy(_ change: (inout AuthorizationProvider) -> Void = { _ in }) throws -> ExternalPolicy {
        var provider = AuthorizationProvider(name: "p", wire: .grpc, service: "s", port: try #require(Port(80)))
        // A machine under load shall not make a test fail.
        provider.timeout = .seconds(20)
        change(&provider)
        return ExternalPolicy(provider: provider, cluster: ClusterID(index: 0), clusterName: "c", name: "n/p")
    }

    private func ask(
        _ client: AuthorizationClient,
        _ path: String,
        _ policy: ExternalPolicy,
        _ endpoints: NetworkAddress...
    ) async -> AuthorizationAnswer {
        var request = AuthorizationQuestion.Request()
        request.id = "id-1"
        request.method = "POST"
        request.path = path
        request.host = "web.test"
        request.size = 5
        request.headers = [
            .init(name: "x-a", value: "1"), .init(name: "x-a", value: "2"), .init(name: "y", value: "3"),
        ]
        var question = AuthorizationQuestion(
            request: request,
            source: NetworkAddress(ip: .v4(0x0a00_0001), port: 1234),
            destination: NetworkAddress(ip: .v4(0x0a00_0002), port: 80),
            endpoints: endpoints.map { ServiceEndpoint(address: $0, cluster: ClusterID(index: 0)) }
        )
        question.sourcePrincipal = "spiffe://x/ns/a/sa/b"
        question.serverName = "web.test"
        return await withCheckedContinuation { continuation in
            client.authorize(question, policy: policy) { continuation.resume(returning: $0) }
        }
    }

    private func entry(_ name: String, _ value: String) -> HeaderEdits.Entry {
        HeaderEdits.Entry(name: Array(name.utf8), value: Array(value.utf8))
    }

    @Test("A service is told what Envoy would tell it, and changes headers")
    func allows() async throws {
        try await self.run { service, client, address in
            let answer = await self.ask(client, "/allow", try self.policy(), address)
            let request = HeaderEdits(
                remove: [Array("x-secret".utf8)],
                set: [self.entry("x-user", "me")],
                add: [self.entry("x-tag", "a")]
            )
            let response = HeaderEdits(add: [self.entry("x-seen", "1")])
            #expect(answer == .allowed(requestHeaders: request, responseHeaders: response))

            let attributes = try #require(service.first).attributes
            #expect(attributes.source.address.socketAddress.address == "10.0.0.1")
            #expect(attributes.source.principal == "spiffe://x/ns/a/sa/b")
            #expect(attributes.destination.address.socketAddress.portValue == 80)
            #expect(attributes.tlsSession.sni == "web.test")
            let http = attributes.request.http
            #expect(http.id == "id-1" && http.method == "POST" && http.host == "web.test" && http.size == 5)
            #expect(http.scheme == "http" && http.protocol == "HTTP/1.1")
            #expect(http.headers["x-a"] == "1,2")
            #expect(http.headers[":authority"] == "web.test")
        }
    }

    @Test("A refusal comes with the service's status, body and headers; without any it is 403")
    func denies() async throws {
        try await self.run { _, client, address in
            let denied = await self.ask(client, "/deny", try self.policy(), address)
            let headers = HeaderEdits(add: [self.entry("www-authenticate", "Basic")])
            #expect(denied == .denied(status: 401, body: Array("no".utf8), headers: headers))
            for path in ["/deny-plain", "/contradiction"] {
                let plain = await self.ask(client, path, try self.policy(), address)
                #expect(plain == .denied(status: 403, body: [], headers: HeaderEdits()))
            }
        }
    }

    @Test("Headers that could smuggle lines or requests make the answer none", arguments: ["/smuggle", "/host"])
    func refusesHeaders(_ path: String) async throws {
        try await self.run { _, client, address in
            guard case .failed = await self.ask(client, path, try self.policy(), address) else {
                Issue.record("the answer was believed")
                return
            }
        }
    }

    @Test("A service that is broken, silent or away is a failure")
    func fails() async throws {
        try await self.run { _, client, address in
            let silent = try self.policy { $0.timeout = .milliseconds(50) }
            let nobody = NetworkAddress(ip: Self.loopback, port: 1)
            let answers = [
                await self.ask(client, "/broken", try self.policy(), address),
                await self.ask(client, "/wait", silent, address),
                await self.ask(client, "/allow", try self.policy(), nobody),
                await self.ask(client, "/allow", try self.policy()),
            ]
            for answer in answers {
                if case .failed = answer { continue }
                Issue.record("\(answer) is no failure")
            }
        }
    }

    @Test("An endpoint that is away is passed over for the next")
    func triesOthers() async throws {
        try await self.run { _, client, address in
            let nobody = NetworkAddress(ip: Self.loopback, port: 1)
            guard case .allowed = await self.ask(client, "/allow", try self.policy(), nobody, address) else {
                Issue.record("the second endpoint was not asked")
                return
            }
        }
    }

    @Test("Only headers that the provider wants are sent")
    func headerChoice() async throws {
        try await self.run { service, client, address in
            _ = await self.ask(client, "/allow", try self.policy { $0.headersToCheck = ["x-*"] }, address)
            let headers = try #require(service.first).attributes.request.http.headers
            #expect(headers["x-a"] == "1,2")
            #expect(headers["y"] == nil)
        }
    }
}
