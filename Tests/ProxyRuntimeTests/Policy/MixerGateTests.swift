import MeshModel
import ProxyRuntime
import Synchronization
import Testing
import TrafficEngine

/// A policy engine that answers as the test wants, from another thread.
private final class TestEngine: RequestMixing {
    private let answer: MixerAnswer
    private let asked = Mutex<[MixerQuestion]>([])
    private let told: AsyncStream<[MixerReport]>.Continuation
    let reports: AsyncStream<[MixerReport]>

    init(_ answer: MixerAnswer) {
        self.answer = answer
        (self.reports, self.told) = AsyncStream.makeStream()
    }

    var questions: [MixerQuestion] { self.asked.withLock { $0 } }

    func check(_ question: MixerQuestion, completion: @escaping @Sendable (MixerAnswer) -> Void) {
        self.asked.withLock { $0.append(question) }
        completion(self.answer)
    }

    func report(
        _ reports: [MixerReport],
        to endpoints: [NetworkAddress],
        completion: @escaping @Sendable (Bool) -> Void
    ) {
        self.told.yield(reports)
        completion(true)
    }
}

/// The policy engine in front of a real proxy's route.
@Suite struct MixerGateTests {
    private static let get = "GET /a HTTP/1.1\r\nHost: x.test\r\n\r\n"

    private func run(
        _ engine: TestEngine?,
        failsOpen: Bool = false,
        reports: Bool = false,
        quotas: [QuotaRule] = [],
        _ body: (TestProxy, RawConnection, RawServer) async throws -> Void
    ) async throws {
        let service = try await RawServer.start()
        let forward = ForwardAction(clusters: [WeightedCluster(cluster: ClusterID(index: 0), name: "endpoint")])
        let route = Route(name: "route", match: RouteMatch(path: .prefix(Array("/".utf8))), action: .forward(forward))
        let server = MixerPolicy.Server(cluster: ClusterID(index: 0), name: "endpoint")
        let policy = MixerPolicy(
            checkServer: server,
            reportServer: reports ? server : nil,
            failsOpen: failsOpen,
            quotas: quotas
        )
        let manager = HTTPConnectionManager(
            statPrefix: "test",
            routes: .inline(
                RouteTable(name: "t", virtualHosts: [VirtualHost(name: "all", domains: ["*"], routes: [route])])
            ),
            addsForwardingHeaders: false,
            policies: [.mixer(policy)]
        )
        var options = ProxyRuntimeOptions()
        options.requestMixing = engine
        try await TestProxy.run(.http(manager), clusters: [.test(ports: service.port)], options: options) { proxy in
            try await body(proxy, try await proxy.connect(), service)
        }
        try await service.stop()
    }

    private static func answer(code: Int32, uses: Int32 = -1) -> CheckAnswer {
        var answer = CheckAnswer(CheckVerdict(MixerStatus(code: code, message: "deny.n:because")))
        answer.validDuration = .seconds(3600)
        answer.validUseCount = uses
        answer.references = []
        return answer
    }

    /// Sends a request that the endpoint answers; gives all that the endpoint has received.
    private func pass(_ client: RawConnection, _ server: RawServer, number: Int = 1) async -> String {
        client.send("GET /a HTTP/1.1\r\nHost: x.test\r\nX-N: \(number)\r\n\r\n")
        let endpoint = await server.connection(0)
        let heads = await endpoint.waitFor("X-N: \(number)\r\n")
        endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\(number)")
        await client.waitFor("ok\(number)")
        return heads
    }

    @Test("A refusal is the status of its code with the engine's words, and the next one needs no question")
    func denies() async throws {
        let engine = TestEngine(.answered(Self.answer(code: 7)))
        try await self.run(engine) { proxy, client, server in
            client.send(Self.get)
            let answer = await client.waitFor("PERMISSION_DENIED:deny.n:because")
            #expect(answer.hasPrefix("HTTP/1.1 403 Forbidden\r\n"))
            client.send(Self.get)
            _ = await client.waitForMore(than: answer.utf8.count)
            #expect(server.connectionCount == 0)
            #expect(engine.questions.count == 1)
            let counts = await proxy.runtime.statistics().mixer
            #expect(counts?.checks == 2)
            #expect(counts?.calls == 1 && counts?.denials == 1 && counts?.cachedDenials == 1)
        }
    }

