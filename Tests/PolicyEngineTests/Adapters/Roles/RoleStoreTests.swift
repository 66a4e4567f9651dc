import KubernetesAPI
import PolicyEngine
import Testing

@Suite struct RoleStoreTests {
    private static func object(_ kind: String, _ name: String, _ spec: JSONValue) -> KubernetesObject {
        KubernetesObject(
            json: [
                "apiVersion": "rbac.istio.io/v1alpha1", "kind": .string(kind),
                "metadata": ["name": .string(name), "namespace": "shop"], "spec": spec,
            ]
        )
    }

    private static func role(_ rule: JSONValue) -> KubernetesObject {
        Self.object("ServiceRole", "viewer", ["rules": [rule]])
    }

    private static func binding(_ subject: JSONValue, role: String = "viewer") -> KubernetesObject {
        Self.object(
            "ServiceRoleBinding",
            "b",
            ["subjects": [subject], "roleRef": ["kind": "ServiceRole", "name": .string(role)]]
        )
    }

    private func allows(
        _ rule: JSONValue,
        _ subject: JSONValue,
        _ change: (inout RoleStore.Request) -> Void = { _ in }
    ) -> Bool {
        var request = RoleStore.Request(
            user: "ann",
            group: "staff",
            subject: ["ns": "shop"],
            namespace: "shop",
            service: "web.shop.svc.cluster.local",
            method: "GET",
            path: "/books/1",
            action: ["version": "v1"]
        )
        change(&request)
        return RoleStore([Self.role(rule), Self.binding(subject)]) { _, _, _ in }.allows(request)
    }

    @Test(
        "A rule allows what all its parts name",
        arguments: [
            (["services": ["*"]], true), (["services": ["web.*"]], true), (["services": ["db.*"]], false), ([:], false),
            (["services": ["*"], "methods": ["POST", "GET"]], true), (["services": ["*"], "methods": ["POST"]], false),
            (["services": ["*"], "methods": []], false), (["services": ["*"], "paths": ["/books/*"]], true),
            (["services": ["*"], "paths": ["*/2"]], false),
            (["services": ["*"], "constraints": [["key": "version", "values": ["v1", "v2"]]]], true),
            (["services": ["*"], "constraints": [["key": "other", "values": ["*"]]]], false),
            (["services": ["*"], "not_paths": ["/x"]], false),
        ] as [(JSONValue, Bool)]
    )
    func rules(_ rule: JSONValue, _ isAllowed: Bool) { #expect(self.allows(rule, ["user": "*"]) == isAllowed) }

    @Test(
        "A binding gives a role to whom all parts of a subject name",
        arguments: [
            (["user": "ann"], true), (["user": "bob"], false), (["user": "*"], true), (["group": "staff"], true),
            (["user": "ann", "group": "guests"], false), (["properties": ["ns": "sh*"]], true),
            (["properties": ["ns": "bank"]], false), (["properties": ["other": "*"]], false), ([:], false),
            (["user": ""], false), (["user": "ann", "namespaces": ["x"]], false),
        ] as [(JSONValue, Bool)]
    )
    func subjects(_ subject: JSONValue, _ isAllowed: Bool) {
        #expect(self.allows(["services": ["*"]], subject) == isAllowed)
    }

    @Test("A role is good in its own namespace")
    func namespaces() {
        #expect(self.allows(["services": ["*"]], ["user": "*"]) { $0.namespace = "bank" } == false)
    }

    @Test("The adapter decides by the roles among the objects, and anew when they change")
    func adapter() async {
        let policy = [
            policyObject("rbac", "roles", ["cacheDuration": "7s"]),
            policyObject(
                "authorization",
                "who",
                [
                    "subject": ["user": #"source.principal | """#],
                    "action": ["namespace": #""shop""#, "service": #"destination.service.host | """#],
                ]
            ), policyObject("rule", "r", ["actions": [["handler": "roles", "instances": ["who"]]]]),
        ]
        let role = Self.role(["services": ["web"]])
        let bag = request(["source.principal": .string("ann"), "destination.service.host": .string("web")])

        let ann = PolicyDispatcher.of(policy + [role, Self.binding(["user": "ann"])])
        let bob = PolicyDispatcher.of(policy + [role, Self.binding(["user": "bob"])], after: ann.configuration)

        #expect(ann.configuration.diagnoses.isEmpty)
        let (first, second) = (await ann.check(bag), await bob.check(bag))
        #expect(first.status.isOK)
        #expect(first.validDuration == .seconds(7))
        #expect(second.status.code == .permissionDenied)
    }

    @Test("Mistakes in roles are told, and told again with each configuration")
    func mistakes() {
        let objects = [
            policyObject("rbac", "roles", [:]), Self.role(["services": ["*"], "ports": [1]]),
            Self.binding(["names": ["x"]], role: "other"),
        ]
        let first = PolicyDispatcher.of(objects)
        let second = PolicyDispatcher.of(objects, after: first.configuration)

        let fields = first.configuration.diagnoses.map(\.field)
        #expect(
            fields == [
                "spec.rules[0].ports", "spec.subjects[0].user", "spec.subjects[0].names", "spec.roleRef.name",
            ]
        )
        #expect(second.configuration.diagnoses == first.configuration.diagnoses)
    }
}
