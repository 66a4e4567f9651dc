import KubernetesAPI
import PolicyEngine
import Testing

@Suite struct PolicyReviewTests {
    private func review(
        _ object: KubernetesObject,
        among others: [KubernetesObject] = []
    ) -> (no: [String], but: [String]) {
        let review = PolicyReview(object, among: others)
        return (review.objections.map(\.description), review.warnings.map(\.description))
    }

    private let handler = policyObject("handler", "deny", ["compiledAdapter": "denier"])
    private let instance = policyObject("instance", "nothing", ["compiledTemplate": "checknothing"])
    private func rule(_ match: String) -> KubernetesObject {
        policyObject(
            "rule",
            "r",
            ["match": .string(match), "actions": [["handler": "deny", "instances": ["nothing"]]]]
        )
    }

    @Test("A rule with a wrong expression is refused, with object, field and column")
    func expressions() {
        let syntax = self.review(self.rule("request.size >"), among: [self.handler, self.instance])
        #expect(
            syntax.no.count == 1 && syntax.no[0].hasPrefix("rule istio-system/r: spec.match: syntax error: column ")
        )
        let type = self.review(self.rule(#"request.size == "x""#), among: [self.handler, self.instance])
        #expect(type.no.first?.contains("spec.match: type error: column 17") == true, "\(type)")
        #expect(type.but.isEmpty)
    }

    @Test("A rule may come before what it names, and hears of it")
    func order() {
        let before = self.review(self.rule("true"))
        #expect(before.no.isEmpty)
        #expect(before.but == ["rule istio-system/r: spec.actions[0].handler: there is no handler deny"])
        let half = self.review(self.rule("true"), among: [self.handler])
        #expect(half.no.isEmpty)
        #expect(half.but == ["rule istio-system/r: spec.actions[0].instances[0]: there is no instance nothing"])
        let after = self.review(self.rule("true"), among: [self.handler, self.instance])
        #expect(after.no.isEmpty && after.but.isEmpty)
    }

    @Test("An attribute that looks like a slip is refused; one that may be somebody's own is told")
    func attributes() {
        let slip = self.review(self.rule(#"request.pathe == "/""#))
        #expect(slip.no.first?.contains("is `request.path` meant?") == true, "\(slip)")
        let own = self.rule(#"my.own.word == "/""#)
        let unknown = self.review(own, among: [self.handler, self.instance])
        #expect(unknown.no.isEmpty)
        #expect(unknown.but.count == 1 && unknown.but[0].contains("no attributemanifest defines it"))
        let manifest = policyObject(
            "attributemanifest",
            "mine",
            ["attributes": ["my.own.word": ["valueType": "STRING"]]]
        )
        let defined = self.review(own, among: [self.handler, self.instance, manifest])
        #expect(defined.no.isEmpty && defined.but.isEmpty)
    }

    @Test("Parameters of instances and handlers are checked, in the older form as well")
    func parameters() {
        let entry = policyObject(
            "instance",
            "e",
            ["compiledTemplate": "listentry", "params": ["valeu": "request.path"]]
        )
        #expect(self.review(entry).no == ["instance istio-system/e: spec.params.valeu: there are value"])
        let old = policyObject("listentry", "e", ["value": "request.size"])
        #expect(self.review(old).no.first?.hasPrefix("listentry istio-system/e: spec.value: type error") == true)
        let denier = policyObject("handler", "d", ["compiledAdapter": "denier", "params": ["validDuration": "soon"]])
        #expect(self.review(denier).no.first?.hasPrefix("handler istio-system/d: spec.params.validDuration") == true)
        let nobody = policyObject("handler", "d", ["compiledAdapter": "deniel"])
        #expect(self.review(nobody).no.count == 1)
        #expect(self.review(self.handler).no.isEmpty)
    }

    @Test("What rules expect of a handler is told, and no reason to refuse it")
    func expectations() {
        let quota = policyObject("instance", "q", ["compiledTemplate": "quota"])
        let rule = policyObject("rule", "r", ["actions": [["handler": "limit", "instances": ["q"]]]])
        let handler = policyObject("handler", "limit", ["compiledAdapter": "memquota", "params": ["quotas": []]])
        #expect(self.review(handler).no.isEmpty)
        let found = self.review(handler, among: [quota, rule])
        #expect(found.no.isEmpty)
        #expect(found.but.first?.contains("there is none for the instance q.istio-system") == true, "\(found)")
    }

    @Test("Adapters, templates and what names them come in any order; a broken descriptor is refused")
    func outside() {
        let objects = outsideObjects(address: "127.0.0.1:1")
        for object in objects { #expect(self.review(object).no.isEmpty, "\(object) alone: \(self.review(object))") }
        for object in objects {
            let found = self.review(object, among: objects)
            #expect(found.no.isEmpty && found.but.isEmpty, "\(object) with the others: \(found)")
        }
        var broken = objects[0]
        broken.json[path: "spec", "descriptor"] = "%"
        #expect(
            self.review(broken, among: objects).no == [
                "template istio-system/authorization: spec.descriptor: is no base64"
            ]
        )
    }

    @Test("Files that the engine's pod has, and nobody else, are no reason to refuse a handler")
    func files() {
        var objects = outsideObjects(address: "127.0.0.1:1")
        objects[2].json[path: "spec", "connection"] = [
            "address": "adapter.test:1",
            "authentication": ["tls": ["ca_certificates": "/nowhere/root.pem", "server_name": "adapter.test"]],
        ]
        #expect(self.review(objects[2], among: objects).no.isEmpty, "\(self.review(objects[2], among: objects))")
    }

    @Test("A review opens no file that an object names, and so waits for none", .timeLimit(.minutes(1)))
    func noFiles() throws {
        try withFIFO { path in
            var objects = outsideObjects(address: "127.0.0.1:1")
            objects[2].json[path: "spec", "connection"] = [
                "address": "adapter.test:1", "authentication": ["tls": ["ca_certificates": .string(path)]],
            ]
            #expect(self.review(objects[2], among: objects).no.isEmpty)
        }
    }

    @Test("Objects of other kinds are nobody's concern here")
    func others() {
        let spec = policyObject("QuotaSpec", "q", ["rules": "nonsense"])
        #expect(!PolicyReview.concerns(spec))
        #expect(self.review(spec).no.isEmpty)
        #expect(
            PolicyReview.contextKinds(for: self.instance).map(\.kind).sorted() == [
                "adapter", "attributemanifest", "template",
            ]
        )
        #expect(PolicyReview.contextKinds(for: self.rule("true")).map(\.kind).contains("handler"))
    }
}
