/// Gathers reports on one event loop, so that the engine is told of many requests at once.
package struct ReportBatch {
    /// As many as Istio's proxies put into one report.
    package static let countMax = 100
    /// A report waits for others so long at most.
    package static let delay = Duration.seconds(1)
    /// Batches that the engine has not confirmed yet; further ones are dropped.
    package static let unconfirmedMax = 16

    /// What to do about a report.
    package enum OnReport {
        case wait
        /// Say so when `delay` is over.
        case startTimer
        case send([MixerReport])
        /// So many are lost, because the engine does not keep up.
        case drop(Int)
    }

    private var reports: [MixerReport] = []
    private var unconfirmed = 0

    package init() {}

    package mutating func added(_ report: MixerReport) -> OnReport {
        self.reports.append(report)
        if self.reports.count >= Self.countMax { return self.take() }
        return self.reports.count == 1 ? .startTimer : .wait
    }

    package mutating func timeElapsed() -> OnReport { self.reports.isEmpty ? .wait : self.take() }

    /// The engine has a batch, or it is lost.
    package mutating func settled() { self.unconfirmed -= 1 }

    private mutating func take() -> OnReport {
        let taken = self.reports
        self.reports = []
        guard self.unconfirmed < Self.unconfirmedMax else { return .drop(taken.count) }
        self.unconfirmed += 1
        return .send(taken)
    }
}
