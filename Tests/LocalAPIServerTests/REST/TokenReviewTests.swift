import Foundation
import KubernetesAPI
import Logging
import Testing

@Suite struct TokenReviewTests {
    @Test("A token is reviewed for the audiences it was made for, and names its pod")
    func audiences() async throws {
        try await Self.run { client in
            let token = try await Self.token(client, ["istio-ca", "other"], pod: try await Self.pod(client))

            let status = try await Self.review(client, token, ["istio-ca", "nobody"])

            #expect(status["authenticated"] == true)
            #expect(status["audiences"] == ["istio-ca"])
            #expect(status[path: "user", "username"] == "system:serviceaccount:default:default")
            #expect(status[path: "user", "extra", "authentication.kubernetes.io/pod-name"] == ["web"])
            #expect(status[path: "user", "uid"]?.string?.isEmpty == false)
        }
    }

    @Test("Tokens for others, and texts that are no tokens, are not authenticated")
    func refused() async throws {
        try await Self.run { client in
            let token = try await Self.token(client, ["istio-ca"])

            for (text, audiences) in [(token, ["other"]), (token, []), (token + "x", ["istio-ca"]), ("x", [])] {
                let status = try await Self.review(client, text, audiences)
                #expect(status["authenticated"] == false)
                #expect(status["error"]?.string?.isEmpty == false)
                #expect(status["user"] == nil)
            }
        }
    }

    @Test("A token goes with its pod, also if a pod of the same name takes its place")
    func deletedPod() async throws {
        try await Self.run { client in
            let token = try await Self.token(client, ["istio-ca"], pod: try await Self.pod(client))
            try await client.delete(.pods, namespace: "default", name: "web", gracePeriod: .zero)

            let gone = try await Self.review(client, token, ["istio-ca"])
            _ = try await Self.pod(client)
            let replaced = try await Self.review(client, token, ["istio-ca"])

            #expect(gone["authenticated"] == false)
            #expect(replaced["authenticated"] == false)
        }
    }

    @Test("A review without a token is refused as a request")
    func empty() async throws {
        try await Self.run { client in
            let error = await #expect(throws: KubernetesError.self) {
                try await client.send(.POST, Self.path, body: ["kind": "TokenReview", "spec": [:]])
            }
            #expect(error?.status?.code == 400)
        }
    }

    private static let path = "/apis/authentication.k8s.io/v1/tokenreviews"

    private static func run(_ body: @escaping @Sendable (KubernetesClient) async throws -> Void) async throws {
        try await RunningServer.run { server in
            let client = try KubernetesClient(
                configuration: try .kubeconfig(path: server.kubeconfig),
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            )
            let result: Result<Void, any Error>
            do { result = .success(try await body(client)) } catch { result = .failure(error) }
            await client.shutdown()
            try result.get()
        }
    }

    private static func pod(_ client: KubernetesClient) async throws -> KubernetesObject {
        var pod = KubernetesObject(.pods, namespace: "default", name: "web")
        pod.spec = ["containers": [["name": "web", "image": "web"]]]
        return try await client.create(.pods, pod)
    }

    private static func token(
        _ client: KubernetesClient,
        _ audiences: [String],
        pod: KubernetesObject? = nil
    ) async throws -> String {
        var spec: JSONValue = ["audiences": JSONValue(audiences), "expirationSeconds": 600]
        if let pod {
            spec["boundObjectRef"] = [
                "apiVersion": "v1", "kind": "Pod", "name": .string(pod.name), "uid": .string(pod.uid),
            ]
        }
        let answer = try await client.send(
            .POST,
            ResourceType.serviceAccounts.path(namespace: "default", name: "default", subresource: "token"),
            body: ["apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec]
        )
        return try #require(answer[path: "status", "token"]?.string)
    }

    private static func review(
        _ client: KubernetesClient,
        _ token: String,
        _ audiences: [String]
    ) async throws -> JSONValue {
        let spec: JSONValue = ["token": .string(token), "audiences": JSONValue(audiences)]
        let review = try await client.send(
            .POST,
            Self.path,
            body: ["apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec]
        )
        return try #require(review["status"])
    }
}
