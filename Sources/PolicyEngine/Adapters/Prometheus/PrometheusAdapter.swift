/// Turns metric instances into series that Prometheus fetches.
///
/// - `metrics`: `instance_name` (an instance), `name` (default: made of the instance's name), `namespace` (in front of
///   the name; default `istio`), `description`, `kind` (UNSPECIFIED and GAUGE, COUNTER, DISTRIBUTION), `label_names`
///   (dimensions of the instance), `buckets` (`explicit_buckets.bounds`, `linear_buckets` with `num_finite_buckets`,
///   `offset`, `width`, `exponential_buckets` with `num_finite_buckets`, `scale`, `growth_factor`).
/// - `metrics_expiration_policy.metrics_expiry_duration`: series without news for so long are forgotten.
struct PrometheusAdapter: PolicyHandler {
    static let kind = AdapterKind("prometheus", templates: ["metric"]) { settings, context in
        let policy = settings.object("metrics_expiration_policy")
        let expiry = policy?.duration("metrics_expiry_duration")
        _ = policy?.duration("expiry_check_interval_duration")
        let metrics = settings.objects("metrics").map { Metric($0, context) }
        let claims = metrics.map { context.environment.metrics.define($0.definition, expiry: expiry) }
        return PrometheusAdapter(
            metrics: metrics,
            claims: claims,
            environment: context.environment,
            drops: DropCounter(context)
        )
    }

    enum MetricKind: String, CaseIterable {
        case unspecified = "UNSPECIFIED"
        case gauge = "GAUGE"
        case counter = "COUNTER"
        case distribution = "DISTRIBUTION"
    }

    struct Metric: Sendable {
        let instance: ObjectReference
        let definition: MetricsRegistry.Definition

        init(_ settings: SettingsReader, _ context: AdapterKind.Context) {
            let instanceName = settings.text("instance_name") ?? ""
            self.instance = ObjectReference(instanceName, from: context.namespace)
            if instanceName.isEmpty { settings.complain("instance_name", "is missing: the name of a metric instance") }
            let name = settings.text("name").flatMap { $0.isEmpty ? nil : $0 } ?? instanceName
            let prefix = settings.text("namespace") ?? "istio"
            let kind: MetricsRegistry.Kind =
                switch settings.word("kind", MetricKind.self) ?? .unspecified {
                case .unspecified, .gauge: .gauge
                case .counter: .counter
                case .distribution: .distribution(Self.bounds(settings.object("buckets")))
                }
            let labels = settings.texts("label_names")
            for (index, label) in labels.enumerated() where Self.plain(label) != label {
                settings.complain("label_names[\(index)]", "may have letters, digits and _ only")
            }
            self.definition = MetricsRegistry.Definition(
                name: Self.plain(prefix.isEmpty ? name : "\(prefix)_\(name)"),
                help: settings.text("description") ?? name,
                kind: kind,
                labels: labels
            )
        }

        /// What Prometheus' names may not have becomes `_`.
        private static func plain(_ name: String) -> String {
            let text = name.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") ? $0 : "_" }
            return text.first?.isNumber == true ? "_" + String(text) : String(text)
        }

        private static let boundsMax: Int64 = 200

        private static func bounds(_ settings: SettingsReader?) -> [Double] {
            guard let settings else { return [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] }
            if let explicit = settings.object("explicit_buckets") {
                let bounds = explicit.numbers("bounds")
                if zip(bounds, bounds.dropFirst()).contains(where: { $0 >= $1 }) {
                    explicit.complain("bounds", "must ascend")
                }
                if bounds.count > Self.boundsMax { explicit.complain("bounds", "are more than \(Self.boundsMax)") }
                return bounds
            }
            if let linear = settings.object("linear_buckets") {
                let count = linear.whole("num_finite_buckets", in: 1...Self.boundsMax) ?? 1
                let offset = linear.number("offset") ?? 0
                let width = linear.number("width") ?? 1
                if width <= 0 { linear.complain("width", "must be more than 0") }
                return (0...count).map { offset + Double($0) * width }
            }
            if let exponential = settings.object("exponential_buckets") {
                let count = exponential.whole("num_finite_buckets", in: 1...Self.boundsMax) ?? 1
                let scale = exponential.number("scale") ?? 1
                let factor = exponential.number("growth_factor") ?? 2
                if scale <= 0 { exponential.complain("scale", "must be more than 0") }
                if factor <= 1 { exponential.complain("growth_factor", "must be more than 1") }
                var bound = scale
                return (0...count).map { _ in
                    defer { bound *= factor }
                    return bound
                }
            }
            settings.complain("explicit_buckets", "is missing, and there is no other form of buckets")
            return []
        }
    }

    let metrics: [Metric]
    let claims: [MetricsRegistry.Claim]
    let environment: AdapterEnvironment
    let drops: DropCounter

    func report(_ instances: [InstanceData]) async throws {
        let now = self.environment.now()
        for instance in instances {
            guard let metric = self.metrics.first(where: { $0.instance.matches(instance) }) else {
                self.drops.count(1, .handler)
                continue
            }
            guard let value = instance.values["value"]?.number else {
                self.drops.count(1, .value)
                continue
            }
            let dimensions = instance.maps["dimensions"] ?? [:]
            let labels = metric.definition.labels.map { dimensions[$0]?.plainText ?? "" }
            self.environment.metrics.record(metric.definition.name, value, labels: labels, now: now)
        }
    }

    /// Nothing goes on beside requests; when the handler ends, its metrics do.
    func run() async {
        await untilCancelled()
        for claim in self.claims { self.environment.metrics.remove(claim) }
    }
}
