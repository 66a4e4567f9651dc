import KubernetesAPI
import PolicyEngine
import Testing

@Suite struct ConfigurationBuilderTests {
    private func diagnoses(_ objects: KubernetesObject...) -> [String] {
        PolicyDispatcher.of(objects).configuration.diagnoses.map { "\($0.object): \($0.field)" }
    }

    @Test("Mistakes are found when objects are applied, with object and field")
    func mistakes() {
        let found = self.diagnoses(
            policyObject("rule", "r1", ["match": "request.pth == 1"]),
            policyObject(
                "rule",
                "r2",
                ["match": "request.size", "actions": [["handler": "none"], ["instances": ["x"]]]]
            ),
            policyObject("rule", "r3", ["actions": [["handler": "deny", "instances": ["none", "log"]]]]),
            policyObject("denier", "deny", [:]),
            policyObject("logentry", "log", ["severity": "response.code", "colour": "1", "variables": ["a": "+"]]),
            policyObject("logentry", "good", ["severity": #""info""#]),
            policyObject("rule", "r4", ["actions": [["handler": "deny", "instances": ["good"]]]]),
            policyObject("instance", "i", ["compiledTemplate": "metrics"]),
            policyObject("handler", "h", ["compiledAdapter": "prometeus"]),
            policyObject("instance", "j", [:]),
            policyObject("rule", "r5", ["requestHeaderOperations": [["name": "a"], ["values": ["b"]]]])
        )

        #expect(
            found == [
                "instance istio-system/i: spec.compiledTemplate", "instance istio-system/j: spec.compiledTemplate",
                "logentry istio-system/log: spec.colour", "logentry istio-system/log: spec.severity",
                "logentry istio-system/log: spec.variables[a]", "handler istio-system/h: spec.compiledAdapter",
                "rule istio-system/r1: spec.match", "rule istio-system/r2: spec.match",
                "rule istio-system/r2: spec.actions[0].instances", "rule istio-system/r2: spec.actions[0].handler",
                "rule istio-system/r2: spec.actions[1].handler",
                "rule istio-system/r3: spec.actions[0].instances[0]",
                "rule istio-system/r3: spec.actions[0].instances[1]",
                "rule istio-system/r4: spec.actions[0].instances[0]",
                "rule istio-system/r5: spec.requestHeaderOperations[0].values",
                "rule istio-system/r5: spec.requestHeaderOperations[1].name",
            ]
        )
    }

    @Test("Operations may replace a request's path, authority and method, by one value, and nothing else of that kind")
    func pseudoHeaders() {
        let found = self.diagnoses(
            policyObject(
                "rule",
                "good",
                [
                    "requestHeaderOperations": [
                        ["name": ":path", "values": [#""/status/418""#]],
                        ["name": ":Authority", "operation": "REPLACE", "values": ["request.host"]],
                        ["name": ":method", "values": [#""POST""#]],
                    ]
                ]
            ),
            policyObject(
                "rule",
                "request",
                [
                    "requestHeaderOperations": [
                        ["name": ":scheme", "values": [#""https""#]],
                        ["name": ":path", "operation": "APPEND", "values": [#""/a""#]],
                        ["name": ":method", "operation": "REMOVE"],
                        ["name": ":authority", "values": [#""a""#, #""b""#]],
                        ["name": ":path", "values": ["request.size"]],
                    ]
                ]
            ),
            policyObject("rule", "response", ["responseHeaderOperations": [["name": ":path", "values": [#""/a""#]]]])
        )

        #expect(
            found == [
                "rule istio-system/request: spec.requestHeaderOperations[0].name",
                "rule istio-system/request: spec.requestHeaderOperations[1].operation",
                "rule istio-system/request: spec.requestHeaderOperations[2].operation",
                "rule istio-system/request: spec.requestHeaderOperations[3].values",
                "rule istio-system/request: spec.requestHeaderOperations[4].values[0]",
                "rule istio-system/response: spec.responseHeaderOperations[0].name",
            ]
        )
    }

    @Test(
        "A rule that would do nothing, or more than it says, is a mistake with its field",
        arguments: [
            ([:], "actions"), (["actions": []], "actions"), (["match": "true", "actions": .null], "actions"),
            (["actions": ["handler": "deny", "instances": ["nothing"]]], "actions"),
            (["actions": ["deny"]], "actions[0]"),
            (
                ["actions": [["handler": "deny", "instance": ["nothing"], "instances": ["nothing"]]]],
                "actions[0].instance"
            ),
            (["actions": [["handler": "deny"]]], "actions[0].instances"),
            (["actions": [["handler": "deny", "instances": []]]], "actions[0].instances"),
            (["actions": [["handler": "deny", "instances": "nothing"]]], "actions[0].instances"),
            (["matches": "false", "actions": [["handler": "deny", "instances": ["nothing"]]]], "matches"),
            (["requestHeaderOperations": ["name": "x"]], "requestHeaderOperations"),
            (
                ["requestHeaderOperations": [["name": "x", "operation": "REMOVE", "value": "y"]]],
                "requestHeaderOperations[0].value"
            ),
        ] as [(JSONValue, String)]
    )
    func emptyRules(_ spec: JSONValue, _ field: String) {
        let found = self.diagnoses(
            policyObject("denier", "deny", [:]),
            policyObject("checknothing", "nothing", [:]),
            policyObject("rule", "r", spec)
        )

        #expect(found == ["rule istio-system/r: spec.\(field)"])
    }

    @Test("A rule needs no actions if it changes headers, in either spelling")
    func headersOnly() {
        let operations: JSONValue = [["name": "x", "values": [#""1""#]]]

        #expect(self.diagnoses(policyObject("rule", "r", ["request_header_operations": operations])).isEmpty)
        #expect(
            self.diagnoses(policyObject("rule", "r", ["actions": [], "responseHeaderOperations": operations])).isEmpty
        )
    }

    @Test("A diagnosis says what is allowed")
    func allowed() {
        let spec: JSONValue = ["actions": [["handler": "deny", "instances": ["nothing"], "instance": "nothing"]]]
        let diagnoses = PolicyDispatcher.of([
            policyObject("denier", "deny", [:]), policyObject("checknothing", "nothing", [:]),
            policyObject("rule", "r", spec),
        ]).configuration.diagnoses

        #expect(diagnoses.map(\.message) == ["is unknown; there are handler, instances, name"])
    }

    @Test("A diagnosis names object, field, column and expression")
    func message() throws {
        let diagnosis = try #require(
            PolicyDispatcher.of([policyObject("rule", "r", ["match": "request.size == true"])]).configuration.diagnoses
                .first
        )

        #expect(
            diagnosis.description
                == "rule istio-system/r: spec.match: type error: column 17: `==` needs operands of one type, "
                + "`request.size` is INT64 and `true` is BOOL; in: request.size == true"
        )
    }

    @Test("Manifests name attributes beside those that proxies send, and cannot give these another type")
    func manifests() {
        let own = policyObject("attributemanifest", "m", ["attributes": ["a": ["valueType": "BOOL"]]])
        let wrong = policyObject("attributemanifest", "n", ["attributes": ["request.path": ["valueType": "INT64"]]])
        let operations: JSONValue = [["name": "x", "values": [#""1""#]]]

        let found = self.diagnoses(
            own,
            wrong,
            policyObject("rule", "r", ["match": "a", "requestHeaderOperations": operations]),
            policyObject("rule", "s", ["match": #"request.path == "/""#, "requestHeaderOperations": operations])
        )

        #expect(found == ["attributemanifest istio-system/n: spec.attributes[request.path].valueType"])
    }

    @Test("Objects are named with kind and namespace in all the ways that people write")
    func names() {
        let objects = [
            policyObject("handler", "h", namespace: "a", ["compiledAdapter": "denier"]),
            policyObject("instance", "i", namespace: "a", ["compiledTemplate": "checknothing"]),
        ]
        func rule(_ handler: String, _ instance: String, in namespace: String) -> KubernetesObject {
            policyObject(
                "rule",
                "r",
                namespace: namespace,
                ["actions": [["handler": .string(handler), "instances": [.string(instance)]]]]
            )
        }
        let good = [
            ("h", "i", "a"), ("h.a", "i.a", "b"), ("h.handler", "i.instance", "a"), ("h.denier", "i.checknothing", "a"),
            ("h.handler.a", "i.instance.a", "b"), ("h.denier.a", "i.checknothing.a", "b"),
        ]
        for (handler, instance, namespace) in good {
            #expect(
                PolicyDispatcher.of(objects + [rule(handler, instance, in: namespace)]).configuration.diagnoses.isEmpty
            )
        }
        for (handler, instance, namespace) in [("h", "i", "b"), ("h.b", "i", "a"), ("h.noop.a", "i", "a")] {
            #expect(
                !PolicyDispatcher.of(objects + [rule(handler, instance, in: namespace)]).configuration.diagnoses.isEmpty
            )
        }
    }

    @Test("A handler's mistakes are told with each configuration that it is in")
    func mistakesStay() {
        let objects = [policyObject("denier", "d", ["status": ["code": 99]])]
        let first = PolicyDispatcher.of(objects).configuration
        let second = PolicyDispatcher.of(objects + [policyObject("noop", "n", [:])], after: first).configuration

        #expect(first.diagnoses.map(\.field) == ["spec.status.code"])
        #expect(second.diagnoses == first.diagnoses)
    }

    @Test("A field that is there in two spellings is a mistake")
    func spellings() {
        let diagnoses = PolicyDispatcher.of([
            policyObject("tracespan", "t", ["traceId": #""a""#, "trace_id": #""b""#]),
            policyObject("quota", "q", ["dimensions": [:], "Dimensions": ["a": "1"]]),
        ]).configuration.diagnoses

        #expect(diagnoses.map(\.field) == ["spec.dimensions", "spec.trace_id"])
    }
}
