package import MeshModel

/// The last good addresses of host names that are looked up again and again, and when to look next.
///
/// A value: it is told the time and asks nobody. The cache of answers is bounded and forgets; a cluster of a proxy must
/// not lose its endpoints while nobody answers.
package struct LastGoodAddresses: Sendable {
    package struct Answer: Hashable, Sendable {
        package var addresses: [IPAddress]
        /// Ask again after this, from now.
        package var ttl: Duration
        /// A server said that there are none; without it an empty answer says nothing.
        package var isDenied: Bool

        package init(addresses: [IPAddress], ttl: Duration, isDenied: Bool = false) {
            self.addresses = addresses
            self.ttl = ttl
            self.isDenied = isDenied
        }
    }

    /// How a question ended.
    package enum Outcome: Hashable, Sendable {
        case found([IPAddress], ttl: Duration)
        case notFound(ttl: Duration)
        case failed
    }

    private struct Entry {
        var addresses: [IPAddress] = []
        var failures = 0
        var lastUse: Duration
    }

    private var entries: [String: Entry] = [:]
    private let entriesMax: Int
    /// Bounds of a TTL: 0 would ask without end, and a very long one would never notice a change.
    private let ttlMin: Duration
    private let ttlMax: Duration

    package init(entriesMax: Int = 4096, ttlMin: Duration = .seconds(1), ttlMax: Duration = .seconds(3600)) {
        self.entriesMax = max(1, entriesMax)
        self.ttlMin = ttlMin
        self.ttlMax = ttlMax
    }

    package var count: Int { self.entries.count }

    /// Takes the end of a question.
    ///
    /// - Parameters:
    ///   - name: what was asked for.
    ///   - outcome: how it ended.
    ///   - now: monotonic time.
    ///   - jitter: 0 to 1; spreads the questions of proxies that started together over a tenth of the time.
    /// - Returns: what holds now.
    package mutating func answered(_ name: String, _ outcome: Outcome, now: Duration, jitter: Double) -> Answer {
        var entry = self.entries[name] ?? Entry(lastUse: now)
        entry.lastUse = now
        var isDenied = false
        var pause: Duration
        switch outcome {
        case .found(let addresses, let ttl):
            entry.addresses = addresses
            entry.failures = 0
            pause = min(max(ttl, self.ttlMin), self.ttlMax)
        case .notFound(let ttl):
            isDenied = true
            entry.addresses = []
            entry.failures = 0
            pause = min(max(ttl, self.ttlMin), .seconds(60))
        case .failed:
            // Facts #3: no answer is no news. 1, 2, 4 … 32 seconds.
            pause = .seconds(1 << min(entry.failures, 5))
            entry.failures += 1
        }
        pause -= pause * (0.1 * min(max(jitter, 0), 1))
        if self.entries[name] == nil { self.makeRoom() }
        self.entries[name] = entry
        return Answer(addresses: entry.addresses, ttl: pause, isDenied: isDenied)
    }

    /// The name that was not looked up for the longest time goes.
    private mutating func makeRoom() {
        guard self.entries.count >= self.entriesMax,
            let oldest = self.entries.min(by: { $0.value.lastUse < $1.value.lastUse })
        else { return }
        self.entries[oldest.key] = nil
    }
}
