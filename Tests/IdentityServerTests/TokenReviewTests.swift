import IdentityServer
import KubernetesAPI
import MeshModel
import Testing

@Suite struct TokenReviewTests {
    @Test("A good token names its service account and pod")
    func good() throws {
        let identity = try #require(
            WorkloadID(trustDomain: "mesh.test", namespace: "default", serviceAccount: "sleep")
        )

        let result = self.result([
            "authenticated": true, "audiences": ["istio-ca"],
            "user": [
                "username": "system:serviceaccount:default:sleep",
                "extra": ["authentication.kubernetes.io/pod-name": ["sleep-1"]],
            ],
        ])

        #expect(result == .accepted(identity, pod: "sleep-1"))
    }

    @Test("A token for somebody else is refused, also by servers that know no audiences")
    func audiences() {
        let user: JSONValue = ["username": "system:serviceaccount:default:sleep"]
        let refused = TokenReviewResult.refused("its audience is not istio-ca")

        #expect(self.result(["authenticated": true, "audiences": ["api"], "user": user]) == refused)
        #expect(self.result(["authenticated": true, "user": user]) == refused)
    }

    @Test("People and nodes are no workloads", arguments: ["admin", "system:node:a:b", "system:serviceaccount:x", ""])
    func users(_ name: String) {
        let result = self.result([
            "authenticated": true, "audiences": ["istio-ca"], "user": ["username": .string(name)],
        ])

        #expect(result == .refused("`\(name)` is no service account"))
    }

    @Test("The server's reason is passed on")
    func reason() {
        #expect(self.result(["authenticated": false, "error": "expired"]) == .refused("expired"))
        #expect(self.result([:]) == .refused("the API server does not know it"))
    }

    @Test("Answers are remembered for a short while, refusals for a shorter one")
    func cache() throws {
        let identity = try #require(WorkloadID(trustDomain: "a", namespace: "b", serviceAccount: "c"))
        let good = TokenReviewCache.Verdict.accepted(identity, pod: nil)
        var cache = TokenReviewCache(entriesMax: 4)
        cache.store(good, for: [1], now: .zero)
        cache.store(.refused("no"), for: [2], now: .zero)

        #expect(cache.verdict([1], now: .seconds(29)) == good)
        #expect(cache.verdict([1], now: .seconds(30)) == nil)
        #expect(cache.verdict([2], now: .seconds(1)) == .refused("no"))
        #expect(cache.verdict([2], now: .seconds(2)) == nil)
        #expect(cache.verdict([3], now: .zero) == nil)
    }

    @Test("The memory for answers is bounded")
    func bounded() {
        var cache = TokenReviewCache(entriesMax: 4)
        for number in 0..<100 { cache.store(.refused("no"), for: [UInt8(number)], now: .zero) }

        #expect(cache.count <= 4)
        #expect(cache.verdict([99], now: .zero) != nil)
    }

    private func result(_ status: JSONValue) -> TokenReviewResult {
        TokenReviewer.result(of: ["status": status], audience: "istio-ca", trustDomain: "mesh.test")
    }
}
