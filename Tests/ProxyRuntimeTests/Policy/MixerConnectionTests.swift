import MeshModel
import ProxyRuntime
import Testing
import TrafficEngine

/// The policy engine in front of connections whose bytes nobody reads.
@Suite struct MixerConnectionTests {
    private static func answer(code: Int32 = 0) -> MixerAnswer {
        .answered(CheckAnswer(CheckVerdict(MixerStatus(code: code, message: "n.m:because"))))
    }

    private func setup(_ engine: TestEngine?) -> MixerProxy {
        var setup = MixerProxy(engine: engine)
        setup.isTCP = true
        return setup
    }

    private func asked(_ engine: TestEngine, _ proxy: TestProxy) async {
        _ = await proxy.waitForStatistics { _ in engine.questions.count == 1 }
    }

    @Test("A connection that is refused is closed, and no endpoint hears of it")
    func denies() async throws {
        let engine = TestEngine(Self.answer(code: 7))
        let endpoint = try await RawServer.start()
        try await self.setup(engine).run(ports: [endpoint.port]) { proxy in
            let client = try await proxy.connect()
            client.send("SELECT 1")
            #expect(await client.waitForEnd() == "")
            #expect(endpoint.connectionCount == 0)
            let values = try #require(engine.questions.first).attributes
            #expect(values["context.protocol"] == .text("tcp"))
            #expect(values["connection.id"] != nil && values["request.path"] == nil)
            #expect(values["source.ip"] == .bytes([127, 0, 0, 1]))
            let counts = await proxy.runtime.statistics()
            #expect(counts.connectionMixer?.denials == 1 && counts.mixer?.checks == 0)
        }
        try await endpoint.stop()
    }

    @Test("While the engine is asked nothing is connected; then the server may speak first, whenever it came")
    func waits() async throws {
        let engine = TestEngine(Self.answer(), holds: true)
        let endpoint = try await RawServer.start()
        let setup = self.setup(engine)
        try await setup.run(ports: []) { proxy in
            let client = try await proxy.connect()
            client.send("login")
            await self.asked(engine, proxy)
            #expect(endpoint.connectionCount == 0)
            await setup.apply(ports: [endpoint.port], to: proxy)
            engine.release()
            let connection = await endpoint.connection(0)
            connection.send("5.5.5-MariaDB")
            await client.waitFor("MariaDB")
            await connection.waitFor("login")
        }
        try await endpoint.stop()
    }

    @Test("An engine that cannot be asked closes or opens the way as configured", arguments: [true, false])
    func failure(_ failsOpen: Bool) async throws {
        let engine = TestEngine(.failed("gone"))
        let endpoint = try await RawServer.start()
        var setup = self.setup(engine)
        setup.failsOpen = failsOpen
        try await setup.run(ports: [endpoint.port]) { proxy in
            let client = try await proxy.connect()
            if failsOpen {
                let connection = await endpoint.connection(0)
                connection.send("hello")
                await client.waitFor("hello")
            } else {
                #expect(await client.waitForEnd() == "")
                #expect(endpoint.connectionCount == 0)
            }
            #expect(await proxy.runtime.statistics().connectionMixer?.callFailures == 1)
        }
        try await endpoint.stop()
    }

    @Test("On the way out a connection is charged what its cluster's service is, and closed where nothing is left")
    func quotas() async throws {
        var granted = CheckAnswer(CheckVerdict(MixerStatus()))
        granted.quotas["connections"] = QuotaAnswer(amount: 0)
        let engine = TestEngine(.answered(granted))
        let endpoint = try await RawServer.start()
        var setup = self.setup(engine)
        setup.side = .outbound
        setup.service = MixerService(host: "db.test", attributes: [:], isChargedByClients: true)
        setup.quotas = [QuotaRule(matches: [], charges: [QuotaCharge(quota: "connections", amount: 1)])]
        try await setup.run(ports: [endpoint.port]) { proxy in
            let client = try await proxy.connect()
            #expect(await client.waitForEnd() == "")
            #expect(engine.questions.first?.charges == [QuotaCharge(quota: "connections", amount: 1)])
            #expect(engine.questions.first?.deduplicationID.isEmpty == false)
            #expect(endpoint.connectionCount == 0)
            #expect(await proxy.runtime.statistics().connectionMixer?.quotaDenials == 1)
        }
        try await endpoint.stop()
    }

