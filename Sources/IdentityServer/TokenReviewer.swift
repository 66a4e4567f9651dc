import Crypto
package import KubernetesAPI
import Logging
package import MeshModel
import Synchronization

/// Asks the API server whose a service account token is.
package protocol TokenReviewing: Sendable {
    /// - Returns: the owner of a good token, or what is wrong with it.
    /// - Throws: if nobody could be asked.
    func review(_ token: String) async throws -> TokenReviewResult
}

package enum TokenReviewResult: Hashable, Sendable {
    case accepted(WorkloadID, pod: String?)
    case refused(String)
}

/// Reviews tokens through `authentication.k8s.io/v1`, whichever API server that is.
package final class TokenReviewer: TokenReviewing {
    private let client: KubernetesClient
    private let trustDomain: @Sendable () -> String
    private let audience: String
    private let cache = Mutex(TokenReviewCache())
    private let start = ContinuousClock.now

    /// Larger ones are no tokens; Kubernetes' own have about 1 KiB.
    private static let tokenBytesMax = 16 * 1024

    /// `trustDomain` is asked each time: it is a setting of the mesh and may change.
    package init(
        client: KubernetesClient,
        trustDomain: @escaping @Sendable () -> String,
        audience: String = TokenReviewer.istioAudience
    ) {
        self.client = client
        self.trustDomain = trustDomain
        self.audience = audience
    }

    /// The audience of the tokens that proxies are given for us.
    package static let istioAudience = "istio-ca"

    package func review(_ token: String) async throws -> TokenReviewResult {
        guard token.utf8.count <= Self.tokenBytesMax else { return .refused("it is too large to be a token") }
        let digest = Array(SHA256.hash(data: Array(token.utf8)))
        let known = self.cache.withLock { $0.verdict(digest, now: ContinuousClock.now - self.start) }
        switch known {
        case .accepted(let identity, let pod): return .accepted(identity, pod: pod)
        case .refused(let why): return .refused(why)
        case nil: ()
        }
        let answer = try await self.client.send(
            .POST,
            "/apis/authentication.k8s.io/v1/tokenreviews",
            body: [
                "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
                "spec": ["token": .string(token), "audiences": [.string(self.audience)]],
            ]
        )
        let result = Self.result(of: answer, audience: self.audience, trustDomain: self.trustDomain())
        self.cache.withLock { cache in
            let now = ContinuousClock.now - self.start
            switch result {
            case .accepted(let identity, let pod): cache.store(.accepted(identity, pod: pod), for: digest, now: now)
            case .refused(let why): cache.store(.refused(why), for: digest, now: now)
            }
        }
        return result
    }

    /// Reads the status of a review.
    package static func result(of review: JSONValue, audience: String, trustDomain: String) -> TokenReviewResult {
        let status = review["status"] ?? .null
        guard status["authenticated"]?.bool == true else {
            return .refused(status["error"]?.string ?? "the API server does not know it")
        }
        let audiences = (status["audiences"]?.array ?? []).compactMap(\.string)
        // A server that knows no audiences says none, and then any token of the cluster would do.
        guard audiences.contains(audience) else { return .refused("its audience is not \(audience)") }
        let user = status[path: "user", "username"]?.string ?? ""
        let parts = user.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == "system", parts[1] == "serviceaccount",
            let identity = WorkloadID(
                trustDomain: trustDomain,
                namespace: String(parts[2]),
                serviceAccount: String(parts[3])
            )
        else { return .refused("`\(user)` is no service account") }
        let pod = status[path: "user", "extra", "authentication.kubernetes.io/pod-name"]?.array?.first?.string
        return .accepted(identity, pod: pod)
    }
}
