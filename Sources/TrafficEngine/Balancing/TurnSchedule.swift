/// Turns in proportion to weights, spread out evenly: earliest deadline first.
///
/// Each entry is due again `1 / weight` after its turn. A binary heap in place: O(log n) a turn, no allocation.
struct TurnSchedule: Sendable {
    private struct Entry {
        var due: Double
        var interval: Double
        var index: Int
    }

    private var heap: [Entry] = []

    /// `indices` and `weights` (all more than 0) belong together; there is at least one.
    init(indices: [Int], weights: [UInt32], _ generator: inout SeededGenerator) {
        for (index, weight) in zip(indices, weights) {
            let interval = 1 / Double(weight)
            // A random first turn inside the interval keeps many proxies from moving in step.
            let share = Double(generator.next32()) / Double(UInt32.max)
            self.heap.append(Entry(due: interval * share, interval: interval, index: index))
        }
        self.heap.sort { $0.due < $1.due }
    }

    mutating func next() -> Int {
        let index = self.heap[0].index
        self.heap[0].due += self.heap[0].interval
        self.siftDown()
        return index
    }

    private mutating func siftDown() {
        var parent = 0
        while true {
            var child = parent * 2 + 1
            if child >= self.heap.count { return }
            if child + 1 < self.heap.count, self.heap[child + 1].due < self.heap[child].due { child += 1 }
            if self.heap[parent].due <= self.heap[child].due { return }
            self.heap.swapAt(parent, child)
            parent = child
        }
    }
}