    @Test("A trace of a connection tells what would be asked and charged, and what was kept, and changes nothing of it")
    func traces() async throws {
        var answer = CheckAnswer(CheckVerdict(MixerStatus(code: 7, message: "n.m:because")))
        answer.validDuration = .seconds(60)
        answer.validUseCount = 5
        answer.references = [CheckReference(name: "source.ip", condition: .exact)]
        let engine = TestEngine(.answered(answer))
        let endpoint = try await RawServer.start()
        var setup = self.setup(engine)
        setup.side = .outbound
        setup.service = MixerService(
            host: "db.test",
            attributes: ["destination.service.host": .text("db.test")],
            isChargedByClients: true
        )
        setup.quotas = [QuotaRule(matches: [], charges: [QuotaCharge(quota: "connections", amount: 1)])]
        try await setup.run(ports: [endpoint.port]) { proxy in
            let question = MixerTraceQuestion(
                request: OwnedRequest(method: "GET", target: "/a", authority: "x", headers: [], isSecure: false),
                connection: ConnectionFacts(
                    destination: NetworkAddress(ip: TestProxy.loopback, port: 0),
                    source: TestProxy.loopback
                )
            )
            let before = try await proxy.runtime.mixerTrace(question)
            #expect(before.isConnection && before.listener == "test")
            #expect(before.attributes["context.protocol"] == .text("tcp") && before.attributes["request.path"] == nil)
            #expect(before.attributes["destination.service.host"] == .text("db.test"))
            #expect(before.charges == [QuotaCharge(quota: "connections", amount: 1)])
            #expect(before.loops.allSatisfy { $0.findings.isEmpty })
            #expect(engine.questions.isEmpty)
            let client = try await proxy.connect()
            #expect(await client.waitForEnd() == "")
            for _ in 1...3 { _ = try await proxy.runtime.mixerTrace(question) }
            let findings = try await proxy.runtime.mixerTrace(question).loops.flatMap(\.findings)
            if case .holds(let verdict, _, let usesLeft) = findings.first?.outcome {
                #expect(verdict.status.code == 7 && usesLeft == 5)
            } else {
                Issue.record("no hit: \(findings)")
            }
            #expect(engine.questions.count == 1)
            #expect(await proxy.runtime.statistics().connectionMixer?.checks == 1)
        }
        try await endpoint.stop()
    }

    @Test("Reports tell what a policy that is only tried out would have done")
    func dryRun() async throws {
        let engine = TestEngine(Self.answer())
        let endpoint = try await RawServer.start()
        var setup = self.setup(engine)
        setup.reports = true
        let entry = RulePolicy.Entry(name: "d", permissions: [.any], principals: [.any])
        setup.connectionPolicies = [.rules(RulePolicy(action: .deny, entries: [entry], isShadow: true))]
        try await setup.run(ports: [endpoint.port]) { proxy in
            let client = try await proxy.connect()
            client.send("hello")
            await (await endpoint.connection(0)).waitFor("hello")
        }
        var told = engine.reports.makeAsyncIterator()
        let values = try #require(await told.next()?.first).attributes
        #expect(values["rbac.permissive.response_code"] == .text("denied"))
        #expect(values["rbac.permissive.effective_policy_id"] == .text("d"))
        try await endpoint.stop()
    }

    @Test("A client that leaves while the engine is asked is not connected")
    func leaves() async throws {
        let engine = TestEngine(Self.answer(), holds: true)
        let endpoint = try await RawServer.start()
        try await self.setup(engine).run(ports: [endpoint.port]) { proxy in
            let client = try await proxy.connect()
            await self.asked(engine, proxy)
            try await client.reset()
            _ = await proxy.waitForStatistics { $0.tcp["test"]?.connectionsActive == 0 }
            engine.release()
            _ = await proxy.waitForStatistics { $0.connectionMixer?.accepts == 1 }
            #expect(endpoint.connectionCount == 0)
        }
        try await endpoint.stop()
    }

