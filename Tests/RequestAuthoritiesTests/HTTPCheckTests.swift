import Logging
import MeshModel
import NIOCore
import ProxyRuntime
import RequestAuthorities
import Testing
import TrafficEngine

/// Services that are asked over HTTP.
@Suite struct HTTPCheckTests {
    private static let loopback = IPAddress.v4(0x7f00_0001)

    /// What a service and its client make of a path; `timeout` is the provider's.
    private func ask(
        _ path: String,
        timeout: Duration = .seconds(20),
        behindNobody: Bool = false,
        _ change: (inout AuthorizationProvider) -> Void = { _ in }
    ) async throws -> AuthorizationAnswer {
        let server = try await HTTPService.start()
        let number = try #require(server.localAddress?.port.flatMap { UInt16(exactly: $0) })
        let address = NetworkAddress(ip: Self.loopback, port: number)
        var provider = AuthorizationProvider(
            name: "p",
            wire: .http(pathPrefix: "/check"),
            service: "s",
            port: try #require(Port(80))
        )
        provider.timeout = timeout
        change(&provider)
        let policy = ExternalPolicy(provider: provider, cluster: ClusterID(index: 0), clusterName: "c", name: "n/p")
        var request = AuthorizationQuestion.Request()
        request.method = "GET"
        request.path = path
        request.host = "web.test"
        let nobody = NetworkAddress(ip: Self.loopback, port: 1)
        let question = AuthorizationQuestion(
            request: request,
            source: nil,
            destination: NetworkAddress(ip: .v4(0x0a00_0002), port: 80),
            endpoints: (behindNobody ? [nobody, address] : [address]).map {
                ServiceEndpoint(address: $0, cluster: ClusterID(index: 0))
            }
        )
        let client = AuthorizationClient(
            connector: ServiceConnector(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let answer = await withTaskGroup(of: AuthorizationAnswer?.self) { group in
            group.addTask {
                await client.run()
                return nil
            }
            group.addTask {
                await withCheckedContinuation { continuation in
                    client.authorize(question, policy: policy) { continuation.resume(returning: $0) }
                }
            }
            var answer: AuthorizationAnswer?
            for await part in group {
                answer = part ?? answer
                group.cancelAll()
            }
            return answer
        }
        try await server.close()
        return try #require(answer)
    }

    private func entry(_ name: String, _ value: String) -> HeaderEdits.Entry {
        HeaderEdits.Entry(name: Array(name.utf8), value: Array(value.utf8))
    }

    @Test("Yes brings the headers that the provider wants, without the type of the service's own answer")
    func allows() async throws {
        let answer = try await self.ask("/allow") { $0.headersToUpstream = ["x-*", "content-*"] }
        let edits = HeaderEdits(set: [self.entry("x-user", "me")])
        #expect(answer == .allowed(requestHeaders: edits, responseHeaders: HeaderEdits()))
    }

    @Test("A refusal keeps the type of its body")
    func keepsType() async throws {
        let headers = HeaderEdits(set: [self.entry("content-type", "application/json")])
        #expect(try await self.ask("/json") == .denied(status: 401, body: Array("{}".utf8), headers: headers))
    }

    @Test("A refusal with a body that is too long is a refusal, and the body is cut")
    func cutsBody() async throws {
        let body = [UInt8](repeating: UInt8(ascii: "x"), count: HTTPService.bodyBytesMax)
        #expect(try await self.ask("/long") == .denied(status: 403, body: body, headers: HeaderEdits()))
    }

    @Test("A refusal whose body does not come to its end in time is a refusal")
    func survivesStall() async throws {
        let answer = try await self.ask("/stalled", timeout: .seconds(2))
        #expect(answer == .denied(status: 403, body: Array("abc".utf8), headers: HeaderEdits()))
    }

    @Test("A service in trouble has not decided")
    func fails() async throws {
        #expect(try await self.ask("/else") == .failed("the service answers 500"))
    }

    @Test("An endpoint that refuses connections is passed over for the next")
    func triesOthers() async throws {
        guard case .allowed = try await self.ask("/allow", behindNobody: true) else {
            Issue.record("the second endpoint was not asked")
            return
        }
    }
}
