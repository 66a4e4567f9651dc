#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// What was observed of one number over the last seconds, second by second.
///
/// Reports of one second are added up, as each activator and each pod tells its own part. A window that is not yet full
/// is averaged over what it has: the seconds from the first report to the last. A second between two reports about which
/// nothing came counts as zero; silence after the last report does not count, until it has lasted for the whole window.
package struct MetricWindow: Sendable {
    /// How the seconds of a window become one number.
    package enum Averaging: Sendable, Hashable {
        case linear
        /// Recent seconds weigh more; each second before weighs the same part less.
        case weightedExponential
    }

    /// The least share of the newest second, so that a long window is not almost the simple average.
    private static let weightMin = 0.2
    /// The weights of a full window add up to this at least.
    private static let weightSum = 0.9999
    /// More than any revision has of anything. Reports come from the network: without limits their sums could become
    /// infinite, and differences of those no number at all.
    private static let valueMax = 1e9

    package let averaging: Averaging
    private var sums: [Double]
    private var first: Int64 = .min
    private var last: Int64 = .min

    /// A window of `seconds`, at least one.
    package init(seconds: Int, averaging: Averaging = .linear) {
        self.sums = Array(repeating: 0, count: max(1, seconds))
        self.averaging = averaging
    }

    package var seconds: Int { self.sums.count }
    private var length: Int64 { Int64(self.sums.count) }

    /// Adds a report of the second `second`, as a number from nought. One that is older than the window is ignored.
    package mutating func record(_ value: Double, at second: Int64) {
        guard value.isFinite else { return }
        let value = min(max(value, 0), Self.valueMax)
        if self.last == .min {
            self.first = second
            self.last = second
        } else if second > self.last {
            if second - self.last >= self.length {
                self.first = second
                for index in self.sums.indices { self.sums[index] = 0 }
            } else {
                for skipped in (self.last + 1)...second { self.sums[self.index(skipped)] = 0 }
            }
            self.last = second
        } else if self.last - second >= self.length {
            return
        } else if second < self.first {
            self.first = second
        }
        self.sums[self.index(second)] += value
    }

    /// Whether nothing came within the window.
    package func isSilent(at second: Int64) -> Bool {
        self.last == .min || second - self.last > self.length
    }

    /// The average as of `second`; zero if nothing came within the window.
    package func average(at second: Int64) -> Double {
        guard self.last != .min else { return 0 }
        switch self.averaging {
        case .linear: return self.linearAverage(at: second)
        case .weightedExponential: return self.weightedAverage(at: second)
        }
    }

    /// The same reports in a window of another length; what does not fit is dropped.
    package func resized(seconds: Int) -> MetricWindow {
        var copy = MetricWindow(seconds: seconds, averaging: self.averaging)
        guard self.last != .min else { return copy }
        let oldest = max(self.first, self.last - self.length + 1, self.last - copy.length + 1)
        for second in oldest...self.last { copy.record(self.sums[self.index(second)], at: second) }
        return copy
    }

    private func linearAverage(at second: Int64) -> Double {
        let silence = max(0, second - self.last)
        guard silence < self.length else { return 0 }
        // Seconds since the first report, both counted, and no more than are still in the window.
        let count = min(self.last - self.first + 1, self.length - silence)
        var sum = 0.0
        for second in (self.last - count + 1)...self.last { sum += self.sums[self.index(second)] }
        // Cut to a millionth, so that a rounding error of the sum does not ask for one more pod.
        return (sum / Double(count) * 1e6).rounded(.down) / 1e6
    }

    private func weightedAverage(at second: Int64) -> Double {
        let silence = max(0, second - self.last)
        guard silence < self.length else { return 0 }
        let newest = max(Self.weightMin, 1 - pow(1 - Self.weightSum, 1 / Double(self.length)))
        var weight = newest * pow(1 - newest, Double(silence))
        var average = 0.0
        for second in stride(from: self.last, to: self.last - (self.length - silence), by: -1) {
            guard second >= self.first else { break }
            average += self.sums[self.index(second)] * weight
            weight *= 1 - newest
        }
        return average
    }

    private func index(_ second: Int64) -> Int {
        let rest = Int(second % self.length)
        return rest < 0 ? rest + self.sums.count : rest
    }
}
