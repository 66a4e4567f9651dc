/// Quota in Redis: for any number of engines, which may be started anew.
///
/// - `redis_server_url` (`HOST:PORT`), `connection_pool_size` (default 2, up to 100).
/// - `quotas`: `name` (an instance), `max_amount`, `valid_duration` (the window, a millisecond or more),
///   `rate_limit_algorithm` (FIXED_WINDOW, the default, or ROLLING_WINDOW), `bucket_duration` (of ROLLING_WINDOW: the
///   parts that run out one by one, a thousand at most), `overrides` (`dimensions`, `max_amount`; the first whose
///   dimensions all agree counts).
///
/// While Redis cannot be reached, quota is refused with UNAVAILABLE.
final class RedisQuotaAdapter: PolicyHandler {
    static let kind = AdapterKind("redisquota", templates: ["quota"]) { settings, context in
        let endpoint = settings.endpoint("redis_server_url", standard: "localhost:6379", defaultPort: 6379)
        let count = settings.whole("connection_pool_size", in: 1...100) ?? 2
        let quotas = settings.objects("quotas").map { RedisQuota($0, context: context) }
        for instance in context.instances where !quotas.contains(where: { $0.limit.name.matches(instance) }) {
            settings.complain("quotas", "there is none for the instance \(instance.name).\(instance.namespace)")
        }
        return RedisQuotaAdapter(
            quotas: quotas,
            client: endpoint.map { RedisClient($0, connectionCount: Int(count)) }
        )
    }

    /// Engines hear of an attempt again within seconds, if at all.
    private static let deduplicationWindow = Duration.seconds(10)
    /// Lua counts in DOUBLE.
    static let amountMax: Int64 = 1 << 53

    private let quotas: [RedisQuota]
    private let client: RedisClient?

    private init(quotas: [RedisQuota], client: RedisClient?) {
        self.quotas = quotas
        self.client = client
    }

    func run() async { await self.client?.run() }

    /// By then each call under way has its reply, or has been given up.
    func retire() async {
        // A sleep that is cut short has nothing to wait for.
        try? await Task.sleep(for: RedisClient.timeout)
    }

    func quota(_ instance: InstanceData, _ request: QuotaRequest) async throws -> QuotaResult {
        guard let client, let quota = self.quotas.first(where: { $0.limit.name.matches(instance) }) else {
            throw PolicyStatus(.failedPrecondition, "no quota is set for \(instance.name).\(instance.namespace)")
        }
        let key = quota.limit.key(of: instance)
        guard key.utf8.count + request.deduplicationID.utf8.count < QuotaLedger.nameBytesMax else {
            return QuotaResult(
                PolicyStatus(.resourceExhausted, "dimensions of more than \(QuotaLedger.nameBytesMax) bytes"),
                validDuration: .seconds(1),
                amount: 0
            )
        }
        // What stands in braces decides where a cluster of servers keeps it: both in one place.
        var keys = ["lateen:quota:{\(key)}"]
        if !request.deduplicationID.isEmpty { keys.append("lateen:attempt:{\(key)}:\(request.deduplicationID)") }
        let limit = quota.limit.limit(for: instance)
        let unit: Duration = quota.isRolling ? .microseconds(1) : .milliseconds(1)
        let reply = try await client.run(
            quota.isRolling ? RedisQuotaScript.rollingWindow : RedisQuotaScript.fixedWindow,
            keys: keys,
            arguments: [
                "\(limit.amountMax)", "\(Int64(limit.window / unit))",
                "\(min(max(request.amount, -Self.amountMax), Self.amountMax))", request.bestEffort ? "1" : "0",
                "\(Int64(Self.deduplicationWindow / .milliseconds(1)))", "\(Int64(quota.bucket / unit))",
            ]
        )
        guard case .list(let parts) = reply, parts.count == 2, case .number(let granted) = parts[0],
            case .number(let left) = parts[1]
        else { throw PolicyStatus(.unavailable, "Redis answers \(reply)") }
        return QuotaResult(
            validDuration: granted > 0 ? .milliseconds(left) : .zero,
            amount: Int64(clamping: granted.magnitude)
        )
    }
}

/// One of the quotas, with how its window moves.
struct RedisQuota: Sendable {
    enum Algorithm: String, CaseIterable {
        case fixed = "FIXED_WINDOW"
        case rolling = "ROLLING_WINDOW"
    }

    let limit: QuotaLimit
    let isRolling: Bool
    let bucket: Duration

    init(_ settings: SettingsReader, context: AdapterKind.Context) {
        self.limit = QuotaLimit(settings, context: context, haveOverridesWindows: false)
        self.isRolling = settings.word("rate_limit_algorithm", Algorithm.self) == .rolling
        self.bucket = settings.duration("bucket_duration") ?? .zero
        let window = self.limit.limit.window
        if window < .milliseconds(1) { settings.complain("valid_duration", "must be a millisecond or more") }
        if self.limit.limit.amountMax > RedisQuotaAdapter.amountMax {
            settings.complain("max_amount", "must be \(RedisQuotaAdapter.amountMax) or less")
        }
        guard self.isRolling else { return }
        if self.bucket < .milliseconds(1) || self.bucket > window {
            settings.complain("bucket_duration", "must be a millisecond or more, and no more than valid_duration")
        } else if window / self.bucket > 1000 {
            settings.complain("bucket_duration", "must not be less than a thousandth of valid_duration")
        }
    }
}
