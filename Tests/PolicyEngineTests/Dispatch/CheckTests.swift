import KubernetesAPI
import PolicyEngine
import Testing

@Suite struct CheckTests {
    private let deny: [KubernetesObject] = [
        policyObject("denier", "deny", ["status": ["code": 7, "message": "not here"]]),
        policyObject("checknothing", "nothing", [:]),
    ]

    private func rule(_ name: String, _ match: String, namespace: String = "istio-system") -> KubernetesObject {
        policyObject(
            "rule",
            name,
            namespace: namespace,
            [
                "match": .string(match),
                "actions": [["handler": "deny.istio-system", "instances": ["nothing.istio-system"]]],
            ]
        )
    }

    @Test("A request that no rule is for passes, for a minute and ten thousand uses")
    func unchecked() async {
        let answer = await PolicyDispatcher.of([]).check(request([:]))

        #expect(answer.status.isOK)
        #expect(answer.validDuration == .seconds(60))
        #expect(answer.validUseCount == 10_000)
    }

    @Test("A denier refuses what its rule matches, with its own words and times")
    func denies() async {
        let dispatcher = PolicyDispatcher.of(self.deny + [self.rule("r", #"request.path.startsWith("/admin")"#)])
        #expect(dispatcher.configuration.diagnoses.isEmpty)

        let denied = await dispatcher.check(request(["request.path": .string("/admin/x")]))
        let passed = await dispatcher.check(request(["request.path": .string("/")]))

        #expect(denied.status == PolicyStatus(.permissionDenied, "deny.istio-system:not here"))
        #expect(denied.validDuration == .seconds(5))
        #expect(denied.validUseCount == 1000)
        #expect(passed.status.isOK)
    }

    @Test("The answer depends on what its rules looked at, and on where the request goes")
    func references() async {
        let dispatcher = PolicyDispatcher.of(self.deny + [self.rule("r", #"request.headers["x"] == "y""#)])

        let answer = await dispatcher.check(
            request(["request.headers": .stringMap(["x": "z"]), "request.path": .string("/")])
        )

        let names = answer.references.all.map { reference in
            (reference.condition == .absent ? "!" : "") + AttributeVocabulary.standard.attributes[reference.slot].name
                + (reference.key.map { "[\($0)]" } ?? "")
        }
        #expect(names == ["!context.reporter.kind", "!destination.namespace", "request.headers[x]"])
    }

    @Test("Rules of the root namespace are for all, others for requests into their own")
    func namespaces() async {
        let dispatcher = PolicyDispatcher.of(self.deny + [self.rule("r", "true", namespace: "shop")])

        let into = await dispatcher.check(request(["destination.namespace": .string("shop")]))
        let other = await dispatcher.check(request(["destination.namespace": .string("bank")]))
        let told = await dispatcher.check(
            request([
                "destination.namespace": .string("bank"), "source.namespace": .string("shop"),
                "context.reporter.kind": .string("outbound"),
            ])
        )

        #expect(!into.status.isOK)
        #expect(other.status.isOK)
        #expect(!told.status.isOK)
    }

    @Test("Of several answers the shortest time, the fewest uses and the first refusal count")
    func combines() async {
        let objects = [
            policyObject(
                "handler",
                "a",
                [
                    "compiledAdapter": "denier",
                    "params": ["status": ["code": 16, "message": "who?"], "validDuration": "9s"],
                ]
            ),
            policyObject(
                "handler",
                "b",
                [
                    "compiledAdapter": "denier",
                    "params": ["status": ["code": 7, "message": "no"], "valid_duration": "2s", "valid_use_count": 3],
                ]
            ),
            policyObject("instance", "nothing", ["compiledTemplate": "checknothing"]),
            policyObject(
                "rule",
                "r",
                ["actions": [["handler": "a", "instances": ["nothing"]], ["handler": "b", "instances": ["nothing"]]]]
            ),
        ]
        let dispatcher = PolicyDispatcher.of(objects)
        #expect(dispatcher.configuration.diagnoses.isEmpty)

        let answer = await dispatcher.check(request([:]))

        #expect(answer.status == PolicyStatus(.init(16), "a.istio-system:who?, b.istio-system:no"))
        #expect(answer.validDuration == .seconds(2))
        #expect(answer.validUseCount == 3)
    }

    @Test(
        "A rule that refuses is not got around by leaving an attribute out",
        arguments: [
            (#"source.principal != "cluster.local/ns/a/sa/b""#, true), (#"source.principal == "evil""#, false),
            (#"request.headers["token"] != "secret""#, true), ("connection.mtls == false", true),
            ("connection.mtls", true), ("request.size > 100", true), ("request.size > 100 && false", false),
            (#"request.size > 100 && destination.port == 80"#, false), (#"ip("1.2.3.4") == source.ip"#, false),
            (#"request.path.startsWith("/x") || source.principal != "a""#, true),
        ]
    )
    func missing(_ match: String, _ isRefused: Bool) async {
        let dispatcher = PolicyDispatcher.of(self.deny + [self.rule("r", match)])

        let answer = await dispatcher.check(request([:]))

        #expect(answer.status.isOK != isRefused)
        #expect(isRefused == (answer.status.code == .permissionDenied))
    }

    @Test("An instance that has no value refuses, since nothing can be checked")
    func instanceFails() async {
        let dispatcher = PolicyDispatcher.of([
            policyObject("listchecker", "list", ["overrides": ["a"], "blacklist": true]),
            policyObject("listentry", "entry", ["value": #"source.labels["app"]"#]),
            policyObject(
                "rule",
                "r",
                ["actions": [["handler": "list.listchecker", "instances": ["entry.listentry"]]]]
            ),
        ])

        let answer = await dispatcher.check(request([:]))

        #expect(answer.status.code == .permissionDenied)
        #expect(answer.status.message.contains("source.labels"))
    }

    @Test("A handler with wrong settings fails what it is asked, not with the code of a broken network")
    func brokenHandler() async {
        let dispatcher = PolicyDispatcher.of([
            policyObject("denier", "deny", ["statsu": 3]), policyObject("checknothing", "nothing", [:]),
            self.rule("r", "true"),
        ])

        let answer = await dispatcher.check(request([:]))

        #expect(dispatcher.configuration.diagnoses.map(\.field) == ["spec.statsu"])
        #expect(answer.status.code == .unavailable)
        #expect(answer.validUseCount == 0)
    }

    @Test("Header operations take their values from attributes; only the first replaces")
    func headers() async {
        let dispatcher = PolicyDispatcher.of([
            policyObject(
                "rule",
                "r",
                [
                    "requestHeaderOperations": [
                        ["name": "x-user", "values": [#"source.principal | "nobody""#, #""b""#]],
                        ["name": "x-secret", "operation": "REMOVE"],
                    ],
                    "responseHeaderOperations": [["name": "x-a", "values": [#""1""#], "operation": "APPEND"]],
                ]
            )
        ])
        #expect(dispatcher.configuration.diagnoses.isEmpty)

        let answer = await dispatcher.check(request([:]))

        #expect(
            answer.requestHeaders == [
                HeaderChange(name: "x-user", value: "nobody", kind: .replace),
                HeaderChange(name: "x-user", value: "b", kind: .append),
                HeaderChange(name: "x-secret", value: "", kind: .remove),
            ]
        )
        #expect(answer.responseHeaders == [HeaderChange(name: "x-a", value: "1", kind: .append)])
    }

    @Test(
        "A header's value that could end its line refuses the request, and no header is changed",
        arguments: ["a\r\nb", "a\0"]
    )
    func headerLines(_ value: String) async {
        let operations: JSONValue = [
            ["name": "x-first", "values": [#""1""#]], ["name": "x-next", "values": [#"request.query_params["q"]"#]],
        ]
        let dispatcher = PolicyDispatcher.of([
            policyObject("rule", "a", ["requestHeaderOperations": operations]),
            policyObject("rule", "b", ["responseHeaderOperations": operations]),
        ])
        #expect(dispatcher.configuration.diagnoses.isEmpty)

        let good = await dispatcher.check(request(["request.query_params": .stringMap(["q": "a\tb"])]))
        let bad = await dispatcher.check(request(["request.query_params": .stringMap(["q": value])]))

        #expect(good.requestHeaders.map(\.value) == ["1", "a\tb"])
        #expect(bad.status.code == .permissionDenied)
        #expect(bad.requestHeaders.isEmpty && bad.responseHeaders.isEmpty)
    }

    @Test("A rule that gets a mistake holds as it was before; one that was never right, or is gone, does not")
    func mistakeInRule() async {
        let good = PolicyDispatcher.of(self.deny + [self.rule("r", "true")])
        let broken = self.deny + [self.rule("r", "nothing.such == 1")]

        let kept = PolicyDispatcher.of(broken, after: good.configuration)
        let stillKept = PolicyDispatcher.of(broken, after: kept.configuration)
        let new = PolicyDispatcher.of(broken)
        let gone = PolicyDispatcher.of(self.deny, after: kept.configuration)

        var passed: [Bool] = []
        for dispatcher in [kept, stillKept, new, gone] {
            passed.append(await dispatcher.check(request([:])).status.isOK)
        }
        #expect(passed == [false, false, true, true])
        #expect(kept.configuration.diagnoses.map(\.field) == ["spec.match", ""])
    }

    @Test("A header that proxies would not change is refused when it is written, and when it is worked out")
    func forbiddenHeaders() async {
        func rule(_ member: String, _ name: String) -> KubernetesObject {
            policyObject("rule", "r", [member: [["name": .string(name), "values": [#""1""#]]]])
        }
        func fields(_ member: String, _ name: String) -> [String] {
            PolicyDispatcher.of([rule(member, name)]).configuration.diagnoses.map(\.field)
        }
        for name in ["content-length", "Connection", "host", ":x"] {
            for member in ["requestHeaderOperations", "responseHeaderOperations"] {
                #expect(fields(member, name) == ["spec.\(member)[0].name"], "\(name)")
            }
        }
        // Where a request goes is the request's alone.
        for name in [":path", ":authority", ":method"] {
            #expect(fields("requestHeaderOperations", name).isEmpty, "\(name)")
            #expect(fields("responseHeaderOperations", name) == ["spec.responseHeaderOperations[0].name"], "\(name)")
        }

        let dispatcher = PolicyDispatcher.of([rule("requestHeaderOperations", #"request.headers["name"]"#)])
        let bad = await dispatcher.check(request(["request.headers": .stringMap(["name": "host"])]))
        let good = await dispatcher.check(request(["request.headers": .stringMap(["name": "x-a"])]))

        #expect(dispatcher.configuration.diagnoses.isEmpty)
        #expect(bad.status.code == .permissionDenied && bad.requestHeaders.isEmpty)
        #expect(good.requestHeaders == [HeaderChange(name: "x-a", value: "1", kind: .replace)])
    }
}
