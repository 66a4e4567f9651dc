import KubernetesAPI
import PolicyEngine
import Testing

@Suite struct OutsideObjectTests {
    private func diagnoses(_ objects: [KubernetesObject]) -> [String] {
        PolicyDispatcher.of(objects).configuration.diagnoses.map(\.description)
    }

    private let good = outsideObjects(address: "127.0.0.1:1")

    @Test("Adapters and templates that objects define are found by the objects that name them")
    func found() {
        #expect(self.diagnoses(self.good) == [])
    }

    @Test("What is wrong with an adapter or a template is told there, and who names it hears of it")
    func broken() {
        var objects = self.good
        objects[0].json[path: "spec", "descriptor"] = "%"

        #expect(
            self.diagnoses(objects) == [
                "template istio-system/authorization: spec.descriptor: is no base64",
                "adapter istio-system/checker: spec.templates[0]: authorization has a mistake in it",
                "instance istio-system/i: spec.template: the template authorization has a mistake in it",
                "handler istio-system/h: spec.adapter: the adapter checker has a mistake in it",
                "rule istio-system/r: spec.actions[0].handler: there is no handler h",
            ]
        )
    }

    @Test("A template needs its option, a known variety and a message of instances")
    func templates() {
        func diagnosis(_ file: FileForm) -> String? {
            self.diagnoses([templateObject("t", descriptors(file))]).first
        }
        let start = "template istio-system/t: spec.descriptor: "

        #expect(diagnosis(file("p", [])) == start + "has no file with the option template_variety")
        #expect(diagnosis(file("p", [], variety: 9)) == start + "p.proto: there is no template_variety 9")
        #expect(
            diagnosis(file("p", [], variety: 0)) == start + "p.proto: there is no message InstanceMsg or Template"
        )
        #expect(diagnosis(file("p", [type("Template", [])], variety: 0)) == nil)
        #expect(diagnosis(file("p", [type("Template", [])], variety: 3))?.contains("attributes are made by") == true)
        #expect(diagnosis(file("p", [type("Template", [])], variety: 4))?.contains("CheckResult") == true)
    }

    @Test("Mistakes of a handler stand with their fields")
    func handlers() {
        func diagnoses(_ spec: JSONValue) -> [String] {
            var objects = self.good
            objects[2].json["spec"] = spec
            return self.diagnoses(objects).map { String($0.dropFirst("handler istio-system/h: ".count)) }
        }

        #expect(diagnoses(["adapter": "checker"]) == ["spec.connection: is missing: the address of the adapter"])
        #expect(
            diagnoses(["adapter": "checker", "connection": ["address": "nowhere", "timeout": "0s", "proxy": "x"]]) == [
                "spec.connection.address: nowhere is no HOST:PORT",
                "spec.connection.timeout: must be more than 0 and not more than 60s",
                "spec.connection.proxy: there is no such setting",
            ]
        )
        let connection: JSONValue = ["address": "127.0.0.1:1"]
        #expect(
            diagnoses([
                "adapter": "checker", "connection": connection,
                "params": ["endpoint": 7, "keys": ["a", 1], "wait_time": "soon", "colour": "red"],
            ]) == [
                "spec.params.colour: there are endpoint, keys, wait_time",
                "spec.params.endpoint: is no string: 7",
                "spec.params.keys[1]: is no string: 1",
                "spec.params.wait_time: is no duration: \"soon\"",
            ]
        )
        #expect(
            diagnoses([
                "adapter": "checker",
                "connection": ["address": "127.0.0.1:1", "authentication": ["mutual": ["clientCertificate": "/a"]]],
            ]) == [
                "spec.connection.authentication.mutual.private_key: is missing: a file",
                "spec.connection.authentication.mutual.server_name: is missing: 127.0.0.1:1 is not a name that a "
                    + "certificate has",
            ]
        )
        #expect(
            diagnoses([
                "adapter": "checker", "connection": ["address": "a:1", "authentication": ["tls": ["oauth": [:]]]],
            ]).count == 1
        )
        #expect(diagnoses(["adapter": "checker", "connection": ["address": "a:1", "authentication": [:]]]).count == 1)
    }

    @Test("An instance for an adapter of the engine is none for one outside, and the other way round")
    func mixed() {
        var objects = self.good
        objects[3].json["spec"] = ["compiledTemplate": "authorization", "params": [:]]
        #expect(
            self.diagnoses(objects) == [
                "rule istio-system/r: spec.actions[0].instances[0]: is of template authorization, checker takes "
                    + "authorization.istio-system"
            ]
        )
    }

    @Test("Objects of another namespace are named with it")
    func namespaces() {
        var objects = self.good
        for index in 2...4 { objects[index].namespace = "shop" }
        #expect(
            self.diagnoses(objects).map { $0.prefix(while: { $0 != ";" }) } == [
                "handler shop/h: spec.adapter: there is no adapter checker here, but checker.istio-system",
                "rule shop/r: spec.actions[0].handler: there is no handler h",
            ]
        )
        objects[2].json[path: "spec", "adapter"] = "checker.istio-system"
        objects[3].json[path: "spec", "template"] = "authorization.istio-system"
        #expect(self.diagnoses(objects) == [])
    }

    @Test("A handler goes on as it is until its adapter, its settings or the types of its instances change")
    func goesOn() {
        func configuration(_ objects: [KubernetesObject], after previous: PolicyConfiguration) -> PolicyConfiguration {
            PolicyDispatcher.of(objects, after: previous).configuration
        }
        func identity(_ configuration: PolicyConfiguration) -> String? { configuration.handlers.values.first?.identity }
        let first = configuration(self.good, after: .empty)

        #expect(identity(configuration(self.good, after: first)) == identity(first))
        for change in [
            outsideObjects(address: "127.0.0.1:2"), outsideObjects(address: "127.0.0.1:1", endpoint: "there"),
            outsideObjects(address: "127.0.0.1:1", isSessionBased: true),
            outsideObjects(address: "127.0.0.1:1", params: ["action": ["properties": ["size": "true"]]]),
        ] { #expect(identity(configuration(change, after: first)) != identity(first)) }
    }

    @Test("Mistakes of a handler are told again with every configuration")
    func toldAgain() {
        let broken = [policyObject("denier", "d", ["colour": "red"])]
        let first = PolicyDispatcher.of(broken).configuration
        let second = PolicyDispatcher.of(broken, after: first).configuration

        #expect(first.diagnoses.count == 1)
        #expect(second.diagnoses == first.diagnoses)
    }
}
