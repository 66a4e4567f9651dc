import MeshModel
import ProxyRuntime
import Testing
import TrafficEngine

/// A verifier that takes every token for this one, from another thread.
private struct TestVerifier: TokenVerifying {
    let token: VerifiedToken

    func verify(
        _ token: PresentedToken,
        policy: TokenPolicy,
        completion: @escaping @Sendable (TokenVerdict) -> Void
    ) -> TokenVerdict? {
        completion(.verified(self.token))
        return nil
    }
}

/// The policy engine is asked once it is known where a request goes, and before an endpoint is chosen.
@Suite struct MixerRouteTests {
    private static let get = "GET /a HTTP/1.1\r\nHost: x.test\r\n\r\n"
    private static let revision = ObjectID(namespace: "default", name: "hello-00001")

    private static func service(_ host: String = "hello.default.svc.cluster.local") -> MixerService {
        MixerService(host: host, attributes: ["destination.service.host": .text(host)], isChargedByClients: true)
    }

    private static func answer(code: Int32 = 0) -> MixerAnswer {
        .answered(CheckAnswer(CheckVerdict(MixerStatus(code: code, message: "n.m:because"))))
    }

    private func asked(_ engine: TestEngine, _ proxy: TestProxy) async {
        _ = await proxy.waitForStatistics { _ in engine.questions.count == 1 }
    }

