import KubernetesAPI
import LocalAPIServer
import Testing

@Suite struct AccessRuleTests {
    private static let pods = GroupResource(group: "", resource: "pods")
    private static let scale = AccessRequest(
        "patch",
        GroupResource(group: "apps", resource: "deployments"),
        subresource: "scale",
        namespace: "a",
        name: "web"
    )

    @Test("Verb, group, resource and name must all be named, or a star in their place")
    func parts() {
        let rule = AccessRule(["apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]])

        #expect(rule.allows(AccessRequest("get", Self.pods, namespace: "a", name: "x")))
        #expect(!rule.allows(AccessRequest("delete", Self.pods, namespace: "a", name: "x")))
        #expect(!rule.allows(AccessRequest("get", GroupResource(group: "apps", resource: "pods"))))
        #expect(!rule.allows(AccessRequest("get", GroupResource(group: "", resource: "secrets"))))
        let all = AccessRule(["apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]])
        #expect(all.allows(AccessRequest("delete", Self.pods)) && all.allows(Self.scale))
        #expect(!AccessRule([:]).allows(AccessRequest("get", Self.pods)))
    }

    @Test("A part of an object is not the object, nor the other way round")
    func subresources() {
        let log = AccessRequest("get", Self.pods, subresource: "log", namespace: "a", name: "x")
        let whole = AccessRule(["apiGroups": [""], "resources": ["pods"], "verbs": ["get"]])
        let part = AccessRule(["apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]])

        #expect(!whole.allows(log) && part.allows(log))
        #expect(!part.allows(AccessRequest("get", Self.pods, namespace: "a", name: "x")))
        #expect(AccessRule(["apiGroups": ["apps"], "resources": ["*/scale"], "verbs": ["patch"]]).allows(Self.scale))
        #expect(!AccessRule(["apiGroups": ["apps"], "resources": ["*/status"], "verbs": ["patch"]]).allows(Self.scale))
    }

    @Test("With names a rule is about these objects alone, and never about all of them")
    func names() {
        let rule = AccessRule([
            "apiGroups": [""], "resources": ["pods"], "verbs": ["*"], "resourceNames": ["x"],
        ])

        #expect(rule.allows(AccessRequest("get", Self.pods, namespace: "a", name: "x")))
        #expect(!rule.allows(AccessRequest("get", Self.pods, namespace: "a", name: "y")))
        #expect(!rule.allows(AccessRequest("list", Self.pods, namespace: "a")))
    }
}
