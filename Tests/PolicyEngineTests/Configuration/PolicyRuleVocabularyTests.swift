import KubernetesAPI
import PolicyEngine
import Testing

/// What becomes of rules when manifests come and go.
@Suite struct PolicyRuleVocabularyTests {
    private let deny: [KubernetesObject] = [
        policyObject("denier", "deny", ["status": ["code": 7]]), policyObject("checknothing", "nothing", [:]),
    ]
    /// `a.word` stands before all attributes of proxies and so moves their places.
    private let manifest = policyObject("attributemanifest", "m", ["attributes": ["a.word": ["valueType": "STRING"]]])

    private func rule(_ match: String, handler: String = "deny", instance: String = "nothing") -> KubernetesObject {
        policyObject(
            "rule",
            "r",
            [
                "match": .string(match),
                "actions": [["handler": .string(handler), "instances": [.string(instance)]]],
            ]
        )
    }

    private func isRefused(_ values: [String: AttributeValue], by dispatcher: PolicyDispatcher) async -> Bool {
        let vocabulary = dispatcher.configuration.vocabulary
        var bag = AttributeBag(vocabulary)
        for (name, value) in values {
            if let slot = vocabulary.slot(of: name) { bag[slot] = value }
        }
        return await !dispatcher.check(bag).status.isOK
    }

    @Test("A manifest for an attribute of one's own leaves rules about requests as they are")
    func added() async {
        let rule = self.rule(#"request.path == "/admin""#)
        let before = PolicyDispatcher.of(self.deny + [rule])

        let after = PolicyDispatcher.of(self.deny + [rule, self.manifest], after: before.configuration)

        #expect(after.configuration.diagnoses.isEmpty)
        #expect(await self.isRefused(["request.path": .string("/admin")], by: after))
        #expect(await !self.isRefused(["request.path": .string("/")], by: after))
    }

    @Test("A rule that gets a mistake holds as it was before, also where a manifest came along with it")
    func moved() async {
        let before = PolicyDispatcher.of(self.deny + [self.rule(#"request.path == "/admin""#)])

        let after = PolicyDispatcher.of(
            self.deny + [self.rule("request.pth == 1"), self.manifest],
            after: before.configuration
        )

        #expect(after.configuration.diagnoses.map(\.field) == ["spec.match", ""])
        #expect(await self.isRefused(["request.path": .string("/admin")], by: after))
        #expect(await !self.isRefused(["request.path": .string("/")], by: after))
    }

    @Test("A rule about an attribute whose manifest is gone refuses, and is itself again with the manifest")
    func removed() async {
        let objects = self.deny + [self.rule(#"a.word == "no""#)]
        let before = PolicyDispatcher.of(objects + [self.manifest])

        let without = PolicyDispatcher.of(objects, after: before.configuration)
        let stillWithout = PolicyDispatcher.of(objects, after: without.configuration)
        let mistaken = PolicyDispatcher.of(
            self.deny + [self.rule("request.pth == 1"), self.manifest],
            after: stillWithout.configuration
        )

        #expect(without.configuration.diagnoses.map(\.field) == ["spec.match", ""])
        for dispatcher in [without, stillWithout] {
            let answer = await dispatcher.check(AttributeBag(dispatcher.configuration.vocabulary))
            #expect(answer.status.code == .permissionDenied)
            #expect(answer.status.message.contains("not defined any more"))
        }
        #expect(await self.isRefused(["a.word": .string("no")], by: mistaken))
        #expect(await !self.isRefused(["a.word": .string("yes")], by: mistaken))
    }

    @Test("Where only an instance names what is gone, no more is refused than what the rule is for")
    func instance() async {
        let objects = [
            policyObject("listchecker", "list", ["overrides": ["no"], "blacklist": true]),
            policyObject("listentry", "word", ["value": #"a.word | """#]),
            self.rule(#"request.path == "/admin""#, handler: "list", instance: "word"),
        ]
        let before = PolicyDispatcher.of(objects + [self.manifest])
        #expect(before.configuration.diagnoses.isEmpty)

        let without = PolicyDispatcher.of(objects, after: before.configuration)

        #expect(await self.isRefused(["request.path": .string("/admin")], by: without))
        #expect(await !self.isRefused(["request.path": .string("/")], by: without))
    }

    @Test("Headers take their values from the same attributes when manifests move their places")
    func headers() async {
        let operations: JSONValue = [["name": "x-path", "values": ["request.path"]]]
        let before = PolicyDispatcher.of([policyObject("rule", "r", ["requestHeaderOperations": operations])])

        let after = PolicyDispatcher.of(
            [policyObject("rule", "r", ["match": "+", "requestHeaderOperations": operations]), self.manifest],
            after: before.configuration
        )
        var bag = AttributeBag(after.configuration.vocabulary)
        if let slot = after.configuration.vocabulary.slot(of: "request.path") { bag[slot] = .string("/x") }

        #expect(await after.check(bag).requestHeaders == [HeaderChange(name: "x-path", value: "/x", kind: .replace)])
    }
}
