package import KubernetesAPI

/// What is wrong with an object of the engine before it is stored.
///
/// Objects come in any order, so that what depends on others is never a reason to refuse one: a rule may name a handler
/// that is still to come. An attribute that nobody defines is refused if it looks like a slip of the pen, that is, if a
/// known one differs by few letters; otherwise its manifest may be still to come, too.
package struct PolicyReview: Sendable {
    /// Mistakes in the object itself; none: it may be stored.
    package private(set) var objections: [PolicyDiagnosis] = []
    /// What does not work yet.
    package private(set) var warnings: [PolicyDiagnosis] = []

    /// Whether there is something to say about objects of a kind.
    package static func concerns(_ object: KubernetesObject) -> Bool { Self.builder.concerns(object) }

    /// The kinds whose objects say more about one of this kind.
    package static func contextKinds(for object: KubernetesObject) -> [ResourceType] {
        let definitions = ["attributemanifest", "template", "adapter"]
        let own = PolicyKinds.all.filter { $0.group == ConfigurationBuilder.group }
        let builder = Self.builder
        let needsAll = object.kind == "rule" || object.kind == "handler" || builder.adapters[object.kind] != nil
        return needsAll ? own : own.filter { definitions.contains($0.kind) }
    }

    /// - Parameters:
    ///   - object: as it would be stored.
    ///   - others: the objects of ``contextKinds(for:)`` that are there now.
    package init(_ object: KubernetesObject, among others: [KubernetesObject]) {
        guard Self.concerns(object) else { return }
        let name = object.description
        let others = others.filter { $0.description != name }
        let definitions = others.filter { ["attributemanifest", "template", "adapter"].contains($0.kind) }
        // Without those that use it: what these expect of it is their concern.
        let alone = Self.builder.build(definitions + [object]).diagnoses.filter { $0.object == name }
        self.objections = alone.filter { !Self.mayBeMended($0) }
        let among = Self.builder.build(others + [object]).diagnoses.filter { $0.object == name }
        self.warnings = among.filter { !self.objections.contains($0) }
    }

    private static func mayBeMended(_ diagnosis: PolicyDiagnosis) -> Bool {
        diagnosis.cause == .others || diagnosis.message.contains(ExpressionError.undefinedAttribute)
    }

    /// Handlers are made and never run, so that nothing outside is touched.
    private static var builder: ConfigurationBuilder {
        ConfigurationBuilder(
            environment: AdapterEnvironment(
                now: { .zero },
                write: { _ in },
                fetch: { url, _ in throw PolicyStatus(.unavailable, "\(url) is not fetched for a review") }
            )
        )
    }
}
