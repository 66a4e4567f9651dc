import Foundation
import KubernetesAPI
import Logging
import Testing

@Suite struct AuthorizerTests {
    @Test("A token without a role may nothing but ask who it is; one with a role may what that says, and no more")
    func reader() async throws {
        try await Self.run { admin, reader in
            let before = await Self.refusal { try await reader.list(.services) }
            #expect(
                before?.message
                    == "services is forbidden: User \"system:serviceaccount:default:reader\" cannot list resource "
                    + "\"services\" in API group \"\" at the cluster scope"
            )

            try await Self.allow(admin, ["apiGroups": [""], "resources": ["services"], "verbs": ["get", "list"]])

            #expect(try await !reader.list(.services).items.isEmpty)
            let secrets = await Self.refusal { try await reader.list(.secrets, namespace: "kube-system") }
            #expect(secrets?.code == 403 && secrets?.reason == "Forbidden")
            #expect(secrets?.message.hasSuffix("in the namespace \"kube-system\"") == true)
            let secret = await Self.refusal { try await reader.get(.secrets, namespace: "default", name: "x") }
            #expect(secret?.message.hasPrefix("secrets \"x\" is forbidden: User") == true)
            let deletion = await Self.refusal {
                try await reader.delete(.services, namespace: "default", name: "kubernetes")
            }
            #expect(deletion?.code == 403)
        }
    }

    @Test("A binding in a namespace holds there alone, also for a role of the whole cluster")
    func namespaced() async throws {
        try await Self.run { admin, reader in
            try await Self.allow(
                admin,
                ["apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]],
                namespace: "kube-public"
            )

            _ = try await reader.list(.configMaps, namespace: "kube-public")
            #expect(await Self.refusal { try await reader.list(.configMaps, namespace: "default") }?.code == 403)
            #expect(await Self.refusal { try await reader.list(.configMaps) }?.code == 403)
        }
    }

    @Test("Tokens are reviewed for those alone who have the role for it")
    func tokenReview() async throws {
        try await Self.run { admin, reader in
            let path = "/apis/authentication.k8s.io/v1/tokenreviews"
            let review: JSONValue = ["kind": "TokenReview", "spec": ["token": "x"]]
            #expect(await Self.refusal { try await reader.send(.POST, path, body: review) }?.code == 403)

            try await Self.bind(admin, "system:auth-delegator", namespace: nil)

            let answer = try await reader.send(.POST, path, body: review)
            #expect(answer[path: "status", "authenticated"] == false)
        }
    }

    @Test("Applying needs the right to make what is not there")
    func apply() async throws {
        try await Self.run { admin, reader in
            try await Self.allow(admin, ["apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch"]])
            let object: JSONValue = ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "new"]]
            let refusal = await Self.refusal {
                try await reader.patch(
                    .configMaps,
                    namespace: "default",
                    name: "new",
                    .apply(object, fieldManager: "test", force: false)
                )
            }

            #expect(refusal?.message.contains("cannot create resource") == true)
        }
    }

    @Test("Everybody may ask what he may", arguments: [("list", "services", true), ("list", "secrets", false)])
    func asks(_ verb: String, _ resource: String, _ isAllowed: Bool) async throws {
        try await Self.run { admin, reader in
            try await Self.allow(admin, ["apiGroups": [""], "resources": ["services"], "verbs": ["list"]])

            let answer = try await reader.send(
                .POST,
                "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                body: ["spec": ["resourceAttributes": ["verb": .string(verb), "resource": .string(resource)]]]
            )

            #expect(answer[path: "status", "allowed"] == .bool(isAllowed))
        }
    }

    // MARK: What they need

    /// A server, a client that may do all, and one with the token of the account `default/reader`.
    private static func run(
        _ body: @escaping @Sendable (_ admin: KubernetesClient, _ reader: KubernetesClient) async throws -> Void
    ) async throws {
        try await RunningServer.run { server in
            let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            var configuration = try ClientConfiguration.kubeconfig(path: server.kubeconfig)
            let admin = try KubernetesClient(configuration: configuration, logger: logger)
            var result = Result<Void, any Error>.success(())
            do {
                _ = try await admin.create(
                    .serviceAccounts,
                    KubernetesObject(.serviceAccounts, namespace: "default", name: "reader")
                )
                let answer = try await admin.send(
                    .POST,
                    ResourceType.serviceAccounts.path(namespace: "default", name: "reader", subresource: "token"),
                    body: ["apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": [:]]
                )
                configuration.certificate = nil
                configuration.privateKey = nil
                configuration.token = .fixed(try #require(answer[path: "status", "token"]?.string))
                let reader = try KubernetesClient(configuration: configuration, logger: logger)
                do { try await body(admin, reader) } catch { result = .failure(error) }
                await reader.shutdown()
            } catch { result = .failure(error) }
            await admin.shutdown()
            try result.get()
        }
    }

    /// What the server said, if it refused.
    private static func refusal<R: Sendable>(
        _ body: @Sendable () async throws -> R
    ) async -> Status? {
        do {
            _ = try await body()
            return nil
        } catch { return (error as? KubernetesError)?.status }
    }

    private static func allow(_ admin: KubernetesClient, _ rule: JSONValue, namespace: String? = nil) async throws {
        _ = try await admin.send(
            .POST,
            "/apis/rbac.authorization.k8s.io/v1/clusterroles",
            body: [
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": ["name": "test"],
                "rules": [rule],
            ]
        )
        try await Self.bind(admin, "test", namespace: namespace)
    }

    private static func bind(_ admin: KubernetesClient, _ role: String, namespace: String?) async throws {
        let group = "rbac.authorization.k8s.io"
        let list = namespace.map { "namespaces/\($0)/rolebindings" } ?? "clusterrolebindings"
        _ = try await admin.send(
            .POST,
            "/apis/\(group)/v1/\(list)",
            body: [
                "apiVersion": .string("\(group)/v1"),
                "kind": .string(namespace == nil ? "ClusterRoleBinding" : "RoleBinding"), "metadata": ["name": "test"],
                "roleRef": ["apiGroup": .string(group), "kind": "ClusterRole", "name": .string(role)],
                "subjects": [["kind": "ServiceAccount", "namespace": "default", "name": "reader"]],
            ]
        )
    }
}
