import KubernetesAPI
import Logging
import PolicyEngine

/// Reviews objects of the policy engine for the webhook, beside those that are there already.
struct PolicyAdmission: Sendable {
    let client: KubernetesClient
    let logger: Logger

    struct Answer: Sendable {
        var objections: [String] = []
        var warnings: [String] = []
    }

    /// `nil`: the object is not the engine's. `namespace`: where it is about to be stored.
    func review(_ object: KubernetesObject, namespace: String) async -> Answer? {
        var object = object
        if object.namespace == nil { object.namespace = namespace }
        guard object.group == ConfigurationBuilder.group, PolicyReview.concerns(object) else { return nil }
        let others: [KubernetesObject]
        do {
            others = try await self.others(PolicyReview.contextKinds(for: object))
        } catch {
            // What cannot be reviewed is stored; the engine says what it thinks of it.
            self.logger.warning(
                "objects not read for a review",
                metadata: ["object": "\(object)", "error": "\(error)"]
            )
            return Answer(warnings: ["\(object) was not checked, because other objects cannot be read now: \(error)"])
        }
        let found = PolicyReview(object, among: others)
        return Answer(
            objections: found.objections.map(\.description),
            warnings: found.warnings.map(\.description)
        )
    }

    private func others(_ types: [ResourceType]) async throws -> [KubernetesObject] {
        try await withThrowingTaskGroup(of: [KubernetesObject].self) { group in
            for type in types { group.addTask { try await self.list(type) } }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }

    /// A cluster may lack the definition of a kind: then there are none of it.
    private func list(_ type: ResourceType) async throws -> [KubernetesObject] {
        do {
            return try await self.client.list(type).items
        } catch let error as KubernetesError where error.isNotFound {
            return []
        }
    }
}
