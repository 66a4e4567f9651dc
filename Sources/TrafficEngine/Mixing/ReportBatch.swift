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

/// How reports are written one behind the other.
package enum ReportEncoding: Hashable {
    /// Each entry is what differs from the one before (`DELTA_ENCODING`).
    case deltas([[String: MixerValue]])
    /// Each entry stands for itself (`INDEPENDENT_ENCODING`).
    case whole([[String: MixerValue]])

    /// Deltas, unless an attribute of one entry is missing in the next: a delta cannot take one away.
    package init(_ entries: [[String: MixerValue]]) {
        var deltas: [[String: MixerValue]] = []
        deltas.reserveCapacity(entries.count)
        var previous: [String: MixerValue] = [:]
        for entry in entries {
            guard previous.keys.allSatisfy({ entry[$0] != nil }) else {
                self = .whole(entries)
                return
            }
            deltas.append(entry.filter { previous[$0.key] != $0.value })
            previous = entry
        }
        self = .deltas(deltas)
    }
}
