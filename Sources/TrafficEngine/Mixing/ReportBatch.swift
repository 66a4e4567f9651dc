/// When the reports of one event loop are sent, so that the engine is told of many requests at once.
package struct ReportBatch {
    /// As many as Istio's proxies put into one report.
    package static let countMax = 100
    /// A batch that follows another at once has up to so many: calls cost more than what they tell.
    package static let busyCountMax = 1000
    /// Between two batches that are not larger than `countMax`.
    package static let interval = Duration.milliseconds(50)
    /// A message that has grown to so many bytes waits for no others.
    package static let bytesMax = 256 << 10
    /// A report waits for others so long at most.
    package static let delay = Duration.seconds(1)
    /// Batches that the engine has not confirmed yet; further ones are dropped.
    package static let unconfirmedMax = 16

    /// What to do about reports.
    package enum Next: Hashable, Sendable {
        case wait
        /// Say so when the time is over.
        case startTimer(Duration)
        /// So many.
        case send(Int)
        /// They are lost, so many, because the engine does not keep up.
        case drop(Int)
    }

    private var count = 0
    /// When the first of those that wait came.
    private var firstAt = Duration.zero
    private var sentAt: Duration?
    private var hasTimer = false
    private var unconfirmed = 0

    package init() {}

    /// A report was written.
    ///
    /// - Parameters:
    ///   - bytes: of all that wait.
    ///   - now: of any clock that only goes forward.
    /// - Returns: What to do about all that wait.
    package mutating func added(bytes: Int, now: Duration) -> Next {
        self.count += 1
        if self.count == 1 { self.firstAt = now }
        if self.count >= Self.busyCountMax || bytes >= Self.bytesMax { return self.take(now) }
        if self.count >= Self.countMax, self.sentAt.map({ now - $0 >= Self.interval }) ?? true {
            return self.take(now)
        }
        guard !self.hasTimer else { return .wait }
        self.hasTimer = true
        return .startTimer(Self.delay)
    }

    /// The timer has ended. It is one for all batches: those that came later wait for the rest of their time.
    package mutating func timeElapsed(now: Duration) -> Next {
        self.hasTimer = false
        guard self.count > 0 else { return .wait }
        let left = self.firstAt + Self.delay - now
        guard left > .zero else { return self.take(now) }
        self.hasTimer = true
        return .startTimer(left)
    }

    /// No more reports will come.
    package mutating func ended(now: Duration) -> Next { self.count > 0 ? self.take(now) : .wait }

    /// The engine has a batch, or it is lost.
    package mutating func settled() { self.unconfirmed -= 1 }

    private mutating func take(_ now: Duration) -> Next {
        let taken = self.count
        self.count = 0
        guard self.unconfirmed < Self.unconfirmedMax else { return .drop(taken) }
        self.unconfirmed += 1
        self.sentAt = now
        return .send(taken)
    }
}