    @Test("On the way out the engine is told which service the cluster stands for, and that is charged")
    func destination() async throws {
        let engine = TestEngine(Self.answer())
        let endpoint = try await RawServer.start()
        var setup = MixerProxy(engine: engine, reports: true, side: .outbound, service: Self.service())
        setup.quotas = [QuotaRule(matches: [], charges: [QuotaCharge(quota: "requests", amount: 1)])]
        try await setup.run(ports: [endpoint.port]) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get)
            let connection = await endpoint.connection(0)
            await connection.waitFor("GET /a")
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await client.waitFor("ok")
            let question = try #require(engine.questions.first)
            #expect(question.attributes["destination.service.host"] == .text("hello.default.svc.cluster.local"))
            #expect(question.charges == [QuotaCharge(quota: "requests", amount: 1)])
        }
        var told = engine.reports.makeAsyncIterator()
        let values = try #require(await told.next()?.first).attributes
        #expect(values["destination.service.host"] == .text("hello.default.svc.cluster.local"))
        #expect(values["destination.port"] == .number(Int64(endpoint.port)))
        #expect(values["destination.ip"] == .bytes([127, 0, 0, 1]))
        try await endpoint.stop()
    }

    @Test("A request goes to an endpoint that came while the engine was asked, with the body that came meanwhile")
    func later() async throws {
        let engine = TestEngine(Self.answer(), holds: true)
        let endpoint = try await RawServer.start()
        let setup = MixerProxy(engine: engine, side: .outbound, service: Self.service())
        try await setup.run(ports: []) { proxy in
            let client = try await proxy.connect()
            client.send("POST / HTTP/1.1\r\nHost: x.test\r\nContent-Length: 4\r\n\r\nbo")
            await self.asked(engine, proxy)
            client.send("dy")
            await setup.apply(ports: [endpoint.port], to: proxy)
            engine.release()
            let connection = await endpoint.connection(0)
            await connection.waitFor("body")
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            #expect(await client.waitFor("ok").hasPrefix("HTTP/1.1 200 "))
        }
        try await endpoint.stop()
    }

    @Test("An endpoint that comes a little later than the engine's answer is waited for")
    func latest() async throws {
        let engine = TestEngine(Self.answer(), holds: true)
        let endpoint = try await RawServer.start()
        let setup = MixerProxy(engine: engine, side: .outbound, service: Self.service())
        try await setup.run(ports: []) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get)
            await self.asked(engine, proxy)
            engine.release()
            _ = await proxy.waitForStatistics { $0.mixer?.accepts == 1 }
            await setup.apply(ports: [endpoint.port], to: proxy)
            let connection = await endpoint.connection(0)
            await connection.waitFor("GET /a")
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            #expect(await client.waitFor("ok").hasPrefix("HTTP/1.1 200 "))
        }
        try await endpoint.stop()
    }

    @Test("A client that goes while the engine is asked does not wait for a pod afterwards")
    func clientLeft() async throws {
        let engine = TestEngine(Self.answer(), holds: true)
        var setup = MixerProxy(engine: engine, side: .outbound, service: Self.service())
        setup.activation = RevisionActivation(revision: Self.revision, concurrencyMax: 0)
        try await setup.run(ports: []) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get)
            await self.asked(engine, proxy)
            client.endOutput()
            engine.release()
            _ = await client.waitForEnd()
            _ = await proxy.waitForStatistics { $0.activations["default/hello-00001"]?.waiting == 0 }
        }
    }

    @Test("Where no endpoint comes the request fails as without the engine")
    func never() async throws {
        let setup = MixerProxy(engine: TestEngine(Self.answer()), side: .outbound, service: Self.service())
        try await setup.run(ports: []) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get)
            #expect(await client.waitFor("no healthy endpoint").hasPrefix("HTTP/1.1 503 "))
            #expect(await proxy.runtime.statistics().clusters["target"]?.counts.noneHealthy == 1)
        }
    }

    @Test("The route's time goes on while the engine is asked, and ends the request", arguments: ["", "body"])
    func timeout(_ body: String) async throws {
        let engine = TestEngine(Self.answer(), holds: true)
        let endpoint = try await RawServer.start()
        let setup = MixerProxy(engine: engine, side: .outbound, timeout: .milliseconds(50))
        try await setup.run(ports: [endpoint.port]) { proxy in
            let client = try await proxy.connect()
            client.send("POST / HTTP/1.1\r\nHost: x.test\r\nContent-Length: \(body.utf8.count)\r\n\r\n")
            await self.asked(engine, proxy)
            client.send(body)
            #expect(await client.waitFor("no answer came in time").hasPrefix("HTTP/1.1 504 "))
            engine.release()
            _ = await proxy.waitForStatistics { $0.mixer?.accepts == 1 }
            #expect(endpoint.connectionCount == 0)
        }
        try await endpoint.stop()
    }

    @Test("A request is asked about before it waits for a pod, and one that is refused never does")
    func waitingRoom() async throws {
        for code in [Int32(0), 7] {
            let engine = TestEngine(Self.answer(code: code), holds: true)
            var setup = MixerProxy(engine: engine, side: .outbound, service: Self.service())
            setup.activation = RevisionActivation(revision: Self.revision, concurrencyMax: 0)
            try await setup.run(ports: []) { proxy in
                let client = try await proxy.connect()
                client.send(Self.get)
                await self.asked(engine, proxy)
                #expect(await proxy.runtime.statistics().activations["default/hello-00001"]?.held ?? 0 == 0)
                engine.release()
                if code == 0 {
                    _ = await proxy.waitForStatistics { $0.activations["default/hello-00001"]?.waiting == 1 }
                } else {
                    #expect(await client.waitFor("PERMISSION_DENIED:").hasPrefix("HTTP/1.1 403 "))
                    #expect(await proxy.runtime.statistics().activations["default/hello-00001"]?.held ?? 0 == 0)
                }
            }
        }
    }

    @Test("A client that leaves while the engine is asked is not served, and the answer is for nobody else")
    func leaves() async throws {
        let engine = TestEngine(Self.answer(), holds: true)
        let endpoint = try await RawServer.start()
        let setup = MixerProxy(engine: engine, side: .outbound)
        try await setup.run(ports: [endpoint.port]) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get)
            await self.asked(engine, proxy)
            // One that has closed its side only would still get its answer.
            try await client.reset()
            _ = await proxy.waitForStatistics { $0.http["test"]?.requestsActive == 0 }
            engine.release()
            _ = await proxy.waitForStatistics { $0.mixer?.accepts == 1 }
            #expect(endpoint.connectionCount == 0)
        }
        try await endpoint.stop()
    }

    @Test("A cluster that has gone when the engine answers is unknown, and nothing is sent")
    func gone() async throws {
        let engine = TestEngine(Self.answer(), holds: true)
        let setup = MixerProxy(engine: engine, side: .outbound, service: Self.service())
        try await setup.run(ports: []) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get)
            await self.asked(engine, proxy)
            _ = await proxy.runtime.apply(ProxyState(revision: 2))
            engine.release()
            #expect(await client.waitFor("unknown cluster").hasPrefix("HTTP/1.1 503 "))
        }
    }

    @Test(
        "The engine is told what a verified token says, and sees the request as the policies before it left it",
        arguments: [false, true]
    )
    func tokens(_ changesRequest: Bool) async throws {
        var answer = CheckAnswer(CheckVerdict(MixerStatus()))
        let change = HeaderEdits.Entry(name: Array("x-checked".utf8), value: Array("yes".utf8))
        if changesRequest { answer.verdict.requestHeaders = HeaderEdits(set: [change]) }
        let engine = TestEngine(.answered(answer))
        let endpoint = try await RawServer.start()
        var setup = MixerProxy(engine: engine, reports: true)
        var provider = TokenPolicy.Provider(name: "p", issuer: "i", keys: .inline(""))
        provider.claimHeaders = [.init(header: "x-sub", claim: "sub")]
        setup.policies = [.tokens(TokenPolicy(providers: [provider]))]
        setup.tokenVerifier = TestVerifier(
            token: VerifiedToken(
                provider: 0,
                issuer: "i",
                subject: "me",
                expires: nil,
                claims: .object(["iss": .text("i"), "sub": .text("me")]),
                payload: Array("eyJpc3MiOiJpIiwic3ViIjoibWUifQ".utf8)
            )
        )
        try await setup.run(ports: [endpoint.port]) { proxy in
            let client = try await proxy.connect()
            client.send("GET /a HTTP/1.1\r\nHost: x.test\r\nAuthorization: Bearer t\r\nX-Sub: liar\r\n\r\n")
            let connection = await endpoint.connection(0)
            let head = await connection.waitFor("\r\n\r\n")
            #expect(head.contains("x-sub: me\r\n") && head.lowercased().components("x-sub").count == 2)
            #expect(head.contains("x-checked: yes\r\n") == changesRequest)
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await client.waitFor("ok")
        }
        let values = try #require(engine.questions.first).attributes
        #expect(values["request.auth.principal"] == .text("i/me"))
        #expect(values["request.auth.raw_claims"] == .text(#"{"iss":"i","sub":"me"}"#))
        guard case .map(let headers) = values["request.headers"] else {
            Issue.record("no headers")
            return
        }
        #expect(headers["x-sub"] == "me")
        var told = engine.reports.makeAsyncIterator()
        let report = try #require(await told.next()?.first).attributes
        #expect(report["request.auth.principal"] == .text("i/me"))
        #expect(report["request.auth.raw_claims"] == .text(#"{"iss":"i","sub":"me"}"#))
        try await endpoint.stop()
    }

    // MARK: Dry runs

    private static func rules(
        _ action: RulePolicy.Action,
        _ name: String,
        _ path: String,
        isShadow: Bool = true
    ) -> HTTPPolicy {
        let condition = PolicyCondition.path(.prefix(Array(path.utf8)))
        let entry = RulePolicy.Entry(name: name, permissions: [condition], principals: [.any])
        return .rules(RulePolicy(action: action, entries: [entry], isShadow: isShadow))
    }

    /// What the engine is told of a request for `/a` behind these policies.
    private func report(_ policies: [HTTPPolicy], isServed: Bool = true) async throws -> [String: MixerValue] {
        let engine = TestEngine(Self.answer())
        let endpoint = try await RawServer.start()
        var setup = MixerProxy(engine: engine, reports: true)
        setup.policies = policies
        try await setup.run(ports: [endpoint.port]) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get)
            if isServed {
                let connection = await endpoint.connection(0)
                await connection.waitFor("GET /a")
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                await client.waitFor("ok")
            } else {
                #expect(await client.waitFor("access denied").hasPrefix("HTTP/1.1 403 "))
            }
        }
        var told = engine.reports.makeAsyncIterator()
        try await endpoint.stop()
        return try #require(await told.next()?.first).attributes
    }

    @Test("Reports tell what policies that are only tried out would have done, who refuses first")
    func dryRuns() async throws {
        let (result, policy) = ("rbac.permissive.response_code", "rbac.permissive.effective_policy_id")
        let denied = try await self.report([Self.rules(.deny, "d", "/a"), Self.rules(.allow, "a", "/a")])
        #expect(denied[result] == .text("denied") && denied[policy] == .text("d"))
        let none = try await self.report([Self.rules(.deny, "d", "/b"), Self.rules(.allow, "a", "/b")])
        #expect(none[result] == .text("denied") && none[policy] == nil)
        let allowed = try await self.report([Self.rules(.deny, "d", "/b"), Self.rules(.allow, "a", "/a")])
        #expect(allowed[result] == .text("allowed") && allowed[policy] == .text("a"))
        let audited = try await self.report([Self.rules(.log, "l", "/a", isShadow: false)])
        #expect(audited[result] == .text("allowed") && audited[policy] == .text("l"))
        let earnest = try await self.report([
            Self.rules(.log, "l", "/b", isShadow: false), Self.rules(.allow, "a", "/a", isShadow: false),
        ])
        #expect(earnest[result] == nil && earnest[policy] == nil)
    }

    @Test("What was tried out is told of a request that another policy refuses, too")
    func dryRunOfRefused() async throws {
        let policies = [Self.rules(.allow, "a", "/a"), Self.rules(.deny, "d", "/a", isShadow: false)]
        let told = try await self.report(policies, isServed: false)
        #expect(told["rbac.permissive.response_code"] == .text("allowed"))
        #expect(told["rbac.permissive.effective_policy_id"] == .text("a"))
        #expect(told["response.code"] == .number(403))
    }
}
