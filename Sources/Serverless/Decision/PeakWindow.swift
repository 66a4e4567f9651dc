/// The largest of the counts wanted within the last while, so that a short lull takes no pods away.
///
/// Counts are kept by ticks. A count that a later one exceeds can never be the largest again and is dropped, so that
/// what is kept falls from the front to the back and the largest is the first.
package struct PeakWindow: Sendable {
    private struct Entry {
        var tick: Int64
        var count: Int
    }

    private let length: Int64
    private var entries: [Entry] = []

    /// Covers `duration`, rounded up to whole ticks.
    package init(duration: Duration, tick: Duration = ScalingSettings.tick) {
        let ticks = (duration / tick).rounded(.up)
        self.length = Int64(max(1, ticks))
    }

    /// Takes in what is wanted now, and returns the largest within the window.
    package mutating func record(_ count: Int, at now: Duration, tick: Duration = ScalingSettings.tick) -> Int {
        let index = now.components.seconds / max(1, tick.components.seconds)
        self.entries.removeAll { index - $0.tick >= self.length }
        var count = count
        if let newest = self.entries.last, newest.tick == index {
            count = max(count, newest.count)
        }
        while let newest = self.entries.last, newest.count <= count { self.entries.removeLast() }
        self.entries.append(Entry(tick: index, count: count))
        return self.entries[0].count
    }
}