    @Test("A consent lets requests pass, and headers are changed as it says, from the cache as well")
    func allows() async throws {
        let entry = HeaderEdits.Entry(name: Array("x-checked".utf8), value: Array("yes".utf8))
        var answer = Self.answer(code: 0)
        answer.verdict.requestHeaders = HeaderEdits(set: [entry])
        let engine = TestEngine(.answered(answer))
        try await self.run(engine) { _, client, server in
            _ = await self.pass(client, server)
            let heads = await self.pass(client, server, number: 2)
            #expect(heads.components("x-checked: yes").count >= 2)
            #expect(heads.contains("X-N: 2"))
            #expect(engine.questions.count == 1)
            #expect(engine.questions.first?.attributes["request.path"] == .text("/a"))
            #expect(engine.questions.first?.endpoints == [NetworkAddress(ip: TestProxy.loopback, port: server.port)])
        }
    }

    @Test("An engine that cannot be asked closes or opens the way as configured", arguments: [true, false])
    func failure(_ failsOpen: Bool) async throws {
        let engine = TestEngine(.failed("gone"))
        try await self.run(engine, failsOpen: failsOpen) { proxy, client, server in
            if failsOpen {
                #expect(await self.pass(client, server).hasPrefix("GET /a"))
            } else {
                client.send(Self.get)
                #expect(await client.waitFor("UNAVAILABLE:").hasPrefix("HTTP/1.1 503 "))
            }
            #expect(await proxy.runtime.statistics().mixer?.callFailures == 1)
        }
    }

    @Test("A handler's failure is a verdict, which an open way does not let pass")
    func handlerFailure() async throws {
        try await self.run(TestEngine(.answered(Self.answer(code: 13))), failsOpen: true) { _, client, server in
            client.send(Self.get)
            #expect(await client.waitFor("INTERNAL:").hasPrefix("HTTP/1.1 500 "))
            #expect(server.connectionCount == 0)
        }
    }

    @Test("Without anybody who can ask, the way is closed")
    func nobodyAsks() async throws {
        try await self.run(nil) { _, client, _ in
            client.send(Self.get)
            #expect(await client.waitFor("UNAVAILABLE:").hasPrefix("HTTP/1.1 503 "))
        }
    }

    @Test("A quota that is used up is 429, the next time without a question")
    func quota() async throws {
        var answer = Self.answer(code: 0)
        answer.quotas["requests"] = QuotaAnswer(amount: 0, validDuration: .seconds(60), references: [])
        let engine = TestEngine(.answered(answer))
        let rule = QuotaRule(matches: [], charges: [QuotaCharge(quota: "requests", amount: 1)])
        try await self.run(engine, quotas: [rule]) { proxy, client, _ in
            client.send(Self.get)
            let answer = await client.waitFor("RESOURCE_EXHAUSTED:quota requests is used up")
            #expect(answer.hasPrefix("HTTP/1.1 429 "))
            #expect(engine.questions.first?.charges == [QuotaCharge(quota: "requests", amount: 1)])
            #expect(engine.questions.first?.deduplicationID != "")
            #expect(await proxy.runtime.statistics().mixer?.quotaDenials == 1)
        }
    }

    @Test("What became of a request is told, refused or not")
    func reports() async throws {
        for code in [Int32(0), 7] {
            let engine = TestEngine(.answered(Self.answer(code: code)))
            try await self.run(engine, reports: true) { _, client, server in
                if code == 0 {
                    _ = await self.pass(client, server)
                } else {
                    client.send(Self.get)
                    _ = await client.waitFor("PERMISSION_DENIED")
                }
                // The test's proxy ends here, and tells what waits.
            }
            var told = engine.reports.makeAsyncIterator()
            let report = try #require(await told.next()?.first)
            let values = report.attributes
            #expect(values["response.code"] == .number(code == 0 ? 200 : 403))
            #expect(values["check.error_code"] == (code == 0 ? nil : .number(7)))
            #expect(values["context.proxy_error_code"] == .text(code == 0 ? "-" : "UAEX"))
        }
    }
}
