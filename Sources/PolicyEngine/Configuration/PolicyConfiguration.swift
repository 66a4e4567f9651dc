internal import Synchronization

/// Everything that requests are decided by: one immutable value, made anew when an object changes.
package struct PolicyConfiguration: Sendable {
    package struct Handler: Sendable {
        package var name: HandlerName
        /// The adapter's name and settings: who has the same goes on as it is when the configuration changes.
        package var identity: String
        /// The adapter's name.
        package var adapter = ""
        package var handler: any PolicyHandler
        /// What is wrong with its settings, or with the objects that it reads.
        var diagnoses: [PolicyDiagnosis] = []
        /// Tells it from another with the same settings, which was there before something in between.
        package var generation = UInt64.random(in: .min ... .max)
        let complaints = Complaints()
    }

    /// When people were told of a handler's failures.
    final class Complaints: Sendable {
        private let complainedAt = Mutex<ContinuousClock.Instant?>(nil)

        /// Whether a failure is worth a warning: the first one, and one in ten seconds from then on.
        func mayComplain(at now: ContinuousClock.Instant) -> Bool {
            self.complainedAt.withLock { last in
                if let last, now - last < .seconds(10) { return false }
                last = now
                return true
            }
        }
    }

    package let vocabulary: AttributeVocabulary
    package let handlers: [HandlerName: Handler]
    /// Rules by namespace, in the order of their names.
    let rules: [String: [PolicyRule]]
    /// The namespace whose rules hold for all.
    let rootNamespace: String
    package let diagnoses: [PolicyDiagnosis]
    /// Whether any rule finds out attributes.
    let hasGenerators: Bool
    /// Where lost reports are counted; `nil` without rules, which lose none.
    let metrics: MetricsRegistry?

    init(
        vocabulary: AttributeVocabulary,
        handlers: [HandlerName: Handler],
        rules: [String: [PolicyRule]],
        rootNamespace: String,
        diagnoses: [PolicyDiagnosis],
        metrics: MetricsRegistry?
    ) {
        self.vocabulary = vocabulary
        self.handlers = handlers
        self.rules = rules
        self.rootNamespace = rootNamespace
        self.diagnoses = diagnoses
        self.metrics = metrics
        self.hasGenerators = rules.values.joined().contains { $0.dispatches[.attributes] != nil }
    }

    /// Without any object: every request passes.
    package static let empty = PolicyConfiguration(
        vocabulary: .standard,
        handlers: [:],
        rules: [:],
        rootNamespace: "istio-system",
        diagnoses: [],
        metrics: nil
    )

    /// The handler of a rule. One that is missing fails what it is asked, as nobody can tell what it would have said.
    func handler(_ name: HandlerName) -> Handler {
        self.handlers[name]
            ?? Handler(name: name, identity: "", handler: BrokenHandler(reason: "there is no such handler"))
    }

    package var ruleCount: Int { self.rules.values.reduce(0) { $0 + $1.count } }

    /// The rules for requests of a namespace: the root's first.
    func rules(for namespace: String?) -> [PolicyRule] {
        let root = self.rules[self.rootNamespace] ?? []
        guard let namespace, namespace != self.rootNamespace, let own = self.rules[namespace] else { return root }
        return root + own
    }
}
