import KubernetesAPI
import PolicyEngine
import Testing

/// What rules may make of where a request goes, told without an engine.
@Suite struct RouteChangesTests {
    private func rule(
        _ name: String,
        _ match: String?,
        namespace: String = "istio-system",
        changes names: [String] = ["x-lane"]
    ) -> KubernetesObject {
        let operations = names.map { name -> JSONValue in ["name": .string(name), "values": [#""a""#]] }
        var spec: JSONValue = ["requestHeaderOperations": .array(operations)]
        if let match { spec["match"] = .string(match) }
        return policyObject("rule", name, namespace: namespace, spec)
    }

    private let head = RouteChanges.Head(
        method: "GET",
        target: "/a?b=c",
        authority: "web.test",
        headers: ["x-guest": "tester"]
    )

    /// What is said of a request that leaves a pod of `shop`, by rule.
    private func said(
        _ objects: [KubernetesObject],
        isOutbound: Bool = true,
        head: RouteChanges.Head?
    ) -> [String: Bool] {
        let request = RouteChanges.Request(namespace: "shop", isOutbound: isOutbound, head: head)
        let changes = RouteChanges(objects, rootNamespace: "istio-system").all(for: request)
        return Dictionary(uniqueKeysWithValues: changes.map { ($0.rule, $0.holds) })
    }

    @Test(
        "A rule whose condition looks at nothing but what is known holds, or is not named",
        arguments: [
            (nil, true), ("true", true), (#"request.method == "GET""#, true), (#"request.method == "PUT""#, nil),
            (#"request.path == "/a?b=c" && request.url_path == "/a""#, true),
            (#"request.host == "web.test" && context.reporter.kind == "outbound""#, true),
            (#"context.reporter.kind == "inbound""#, nil), (#"source.namespace == "shop""#, true),
            (#"(request.headers["x-guest"] | "") == "tester""#, true), (#"request.headers["x-other"] == "a""#, nil),
            (#"request.headers[":path"] == "/a?b=c""#, true),
        ] as [(String?, Bool?)]
    )
    func known(_ match: String?, _ holds: Bool?) {
        #expect(self.said([self.rule("r", match)], head: self.head)["r.istio-system"] == holds)
    }

    @Test(
        "A rule that looks at more may change the request",
        arguments: [
            #"request.auth.principal == "ann""#, #"request.headers["x-request-id"] == "1""#,
            #"request.headers["x-forwarded-for"] == "1""#, #"destination.service.name == "web""#,
            #"request.method == "PUT" || source.uid == "a""#, "response.code > 5",
            #"request.time < timestamp("2020-01-01T00:00:00Z")"#,
            // Mistakes: the engine may go on with what the rule was.
            "request.pth == 1", "request.method",
        ]
    )
    func unknown(_ match: String) {
        #expect(self.said([self.rule("r", match)], head: self.head) == ["r.istio-system": false])
    }

    @Test("What is known decides where it is enough by itself")
    func enough() {
        let rule = self.rule("r", #"request.method == "PUT" && request.auth.principal == "ann""#)
        #expect(self.said([rule], head: self.head).isEmpty)
    }

    @Test("Behind another proxy only the place is known")
    func behind() {
        let objects = [
            self.rule("path", #"request.path == "/""#), self.rule("kind", #"context.reporter.kind == "outbound""#),
            self.rule("place", #"destination.namespace == "shop""#),
        ]
        #expect(
            self.said(objects, isOutbound: false, head: nil) == [
                "path.istio-system": false, "place.istio-system": true,
            ]
        )
    }

    @Test("Rules of the root namespace and of the workload's own count, and only such as change requests")
    func places() {
        let objects = [
            self.rule("root", nil), self.rule("own", nil, namespace: "shop"),
            self.rule("other", nil, namespace: "bank"),
            policyObject("rule", "answers", ["responseHeaderOperations": [["name": "x", "values": [#""a""#]]]]),
            policyObject("rule", "snake", ["request_header_operations": [["name": ":path", "values": [#""/""#]]]]),
        ]
        let said = self.said(objects, head: self.head)
        #expect(said == ["root.istio-system": true, "own.shop": true, "snake.istio-system": true])
    }

    @Test("One line says what a rule changes, and when")
    func text() {
        let objects = [
            self.rule("a", nil, changes: [":path", "x-lane"]), self.rule("b", #"source.uid == "c""#),
        ]
        let request = RouteChanges.Request(namespace: "shop", isOutbound: true, head: self.head)
        let changes = RouteChanges(objects, rootNamespace: "istio-system").all(for: request)
        #expect(
            changes.map(\.text) == [
                "rule a.istio-system holds, and may change the route by :path, x-lane",
                #"rule b.istio-system may change the route at run time by x-lane, if source.uid == "c""#,
            ]
        )
    }
}
