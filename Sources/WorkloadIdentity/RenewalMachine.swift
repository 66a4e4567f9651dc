/// When a certificate is asked for: at once without one, around half of its life with one, and after a failure in ever
/// longer waits for as long as it takes.
///
/// Times are seconds since 1970, because the life of a certificate is written in them; waits are short, so that a
/// clock that was set is noticed. Random numbers come from outside.
package struct RenewalMachine: Sendable {
    /// From when to when a certificate is valid.
    package struct Life: Hashable, Sendable {
        package var start: Double
        package var end: Double

        package init(start: Double, end: Double) {
            self.start = start
            self.end = end
        }
    }

    package enum Step: Hashable, Sendable {
        /// Ask for a certificate, then say `issued` or `failed`.
        case request
        /// Seconds until there may be something to do.
        case wait(Double)
    }

    /// How much a failure matters.
    package enum OnFailure: Hashable, Sendable {
        case keepQuiet
        case warn
        /// Little is left of the certificate, or nothing: somebody must act.
        case alarm
    }

    private enum State {
        case without(since: Double)
        case with(Life, renewal: Double)
    }

    /// A first wait after a failure, and the longest.
    private static let backOff: ClosedRange<Double> = 0.05...60
    /// A renewal that fails with less life left than this is an alarm.
    private static let alarmTime: Double = 3600
    /// Without a certificate a new pod may wait so long until it is an alarm: the authority may be starting too.
    private static let patience: Double = 60

    private let renewal: RenewalTime
    private var state: State
    private var failures = 0
    private var retry: Double?

    package init(renewal: RenewalTime = RenewalTime(), now: Double) {
        self.renewal = renewal
        self.state = .without(since: now)
    }

    /// What to do now.
    package func step(at now: Double) -> Step {
        if let retry, retry > now { return .wait(Swift.min(retry - now, Self.backOff.upperBound)) }
        switch self.state {
        case .without: return .request
        case .with(_, let renewal): return renewal > now ? .wait(renewal - now) : .request
        }
    }

    /// Whether there is a certificate that is valid now.
    package func isValid(at now: Double) -> Bool {
        switch self.state {
        case .without: false
        case .with(let life, _): life.end > now
        }
    }

    /// A certificate came: from the authority, or from a disk.
    ///
    /// - Parameters:
    ///   - life: when it is valid.
    ///   - now: seconds since 1970.
    ///   - isNew: whether it was issued just now. It is then not asked for again at once, even by a clock that is ahead.
    ///   - random: -1 to 1.
    package mutating func received(_ life: Life, at now: Double, isNew: Bool, random: Double) {
        var time = life.start + self.renewal.delay(lifetime: life.end - life.start, random: random)
        if isNew { time = max(time, now + 1) }
        self.state = .with(life, renewal: time)
        self.failures = 0
        self.retry = nil
    }

    /// No certificate came.
    ///
    /// - Parameters:
    ///   - now: seconds since 1970.
    ///   - random: 0 to 1.
    /// - Returns: how much it matters.
    package mutating func failed(at now: Double, random: Double) -> OnFailure {
        let longest = Self.backOff.lowerBound * Double(1 << min(self.failures, 16))
        let wait = min(longest, Self.backOff.upperBound)
        self.retry = now + wait / 2 + wait / 2 * random
        self.failures += 1
        // 1, 2, 4, 8 and so on, then each: by then they are a minute apart.
        let isSaid = self.failures & (self.failures - 1) == 0 || wait == Self.backOff.upperBound
        guard isSaid else { return .keepQuiet }
        switch self.state {
        case .without(let since): return now - since >= Self.patience ? .alarm : .warn
        case .with(let life, _): return life.end - now < Self.alarmTime ? .alarm : .warn
        }
    }

    /// The certificate is no longer what peers trust: ask for another as soon as may be.
    package mutating func renewSoon(at now: Double) {
        if case .with(let life, let renewal) = self.state {
            self.state = .with(life, renewal: Swift.min(renewal, now))
        }
    }
}
