import KubernetesAPI
import MeshModel
import PolicyEngine
import Testing

@Suite struct GeneratedAttributeTests {
    private let bindings: JSONValue = [
        "source.labels": "$out.source_labels | emptyStringMap()", "source.namespace": "$out.source_namespace",
        "destination.workload.name": #"output.destination_workload_name | "unknown""#,
        "destination.container.name": "$out.destination_container_name",
    ]

    private func generator(_ bindings: JSONValue? = nil, isOld: Bool = false) -> [KubernetesObject] {
        let params: JSONValue = [
            "source_uid": #"source.uid | """#, "source_ip": #"source.ip | ip("0.0.0.0")"#,
            "destination_uid": #"destination.uid | """#, "destination_port": "destination.port | 0",
        ]
        var old = params
        old["attribute_bindings"] = bindings ?? self.bindings
        return [
            isOld
                ? policyObject("kubernetes", "attributes", old)
                : policyObject(
                    "instance",
                    "attributes",
                    [
                        "compiledTemplate": "kubernetes", "params": params,
                        "attributeBindings": bindings ?? self.bindings,
                    ]
                ), policyObject("handler", "env", ["compiledAdapter": "kubernetesenv"]),
            policyObject("rule", "generate", ["actions": [["handler": "env", "instances": ["attributes"]]]]),
        ]
    }

    private func deny(_ match: String) -> [KubernetesObject] {
        [
            policyObject("denier", "deny", ["status": ["code": 7]]), policyObject("checknothing", "nothing", [:]),
            policyObject(
                "rule",
                "r",
                ["match": .string(match), "actions": [["handler": "deny", "instances": ["nothing"]]]]
            ),
        ]
    }

    /// A dispatcher whose handlers have heard of `pods`.
    private func dispatcher(_ objects: [KubernetesObject], pods: [KubernetesObject]?) async -> PolicyDispatcher {
        let dispatcher = PolicyDispatcher.of(objects, in: TestEnvironment(pods: pods))
        for handler in dispatcher.configuration.handlers.values where pods != nil { await handler.handler.run() }
        return dispatcher
    }

    private let web = pod("web", address: "10.0.0.1") { $0.labels = ["app": "evil"] }

    @Test(
        "Rules see what was found out, whether the instance has the older or the newer form",
        arguments: [true, false]
    )
    func found(isOld: Bool) async {
        let rules = self.deny(#"source.labels["app"] == "evil" && destination.container.name == "app""#)
        let dispatcher = await self.dispatcher(self.generator(isOld: isOld) + rules, pods: [self.web])
        #expect(dispatcher.configuration.diagnoses.isEmpty)

        let evil = await dispatcher.check(
            request([
                "source.ip": .ipAddress(.v4(0x0a00_0001)), "destination.uid": .string("kubernetes://web.shop"),
                "destination.port": .int64(8080),
            ])
        )
        let other = await dispatcher.check(request(["source.ip": .ipAddress(.v4(0x0a00_0002))]))

        #expect(evil.status.code == .permissionDenied)
        #expect(other.status.isOK)
    }

    @Test("An answer depends on what was missing in the request, and on what its generators looked at")
    func references() async {
        let dispatcher = await self.dispatcher(
            self.generator() + self.deny(#"source.labels["app"] == "evil""#),
            pods: [self.web]
        )

        let answer = await dispatcher.check(request(["source.uid": .string("kubernetes://web.shop")]))

        let names = answer.references.all.map { reference in
            (reference.condition == .absent ? "!" : "") + AttributeVocabulary.standard.attributes[reference.slot].name
                + (reference.key.map { "[\($0)]" } ?? "")
        }
        #expect(answer.status.code == .permissionDenied)
        #expect(
            names == [
                "!context.reporter.kind", "!destination.namespace", "!destination.port", "!destination.uid",
                "!source.ip", "!source.labels", "source.uid",
            ]
        )
    }

    @Test("What the request says itself stays")
    func keeps() async {
        let dispatcher = await self.dispatcher(
            self.generator() + self.deny(#"source.labels["app"] == "evil""#),
            pods: [self.web]
        )

        let answer = await dispatcher.check(
            request(["source.uid": .string("kubernetes://web.shop"), "source.labels": .stringMap(["app": "good"])])
        )

        #expect(answer.status.isOK)
    }

    @Test("A generator's namespace counts for whose rules hold")
    func namespace() async {
        var objects = self.generator(["destination.namespace": "$out.destination_namespace"])
        objects += self.deny("true").map { object in
            var object = object
            object.namespace = "shop"
            return object
        }
        let dispatcher = await self.dispatcher(objects, pods: [self.web])
        #expect(dispatcher.configuration.diagnoses.isEmpty)

        let inside = await dispatcher.check(request(["destination.uid": .string("kubernetes://web.shop")]))
        let outside = await dispatcher.check(request(["destination.uid": .string("kubernetes://web.bank")]))

        #expect(!inside.status.isOK)
        #expect(outside.status.isOK)
    }

    @Test("While a generator fails, no answer is kept")
    func fails() async {
        let dispatcher = await self.dispatcher(self.generator(), pods: nil)

        let answer = await dispatcher.check(request([:]))

        #expect(answer.status.isOK)
        #expect(answer.validDuration == .zero)
        #expect(answer.validUseCount == 0)
    }

    @Test("Bindings of attributes that do not exist or have another type are mistakes")
    func mistakes() {
        let objects = self.generator([
            "nothing.such": "$out.source_namespace", "source.labels": "$out.source_namespace",
            "source.name": "$out.nothing", "source.uid": "source.uid",
        ])

        let fields = PolicyDispatcher.of(objects).configuration.diagnoses.map(\.field)

        #expect(
            fields == ["nothing.such", "source.labels", "source.name", "source.uid"].map {
                "spec.attribute_bindings[\($0)]"
            } + ["spec.actions[0].instances[0]"]
        )
    }
}
