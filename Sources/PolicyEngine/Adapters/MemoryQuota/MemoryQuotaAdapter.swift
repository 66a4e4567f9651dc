internal import KubernetesAPI
internal import Synchronization

/// Quota in the engine's own memory: for one engine, which forgets when it ends.
///
/// - `quotas`: `name` (an instance), `max_amount`, `valid_duration` (how long what was taken stays taken; without it
///   until it is given back by a negative amount), `overrides` (`dimensions`, `max_amount`, `valid_duration`; the
///   first whose dimensions all agree counts).
/// - `min_deduplication_duration` (default `1s`): for how long a repeated attempt is told what the first was told.
final class MemoryQuotaAdapter: PolicyHandler {
    static let kind = AdapterKind("memquota", templates: ["quota"]) { settings, context in
        let window = settings.duration("min_deduplication_duration") ?? .seconds(1)
        if window == .zero { settings.complain("min_deduplication_duration", "must be more than zero") }
        let limits = settings.objects("quotas").map { QuotaLimit($0, context: context) }
        for instance in context.instances where !limits.contains(where: { $0.name.matches(instance) }) {
            settings.complain("quotas", "there is none for the instance \(instance.name).\(instance.namespace)")
        }
        return MemoryQuotaAdapter(limits: limits, window: window, now: context.environment.now)
    }

    private let limits: [QuotaLimit]
    private let now: @Sendable () -> Duration
    private let ledger: Mutex<QuotaLedger>

    init(limits: [QuotaLimit], window: Duration, now: @escaping @Sendable () -> Duration) {
        self.limits = limits
        self.now = now
        self.ledger = Mutex(QuotaLedger(deduplicationWindow: window))
    }

    func quota(_ instance: InstanceData, _ request: QuotaRequest) async throws -> QuotaResult {
        guard let limit = self.limits.first(where: { $0.name.matches(instance) }) else {
            throw PolicyStatus(.failedPrecondition, "no quota is set for \(instance.name).\(instance.namespace)")
        }
        let now = self.now()
        let key = limit.key(of: instance)
        return self.ledger.withLock { $0.request(request, of: key, limit: limit.limit(for: instance), now: now) }
    }

    func left(_ instance: InstanceData) async -> PolicyTrace.QuotaLeft? {
        guard let quota = self.limits.first(where: { $0.name.matches(instance) }) else { return nil }
        let limit = quota.limit(for: instance)
        let taken = self.ledger.withLock { $0.taken(quota.key(of: instance), now: self.now()) }
        return PolicyTrace.QuotaLeft(amount: max(0, limit.amountMax - taken), amountMax: limit.amountMax)
    }
}

/// The limits of one quota.
struct QuotaLimit: Sendable {
    private struct Override: Sendable {
        var dimensions: [String: String]
        var limit: QuotaLedger.Limit
    }

    let name: ObjectReference
    let limit: QuotaLedger.Limit
    private let overrides: [Override]

    /// With `haveOverridesWindows` an override may have another `valid_duration`.
    init(_ settings: SettingsReader, context: AdapterKind.Context, haveOverridesWindows: Bool = true) {
        self.name = ObjectReference(settings.text("name") ?? "", from: context.namespace)
        if self.name.name.isEmpty { settings.complain("name", "is missing: the name of a quota instance") }
        let limit = Self.limit(settings, window: nil)
        self.limit = limit
        self.overrides = settings.objects("overrides").map { override in
            var dimensions: [String: String] = [:]
            for (key, value) in override.members("dimensions") {
                if let text = value.string {
                    dimensions[key] = text
                } else {
                    override.complain("dimensions.\(key)", "is a \(value.typeName), not a text")
                }
            }
            return Override(
                dimensions: dimensions,
                limit: Self.limit(override, window: haveOverridesWindows ? nil : limit.window)
            )
        }
    }

    private static func limit(_ settings: SettingsReader, window: Duration?) -> QuotaLedger.Limit {
        QuotaLedger.Limit(
            amountMax: settings.whole("max_amount", in: 0...Int64.max / 2) ?? 0,
            window: window ?? settings.duration("valid_duration") ?? .zero
        )
    }

    func limit(for instance: InstanceData) -> QuotaLedger.Limit {
        let dimensions = instance.maps["dimensions"] ?? [:]
        let override = self.overrides.first { override in
            override.dimensions.allSatisfy { key, text in dimensions[key]?.plainText == text }
        }
        return override?.limit ?? self.limit
    }

    /// The instance with its dimensions, as one text that no other combination has.
    func key(of instance: InstanceData) -> String {
        let dimensions = (instance.maps["dimensions"] ?? [:]).sorted { $0.key < $1.key }
        return dimensions.reduce(into: "\(instance.namespace)/\(instance.name)") {
            $0 += ";\(AttributeValue.quoted($1.key))=\($1.value.type):\($1.value)"
        }
    }
}
