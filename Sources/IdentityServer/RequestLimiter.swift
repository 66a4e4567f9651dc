/// Token buckets, one for each sender and one for all: nobody can make the authority sign without end.
///
/// A value; time comes from outside. The number of senders that are remembered is bounded; who was silent for the
/// longest time is forgotten, and has a full bucket then anyway.
package struct RequestLimiter: Sendable {
    package struct Rate: Hashable, Sendable {
        /// Requests at once.
        package var burst: Double
        /// Requests per second after that.
        package var perSecond: Double

        package init(burst: Double, perSecond: Double) {
            self.burst = burst
            self.perSecond = perSecond
        }
    }

    private struct Bucket {
        var level: Double
        var at: Duration

        mutating func take(_ rate: Rate, now: Duration) -> Bool {
            let passed = max(.zero, now - self.at)
            let seconds = Double(passed.components.seconds) + Double(passed.components.attoseconds) / 1e18
            self.level = min(rate.burst, self.level + seconds * rate.perSecond)
            self.at = max(self.at, now)
            guard self.level >= 1 else { return false }
            self.level -= 1
            return true
        }
    }

    private let each: Rate
    private let all: Rate
    private let sendersMax: Int
    private var total: Bucket
    private var buckets: [String: Bucket] = [:]

    /// Whole nodes restart at once, so bursts are let through; one certificate is enough for half a day.
    package init(
        each: Rate = Rate(burst: 20, perSecond: 1),
        all: Rate = Rate(burst: 2000, perSecond: 500),
        sendersMax: Int = 16_384
    ) {
        self.each = each
        self.all = all
        self.sendersMax = sendersMax
        self.total = Bucket(level: all.burst, at: .zero)
    }

    /// Whether a request may be served now.
    ///
    /// - Parameters:
    ///   - sender: an address or a name.
    ///   - now: time since any fixed moment.
    /// - Returns: `false` if the sender, or all together, ask for too much.
    package mutating func admit(_ sender: String, now: Duration) -> Bool {
        var bucket = self.buckets[sender] ?? Bucket(level: self.each.burst, at: now)
        defer { self.buckets[sender] = bucket }
        guard bucket.take(self.each, now: now) else { return false }
        if self.buckets.count >= self.sendersMax, self.buckets[sender] == nil { self.forgetOldest() }
        return self.total.take(self.all, now: now)
    }

    package var senders: Int { self.buckets.count }

    /// A quarter at a time, so that the sorting is paid for by many requests.
    private mutating func forgetOldest() {
        let oldest = self.buckets.sorted { $0.value.at < $1.value.at }.prefix(max(1, self.sendersMax / 4))
        for (sender, _) in oldest { self.buckets.removeValue(forKey: sender) }
    }
}
