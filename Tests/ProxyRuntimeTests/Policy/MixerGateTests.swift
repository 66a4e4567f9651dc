import MeshModel
import ProxyRuntime
import Testing
import TrafficEngine

/// The policy engine in front of a real proxy's route.
@Suite struct MixerGateTests {
    private static let get = "GET /a HTTP/1.1\r\nHost: x.test\r\n\r\n"

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
        try await MixerProxy.run(engine) { proxy, client, server in
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
        try await MixerProxy.run(engine) { _, client, server in
            _ = await self.pass(client, server)
            let heads = await self.pass(client, server, number: 2)
            #expect(heads.components("x-checked: yes").count >= 2)
            #expect(heads.contains("X-N: 2"))
            #expect(engine.questions.count == 1)
            #expect(engine.questions.first?.attributes["request.path"] == .text("/a"))
            let address = NetworkAddress(ip: TestProxy.loopback, port: server.port)
            #expect(engine.questions.first?.endpoints.map(\.address) == [address])
        }
    }

    @Test("An engine that cannot be asked closes or opens the way as configured", arguments: [true, false])
    func failure(_ failsOpen: Bool) async throws {
        let engine = TestEngine(.failed("gone"))
        try await MixerProxy.run(engine, failsOpen: failsOpen) { proxy, client, server in
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
        try await MixerProxy.run(TestEngine(.answered(Self.answer(code: 13))), failsOpen: true) { _, client, server in
            client.send(Self.get)
            #expect(await client.waitFor("INTERNAL:").hasPrefix("HTTP/1.1 500 "))
            #expect(server.connectionCount == 0)
        }
    }

    @Test("Without anybody who can ask, the way is closed")
    func nobodyAsks() async throws {
        try await MixerProxy.run(nil) { _, client, _ in
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
        try await MixerProxy.run(engine, quotas: [rule]) { proxy, client, _ in
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
            try await MixerProxy.run(engine, reports: true) { _, client, server in
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
            guard case .map(let headers) = values["response.headers"] else {
                #expect(code == 7)
                continue
            }
            #expect(headers == [":status": "200", "content-length": "3"])
        }
    }

    // MARK: Traces

    private func question(port: UInt16 = 0) -> MixerTraceQuestion {
        MixerTraceQuestion(
            request: OwnedRequest(
                method: "GET",
                target: "/a",
                authority: "x.test",
                headers: [("x-n", "1")],
                isSecure: false
            ),
            connection: ConnectionFacts(destination: NetworkAddress(ip: TestProxy.loopback, port: port))
        )
    }

    @Test("A trace tells what would be asked, where, and what was kept, and changes nothing of it")
    func traces() async throws {
        let rule = QuotaRule(matches: [], charges: [QuotaCharge(quota: "requests", amount: 2)])
        var answer = Self.answer(code: 7, uses: 5)
        answer.references = [CheckReference(name: "request.path", condition: .exact)]
        let engine = TestEngine(.answered(answer))
        try await MixerProxy.run(engine, quotas: [rule]) { proxy, client, server in
            let before = try await proxy.runtime.mixerTrace(self.question())
            #expect(before.loops.allSatisfy { $0.findings.isEmpty })
            #expect(before.listener == "test")
            #expect(before.attributes["request.path"] == .text("/a"))
            #expect(before.charges == [QuotaCharge(quota: "requests", amount: 2)])
            #expect(before.endpoints == [NetworkAddress(ip: TestProxy.loopback, port: server.port)])
            #expect(engine.questions.isEmpty)

            client.send(Self.get)
            _ = await client.waitFor("PERMISSION_DENIED:")
            for _ in 1...3 { _ = try await proxy.runtime.mixerTrace(self.question()) }
            let after = try await proxy.runtime.mixerTrace(self.question())
            let findings = after.loops.flatMap(\.findings)
            #expect(findings.count == 1)
            if case .holds(let verdict, _, let usesLeft) = findings.first?.outcome {
                #expect(verdict.status.code == 7 && usesLeft == 5)
            } else {
                Issue.record("no hit: \(findings)")
            }
            #expect(engine.questions.count == 1)
            #expect(await proxy.runtime.statistics().mixer?.checks == 1)
        }
    }

    @Test("A connection that nothing listens for has no trace")
    func noTrace() async throws {
        try await MixerProxy.run(TestEngine(.failed("gone"))) { proxy, _, _ in
            let question = self.question(port: 9)
            await #expect(throws: MixerTraceObstacle.noListener(question.connection.destination)) {
                _ = try await proxy.runtime.mixerTrace(question)
            }
        }
    }
}
