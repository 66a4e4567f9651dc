internal import TrafficEngine

/// Which key sets are known, which are being fetched, and who waits for them; time is milliseconds from anywhere.
///
/// One fetch at a time for each source. A set that has grown old is used on while a new one is fetched, and kept if
/// that fails. A token that names a key which is not in the set makes it be fetched early (rotation), but not more
/// often than `retryMilliseconds`, or strangers could make us ask all the time.
struct KeyBook<Waiter> {
    typealias Source = TokenPolicy.Provider.Keys

    /// After a failure, and between fetches for unknown keys.
    static var retryMilliseconds: Int64 { 5000 }
    static var waitersMax: Int { 1024 }
    /// Sources come from configuration; those that were not asked for longest go.
    static var sourcesMax: Int { 256 }

    private struct Entry {
        var keys: KeySet?
        var loadedAt: Int64 = .min
        var triedAt: Int64 = .min
        var askedAt: Int64 = 0
        var isLoading = false
        var fault = TokenFault.fetchFailed
        var waiters: [Waiter] = []
    }

    private var entries: [Source: Entry] = [:]
    private var waiterCount = 0

    enum OnAsk {
        /// Use these; and fetch a new set if `reloads`.
        case use(KeySet, reloads: Bool)
        /// The waiter is kept; fetch if `loads`.
        case wait(loads: Bool)
        case refuse(TokenFault)
    }

    /// Somebody needs keys.
    ///
    /// - Parameters:
    ///   - source: of the keys.
    ///   - now: the time.
    ///   - isMissing: the set that is there does not have the key.
    ///   - waiter: kept if the answer is `wait`.
    /// - Returns: what to do.
    mutating func ask(_ source: Source, now: Int64, isMissing: Bool, _ waiter: Waiter) -> OnAsk {
        self.makeRoom(for: source)
        var entry = self.entries[source] ?? Entry()
        defer { self.entries[source] = entry }
        entry.askedAt = now
        let mayTry = !entry.isLoading && now - entry.triedAt.clamped(now) >= Self.retryMilliseconds
        if let keys = entry.keys {
            let isOld = now - entry.loadedAt >= Self.lifetime(source)
            if !isMissing {
                let reloads = isOld && mayTry
                if reloads { entry.isLoading = true }
                return .use(keys, reloads: reloads)
            }
            // Inline keys never change.
            if case .inline = source { return .refuse(.noKey) }
            guard entry.isLoading || mayTry else { return .refuse(.noKey) }
        } else if !entry.isLoading, !mayTry {
            return .refuse(entry.fault)
        }
        guard self.waiterCount < Self.waitersMax else { return .refuse(.overloaded) }
        let loads = !entry.isLoading
        entry.isLoading = true
        entry.waiters.append(waiter)
        self.waiterCount += 1
        return .wait(loads: loads)
    }

    /// A fetch has ended; the last good set stays if it failed. Returns those who waited.
    mutating func loaded(_ source: Source, _ result: Result<KeySet, TokenRefusal>, now: Int64) -> [Waiter] {
        var entry = self.entries[source] ?? Entry()
        defer { self.entries[source] = entry }
        entry.isLoading = false
        entry.triedAt = now
        switch result {
        case .success(let keys):
            entry.keys = keys
            entry.loadedAt = now
        case .failure(let refusal): entry.fault = refusal.fault
        }
        let waiters = entry.waiters
        entry.waiters = []
        self.waiterCount -= waiters.count
        return waiters
    }

    /// The keys of a source as they are.
    func keys(_ source: Source) -> KeySet? { self.entries[source]?.keys }
    func fault(_ source: Source) -> TokenFault { self.entries[source]?.fault ?? .fetchFailed }

    private mutating func makeRoom(for source: Source) {
        guard self.entries.count >= Self.sourcesMax, self.entries[source] == nil else { return }
        let idle = self.entries.filter { !$0.value.isLoading }.min { $0.value.askedAt < $1.value.askedAt }
        if let idle { self.entries[idle.key] = nil }
    }

    private static func lifetime(_ source: Source) -> Int64 {
        switch source {
        case .inline: .max
        case .remote(_, _, _, let duration):
            // At most a day, so that the sum of times stays far from its limits.
            max(1000, min(86_400_000, duration.components.seconds.multipliedReportingOverflow(by: 1000).partialValue))
        }
    }
}

extension Int64 {
    /// `.min` as "long ago".
    fileprivate func clamped(_ now: Int64) -> Int64 { self == .min ? now - 86_400_000 : self }
}