    @Test("A connection is told when it opens, while it goes on, and when it closes, each time by what came since")
    func reports() async throws {
        let engine = TestEngine(Self.answer())
        let endpoint = try await RawServer.start()
        var setup = self.setup(engine)
        setup.side = .outbound
        setup.service = MixerService(host: "db.test", attributes: ["destination.service.host": .text("db.test")])
        setup.reports = true
        setup.reportInterval = .milliseconds(20)
        try await setup.run(ports: [endpoint.port]) { proxy in
            let client = try await proxy.connect()
            client.send("12345")
            let connection = await endpoint.connection(0)
            await connection.waitFor("12345")
            connection.send("123")
            await client.waitFor("123")
            _ = await proxy.waitForStatistics { $0.connectionMixer?.reports ?? 0 >= 3 }
            client.close()
            connection.close()
            _ = await proxy.waitForStatistics { $0.tcp["test"]?.connectionsActive == 0 }
            // The test's proxy ends here, and tells what waits.
        }
        var told = engine.reports.makeAsyncIterator()
        var events: [[String: MixerValue]] = []
        while events.last?["connection.event"] != .text("close"), let reports = await told.next() {
            events += reports.map(\.attributes)
        }
        func sum(_ name: String) -> Int64 {
            events.reduce(0) { sum, values in
                if case .number(let number) = values[name] { sum + number } else { sum }
            }
        }
        #expect(events.first?["connection.event"] == .text("open"))
        #expect(events.dropFirst().dropLast().allSatisfy { $0["connection.event"] == .text("continue") })
        #expect(sum("connection.received.bytes") == 5 && sum("connection.sent.bytes") == 3)
        let last = try #require(events.last)
        #expect(last["connection.received.bytes_total"] == .number(5))
        #expect(last["connection.sent.bytes_total"] == .number(3))
        #expect(last["connection.duration"] != nil)
        #expect(last["destination.service.host"] == .text("db.test"))
        #expect(last["destination.port"] == .number(Int64(endpoint.port)))
        #expect(Set(events.map { $0["connection.id"] }).count == 1)
        try await endpoint.stop()
    }

    @Test("A connection that was refused is told once, with why")
    func refusedReport() async throws {
        let engine = TestEngine(Self.answer(code: 7))
        let endpoint = try await RawServer.start()
        var setup = self.setup(engine)
        setup.reports = true
        try await setup.run(ports: [endpoint.port]) { proxy in
            let client = try await proxy.connect()
            #expect(await client.waitForEnd() == "")
        }
        var told = engine.reports.makeAsyncIterator()
        let reports = try #require(await told.next())
        #expect(reports.count == 1)
        let values = try #require(reports.first).attributes
        #expect(values["connection.event"] == .text("close"))
        #expect(values["check.error_code"] == .number(7))
        #expect(values["context.proxy_error_code"] == .text("UAEX"))
        try await endpoint.stop()
    }

    @Test("A connection is charged, and one without quota is refused")
    func quota() async throws {
        var answer = CheckAnswer(CheckVerdict(MixerStatus()))
        answer.quotas["connections"] = QuotaAnswer(amount: 0, validDuration: .seconds(60), references: [])
        let engine = TestEngine(.answered(answer))
        var setup = self.setup(engine)
        let path = QuotaRule.Match(clauses: [.init(attribute: "request.path", text: .present)])
        setup.quotas = [
            QuotaRule(matches: [], charges: [QuotaCharge(quota: "connections", amount: 1)]),
            QuotaRule(matches: [path], charges: [QuotaCharge(quota: "requests", amount: 1)]),
        ]
        let endpoint = try await RawServer.start()
        try await setup.run(ports: [endpoint.port]) { proxy in
            let client = try await proxy.connect()
            #expect(await client.waitForEnd() == "")
            #expect(engine.questions.first?.charges == [QuotaCharge(quota: "connections", amount: 1)])
        }
        try await endpoint.stop()
    }
}
