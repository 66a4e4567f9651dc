import KubernetesAPI
import PolicyEngine
import Synchronization
import Testing

@Suite struct PolicyTraceTests {
    private func rule(_ name: String, _ match: String?, handler: String, _ instance: String) -> KubernetesObject {
        var spec: JSONValue = ["actions": [["handler": .string(handler), "instances": [.string(instance)]]]]
        spec["match"] = match.map { .string($0) }
        return policyObject("rule", name, spec)
    }

    private let objects: [KubernetesObject] = [
        policyObject("denier", "deny", ["status": ["code": 7, "message": "not here"], "validDuration": "9s"]),
        policyObject("checknothing", "nothing", [:]),
        policyObject("listchecker", "guests", ["overrides": ["ann"], "blacklist": false, "cachingInterval": "3s"]),
        policyObject("listentry", "guest", ["value": #"request.headers["x-guest"] | "nobody""#]),
        policyObject(
            "memquota",
            "limit",
            ["quotas": [["name": "requests", "maxAmount": 5, "validDuration": "10s"]]]
        ), policyObject("quota", "requests", ["dimensions": ["path": "request.path"]]),
        policyObject("stdio", "out", [:]),
        policyObject("logentry", "line", ["severity": #""info""#, "variables": ["path": "request.path"]]),
    ]

    private let call = request([
        "request.path": .string("/a"), "request.headers": .stringMap(["x-guest": "bob"]),
        "destination.namespace": .string("shop"),
    ])

    private func trace(_ rules: [KubernetesObject], _ bag: AttributeBag? = nil) async -> PolicyTrace {
        await PolicyDispatcher.of(self.objects + rules).trace(bag ?? self.call, asksOutside: false)
    }

    @Test("Each rule says whether it holds, and what its own condition looked at")
    func rules() async {
        let trace = await self.trace([
            self.rule("a", #"request.path == "/a""#, handler: "deny.denier", "nothing.checknothing"),
            self.rule("b", #"request.headers["x-user"] == "root""#, handler: "deny.denier", "nothing.checknothing"),
            self.rule("c", "request.size > 5", handler: "deny.denier", "nothing.checknothing"),
            self.rule("d", nil, handler: "guests.listchecker", "guest.listentry"),
        ])

        #expect(trace.namespace == "shop")
        #expect(trace.rules.map(\.name) == ["a", "b", "c", "d"].map { "\($0).istio-system" })
        #expect(trace.rules.map(\.outcome) == [.holds, .fails, .undecided, .holds])
        #expect(
            trace.rules.map { rule in rule.readings.map { "\($0.name)=\($0.value ?? "-")" } }
                == [[#"request.path="/a""#], [#"request.headers["x-user"]=-"#], ["request.size=-"], []]
        )
        #expect(trace.rules[2].mistake?.contains("request.size") == true)
        #expect(trace.rules.map(\.actions.count) == [1, 0, 0, 1])
    }

    @Test("Each handler that is asked says what it said, of which values, and the answer is the one of a real check")
    func answers() async throws {
        let rules = [
            self.rule("a", #"request.path == "/a""#, handler: "guests.listchecker", "guest.listentry"),
            self.rule("b", nil, handler: "deny.denier", "nothing.checknothing"),
        ]
        let trace = await self.trace(rules)
        let real = await PolicyDispatcher.of(self.objects + rules).check(self.call)

        let list = try #require(trace.rules.first?.actions.first)
        #expect(list.handler == "guests.istio-system" && list.adapter == "listchecker" && list.phase == .check)
        #expect(list.instance.name == "guest.istio-system" && list.instance.template == "listentry")
        #expect(list.instance.values == ["value": #""bob""#])
        #expect(list.answer?.status.code == 5)
        #expect(list.answer?.validSeconds == 3)
        #expect(trace.rules[1].actions.first?.answer?.status.message == "not here")
        #expect(trace.result.status.code == real.status.code.number)
        #expect(trace.result.status.message == real.status.message)
        #expect(trace.result.validSeconds == 3 && trace.result.uses == real.validUseCount)
        #expect(trace.result.references.contains { $0.name == #"request.headers["x-guest"]"# && $0.value == #""bob""# })
        #expect(trace.verdict == .refused)
    }

    @Test("Nothing is taken from quotas and nothing is reported; what is left and what would be told is said")
    func changesNothing() async throws {
        let environment = TestEnvironment()
        let dispatcher = PolicyDispatcher.of(
            self.objects + [
                self.rule("q", nil, handler: "limit.memquota", "requests.quota"),
                self.rule("r", nil, handler: "out.stdio", "line.logentry"),
            ],
            in: environment
        )
        _ = await dispatcher.quota("requests", QuotaRequest(amount: 2), self.call)

        for _ in 1...3 { _ = await dispatcher.trace(self.call, asksOutside: true) }
        let trace = await dispatcher.trace(self.call, asksOutside: true)

        let quota = try #require(trace.rules[0].actions.first)
        #expect(quota.phase == .quota && quota.answer == nil && quota.unasked != nil)
        #expect(quota.left == PolicyTrace.QuotaLeft(amount: 3, amountMax: 5))
        #expect(quota.instance.values == ["dimensions[path]": #""/a""#])
        let report = try #require(trace.rules[1].actions.first)
        #expect(report.phase == .report && report.answer == nil)
        #expect(report.instance.values["variables[path]"] == #""/a""#)
        #expect(environment.lines.isEmpty)
        #expect(await dispatcher.quota("requests", QuotaRequest(amount: 3), self.call).amount == 3)
        #expect(trace.verdict == .passes)
    }

    @Test("An instance without a value says why, and so does the answer")
    func brokenInstance() async {
        let trace = await self.trace(
            [self.rule("d", nil, handler: "guests.listchecker", "guest.listentry")],
            request(["request.headers": .stringMap([:])])
        )
        #expect(trace.rules[0].actions[0].mistake == nil)
        let missing = await self.trace([
            policyObject("listentry", "user", ["value": "source.principal"]),
            self.rule("d", nil, handler: "guests.listchecker", "user.listentry"),
        ])
        #expect(missing.rules[0].actions[0].mistake?.contains("source.principal") == true)
        #expect(missing.result.status.code == 7)
    }

    @Test("An adapter outside is asked only on request; without it the answer is open")
    func outside() async throws {
        let adapter = TestAdapter()
        try await withEngine(adapter.services, { outsideObjects(address: $0) }) { engine in
            let call = request(["request.path": .string("/a"), "source.principal": .string("ann")])
            let unasked = await engine.dispatcher.trace(call, asksOutside: false)
            #expect(adapter.state.withLock { $0.requests.isEmpty })
            let asked = await engine.dispatcher.trace(call, asksOutside: true)

            #expect(unasked.verdict == .open)
            #expect(unasked.unaskedHandlers == ["h.istio-system"])
            #expect(unasked.text().contains("without the word of h.istio-system; --ask-adapters asks"))
            let action = try #require(asked.rules.first?.actions.first)
            #expect(action.answer != nil && action.unasked == nil)
            #expect(action.instance.values[#"source.principal | "nobody""#] == #""ann""#)
            #expect(asked.verdict == .passes)
            #expect(adapter.state.withLock { $0.requests.count } == 1)
        }
    }

    @Test("People read a table of rules and one of handlers, with reasons below")
    func text() async {
        let trace = await self.trace([
            self.rule("a", #"request.path == "/b""#, handler: "deny.denier", "nothing.checknothing"),
            self.rule("d", nil, handler: "guests.listchecker", "guest.listentry"),
        ])
        let lines = trace.text().split(separator: "\n", omittingEmptySubsequences: false).map(String.init)

        #expect(lines[0] == "Rules of istio-system and of shop: 2")
        #expect(lines[1] == "  RULE            MATCH  CONDITION")
        #expect(lines[2] == #"  a.istio-system  fails  request.path == "/b""#)
        #expect(lines[3] == #"      request.path is "/a""#)
        #expect(lines[4] == "  d.istio-system  holds  (for all requests)")
        #expect(lines.contains { $0.hasPrefix("  guests.istio-system  listchecker  guest.istio-system  listentry") })
        #expect(lines.contains(#"      value = "bob""#))
        #expect(lines.contains { $0.hasPrefix("Answer: NOT_FOUND guests.istio-system:") })
        #expect(lines.contains(#"    request.headers["x-guest"] = "bob""#))
        #expect(lines.contains("    context.reporter.kind (missing)"))
    }

    @Test("A question is attributes by name, and a wish; anything else is refused")
    func questions() throws {
        func question(_ text: String) -> Result<TraceQuestion, AttributeDocument.Mistake> {
            Result { () throws(AttributeDocument.Mistake) in try TraceQuestion(text.utf8, vocabulary: .standard) }
        }
        let good = try question(#"{"attributes": {"request.path": "/", "my.own": 1}, "asksAdapters": true}"#).get()
        #expect(good.asksAdapters && good.unknown == ["my.own"])
        #expect(try !question("{}").get().asksAdapters)
        let bad = [
            "", "[]", "{", #"{"attribute": {}}"#, #"{"asksAdapters": 1}"#, #"{"attributes": {"request.size": "x"}}"#,
        ]
        for text in bad {
            #expect(throws: AttributeDocument.Mistake.self, "\(text)") { try question(text).get() }
        }
    }
}
