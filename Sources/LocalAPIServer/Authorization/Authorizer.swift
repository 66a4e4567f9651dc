import KubernetesAPI
import NIOHTTP1

/// Says who may do what, by the roles and bindings that are stored (Kubernetes: RBAC).
///
/// What no rule allows is refused. The group `system:masters` may do all: the kubeconfig that `lateen up` writes has it.
/// Who may write roles and bindings can give itself any right: that nobody may hand on more than he has is not checked.
struct Authorizer: Sendable {
    let store: ObjectStore

    private static let masters = "system:masters"

    func allows(_ identity: Identity, _ request: AccessRequest) -> Bool {
        if identity.groups.contains(Self.masters) { return true }
        if self.bindings("clusterrolebindings", nil, of: identity).contains(where: {
            self.rules(of: $0, namespace: nil).contains { $0.allows(request) }
        }) {
            return true
        }
        guard let namespace = request.namespace else { return false }
        return self.bindings("rolebindings", namespace, of: identity).contains {
            self.rules(of: $0, namespace: namespace).contains { $0.allows(request) }
        }
    }

    /// - Throws: what the client is told if it may not.
    func check(_ identity: Identity, _ request: AccessRequest) throws {
        guard !self.allows(identity, request) else { return }
        throw APIFailure.forbidden(request.resource, request.name ?? "", request.refusal(of: identity.name))
    }

    /// Whom a request is made for: who sends it, or somebody whom he may stand for (`Impersonate-User`, `kubectl --as`).
    /// - Throws: what the client is told if he may not.
    func acting(_ sender: Identity, _ headers: HTTPHeaders) throws -> Identity {
        let groups = headers["impersonate-group"]
        guard let name = headers.first(name: "impersonate-user") else {
            guard groups.isEmpty else { throw APIFailure.badRequest("groups to stand for need a user to stand for") }
            return sender
        }
        func check(_ resource: String, _ name: String, namespace: String? = nil) throws {
            let request = AccessRequest(
                "impersonate",
                GroupResource(group: "", resource: resource),
                namespace: namespace,
                name: name
            )
            try self.check(sender, request)
        }
        for group in groups { try check("groups", group) }
        let account = Identity.account(name)
        if let account {
            try check("serviceaccounts", account.name, namespace: account.namespace)
        } else {
            try check("users", name)
        }
        guard groups.isEmpty else { return Identity(name: name, groups: groups + [Identity.authenticated]) }
        return account.map { .serviceAccount($0.name, namespace: $0.namespace) }
            ?? Identity(name: name, groups: [Identity.authenticated])
    }

    private func bindings(_ resource: String, _ namespace: String?, of identity: Identity) -> [JSONValue] {
        self.store.objects(of: Self.resource(resource), namespace: namespace).map(\.json).filter { binding in
            (binding["subjects"]?.array ?? []).contains { Self.isMeant(identity, by: $0) }
        }
    }

    private func rules(of binding: JSONValue, namespace: String?) -> [AccessRule] {
        let reference = binding["roleRef"] ?? .null
        guard let name = reference["name"]?.string else { return [] }
        let key: StoreKey
        switch reference["kind"]?.string {
        case "ClusterRole":
            key = StoreKey(resource: Self.resource("clusterroles"), namespace: "", name: name)
        case "Role":
            guard let namespace else { return [] }
            key = StoreKey(resource: Self.resource("roles"), namespace: namespace, name: name)
        default: return []
        }
        return (self.store.object(key)?.json["rules"]?.array ?? []).map(AccessRule.init)
    }

    private static func isMeant(_ identity: Identity, by subject: JSONValue) -> Bool {
        guard let name = subject["name"]?.string else { return false }
        switch subject["kind"]?.string {
        case "ServiceAccount":
            guard let namespace = subject["namespace"]?.string else { return false }
            return identity.name == "system:serviceaccount:\(namespace):\(name)"
        case "User": return identity.name == name
        case "Group": return identity.groups.contains(name)
        default: return false
        }
    }

    private static func resource(_ name: String) -> GroupResource {
        GroupResource(group: "rbac.authorization.k8s.io", resource: name)
    }
}
