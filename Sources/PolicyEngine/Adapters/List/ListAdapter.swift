internal import Synchronization

/// Looks a text or an address up in a list: one of what is allowed, or of what is not.
///
/// - `overrides`: entries of the list. `entry_type`: STRINGS (default), CASE_INSENSITIVE_STRINGS, IP_ADDRESSES (and
///   ranges `10.0.0.0/8`), REGEX. `blacklist` (default false): what is found is refused, not what is not.
/// - `provider_url`: more entries, one a line, fetched at once and each `refresh_interval` (default `60s`); for `ttl`
///   (default `300s`) a list is good if it cannot be fetched anew. Without any list every check is refused.
/// - `caching_interval` (default `300s`), `caching_use_count` (default 10000): how long clients keep an answer.
final class ListAdapter: PolicyHandler {
    static let kind = AdapterKind("listchecker", templates: ["listentry"]) { settings, context in
        ListAdapter(settings, context.environment)
    }

    private enum Source {
        case own
        case fetched(CheckList, at: Duration)
        case missing(reason: String)
    }

    /// A list that is larger is refused: it would only be a way to fill memory.
    private static let bytesMax = 16 << 20

    private let type: CheckList.EntryType
    private let overrides: CheckList
    private let isBlacklist: Bool
    private let cachingInterval: Duration
    private let cachingUseCount: Int32
    private let url: String?
    private let refreshInterval: Duration
    private let timeToLive: Duration
    private let environment: AdapterEnvironment
    private let source: Mutex<Source>

    private init(_ settings: SettingsReader, _ environment: AdapterEnvironment) {
        let type = settings.word("entry_type", CheckList.EntryType.self) ?? .strings
        self.type = type
        var overrides = CheckList(type)
        for (index, entry) in settings.texts("overrides").enumerated() {
            if let problem = overrides.add(entry) { settings.complain("overrides[\(index)]", problem) }
        }
        self.overrides = overrides
        self.isBlacklist = settings.truth("blacklist") ?? false
        self.cachingInterval = settings.duration("caching_interval") ?? .seconds(300)
        self.cachingUseCount = Int32(settings.whole("caching_use_count", in: -1...Int64(Int32.max)) ?? 10_000)
        let url = settings.text("provider_url").flatMap { $0.isEmpty ? nil : $0 }
        if let url, !url.hasPrefix("http://"), !url.hasPrefix("https://") {
            settings.complain("provider_url", "is no http:// or https:// URL")
        }
        self.url = url
        self.refreshInterval = settings.duration("refresh_interval") ?? .seconds(60)
        self.timeToLive = settings.duration("ttl") ?? .seconds(300)
        if url != nil, self.refreshInterval < .seconds(1) {
            settings.complain("refresh_interval", "must be at least a second")
        }
        if url != nil, self.timeToLive < self.refreshInterval {
            settings.complain("ttl", "must not be less than refresh_interval")
        }
        self.environment = environment
        self.source = Mutex(url == nil ? .own : .missing(reason: "the list has not been fetched yet"))
    }

    func check(_ instance: InstanceData) async throws -> CheckResult {
        // An address is looked up as people write it; in a list of addresses it is one again.
        let value = instance.values["value"]?.plainText ?? ""
        var isFound = self.overrides.contains(value)
        if isFound == false, self.url != nil {
            switch self.source.withLock({ $0 }) {
            case .own: ()
            case .fetched(let list, let time):
                guard self.environment.now() - time < self.timeToLive else {
                    throw PolicyStatus(.unavailable, "the list could not be fetched for \(self.timeToLive)")
                }
                isFound = list.contains(value)
            case .missing(let reason): throw PolicyStatus(.unavailable, reason)
            }
        }
        return CheckResult(
            self.status(value, isFound),
            validDuration: self.cachingInterval,
            validUseCount: self.cachingUseCount
        )
    }

    private func status(_ value: String, _ isFound: Bool?) -> PolicyStatus {
        guard let isFound else { return PolicyStatus(.invalidArgument, "\(value) cannot be looked up in the list") }
        if self.isBlacklist { return isFound ? PolicyStatus(.permissionDenied, "\(value) is blacklisted") : .ok }
        return isFound ? .ok : PolicyStatus(.notFound, "\(value) is not whitelisted")
    }

    /// Fetches the list until the task is cancelled.
    func run() async {
        guard let url else { return }
        while !Task.isCancelled {
            await self.fetch(url)
            let wait = self.source.withLock { source in
                // A list that is missing is asked for more often.
                if case .missing = source { min(self.refreshInterval, .seconds(5)) } else { self.refreshInterval }
            }
            // The sleep throws when the task is cancelled, which the loop's condition sees.
            try? await Task.sleep(for: wait)
        }
    }

    private func fetch(_ url: String) async {
        do {
            let text = try await self.environment.fetch(url, Self.bytesMax)
            var list = CheckList(self.type)
            for line in text.split(whereSeparator: \.isNewline) {
                let entry = line.trimmed
                if entry.isEmpty { continue }
                if let problem = list.add(entry) { throw PolicyStatus(.invalidArgument, "\(url): \(problem)") }
            }
            let now = self.environment.now()
            self.source.withLock { $0 = .fetched(list, at: now) }
        } catch {
            self.source.withLock { source in
                if case .missing = source {
                    source = .missing(reason: "the list of \(url) could not be fetched: \(error)")
                }
            }
        }
    }
}

extension Substring {
    fileprivate var trimmed: String {
        let start = self.drop { $0.isWhitespace }
        return String(start.reversed().drop { $0.isWhitespace }.reversed())
    }
}
