import KubernetesAPI
import NIOHTTP1

extension APIDispatcher {
    static let tokenReviewsPath = ["apis", "authentication.k8s.io", "v1", "tokenreviews"]

    /// Says whose a token is (`TokenReview`); what is reviewed is stored nowhere.
    func tokenReview(_ request: APIRequest) async throws -> APIResponse {
        guard request.method == .POST else { throw APIFailure.methodNotAllowed() }
        let resource = GroupResource(group: "authentication.k8s.io", resource: "tokenreviews")
        try self.authorizer.check(request.identity, AccessRequest("create", resource))
        var review = try request.document()
        let spec = review["spec"] ?? .null
        guard let token = spec["token"]?.string, !token.isEmpty else {
            throw APIFailure.badRequest("a TokenReview must have a token in spec.token")
        }
        let audiences = (spec["audiences"]?.array ?? []).compactMap(\.string)
        review.set("kind", "TokenReview")
        review.set("apiVersion", "authentication.k8s.io/v1")
        review.set("status", await self.status(of: token, audiences: audiences))
        return .json(review, code: 201)
    }

    private func status(of token: String, audiences: [String]) async -> JSONValue {
        guard let checked = await self.tokens.check(token, audiences: audiences) else {
            return ["authenticated": false, "error": "invalid bearer token, or not for the audiences asked for"]
        }
        let claims = checked.claims
        guard claims.isAlive(in: self.service.store) else {
            return ["authenticated": false, "error": "its service account or pod no longer exists"]
        }
        var extra: JSONValue = [:]
        if let pod = claims.kubernetes.pod {
            extra.set("authentication.kubernetes.io/pod-name", [.string(pod.name)])
            extra.set("authentication.kubernetes.io/pod-uid", [.string(pod.uid)])
        }
        return [
            "authenticated": true,
            "user": [
                "username": .string(claims.subject), "uid": .string(claims.kubernetes.serviceaccount.uid),
                "groups": JSONValue(claims.identity.groups), "extra": extra,
            ],
            "audiences": JSONValue(checked.audiences),
        ]
    }
}
