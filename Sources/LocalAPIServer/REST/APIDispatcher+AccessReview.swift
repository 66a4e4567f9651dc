import KubernetesAPI
import NIOHTTP1

extension APIDispatcher {
    static let accessReviewsPath = ["apis", "authorization.k8s.io", "v1", "selfsubjectaccessreviews"]

    /// Says whether who asks may do something (`SelfSubjectAccessReview`, `kubectl auth can-i`); stored nowhere.
    func accessReview(_ request: APIRequest) throws -> APIResponse {
        guard request.method == .POST else { throw APIFailure.methodNotAllowed() }
        var review = try request.document()
        let attributes = review[path: "spec", "resourceAttributes"]
        func text(_ member: String) -> String? {
            attributes?[member]?.string.flatMap { $0.isEmpty ? nil : $0 }
        }
        guard let verb = text("verb"), let resource = text("resource") else {
            throw APIFailure.badRequest(
                "a SelfSubjectAccessReview must have a verb and a resource in spec.resourceAttributes"
            )
        }
        let wanted = AccessRequest(
            verb,
            GroupResource(group: text("group") ?? "", resource: resource),
            subresource: text("subresource"),
            namespace: text("namespace"),
            name: text("name")
        )
        let isAllowed = self.authorizer.allows(request.identity, wanted)
        review.set("kind", "SelfSubjectAccessReview")
        review.set("apiVersion", "authorization.k8s.io/v1")
        review.set("status", ["allowed": .bool(isAllowed)])
        return .json(review, code: 201)
    }
}
