internal import TrafficEngine

/// Tokens that were found good, so that a signature is checked once and not for each request.
///
/// The whole token is the key: a hash alone could be made to fit another. What was verified is believed for a few
/// minutes at most, so that a key that an issuer takes back does not live on here.
struct TokenCache {
    static let countMax = 1024
    static let tokenBytesMax = 4096
    static let lifetime: Int64 = 300

    private struct Entry {
        var provider: TokenPolicy.Provider
        var token: VerifiedToken
        var validUntil: Int64
        var usedAt: UInt64
    }

    private var entries: [String: Entry] = [:]
    private var turn: UInt64 = 0

    var count: Int { self.entries.count }

    /// `now`: seconds since 1970.
    mutating func token(_ text: String, policy: TokenPolicy, candidates: [Int], now: Int64) -> VerifiedToken? {
        guard var entry = self.entries[text] else { return nil }
        guard now < entry.validUntil, candidates.contains(entry.token.provider),
            policy.providers[entry.token.provider] == entry.provider
        else { return nil }
        self.turn += 1
        entry.usedAt = self.turn
        self.entries[text] = entry
        return entry.token
    }

    mutating func insert(_ text: String, _ provider: TokenPolicy.Provider, _ token: VerifiedToken, now: Int64) {
        guard text.utf8.count <= Self.tokenBytesMax else { return }
        if self.entries.count >= Self.countMax { self.evict() }
        self.turn += 1
        self.entries[text] = Entry(
            provider: provider,
            token: token,
            validUntil: min(now + Self.lifetime, token.expires ?? .max),
            usedAt: self.turn
        )
    }

    /// A quarter at once, so that not every insertion has to look for the oldest.
    private mutating func evict() {
        let limit = self.entries.values.map(\.usedAt).sorted()[Self.countMax / 4]
        self.entries = self.entries.filter { $0.value.usedAt > limit }
    }
}
