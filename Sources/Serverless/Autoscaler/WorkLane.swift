internal import Synchronization

/// A line of keys, and so many tasks that serve it.
final class WorkLane<Key: Hashable & Sendable>: Sendable {
    private let workers: Int
    private let queue = Mutex(WorkQueue<Key>())
    private let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation

    init(workers: Int) {
        self.workers = workers
        (self.signals, self.signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func add(_ keys: some Collection<Key>) {
        guard !keys.isEmpty else { return }
        self.queue.withLock { queue in
            for key in keys { queue.add(key) }
        }
        self.signal.yield()
    }

    /// Runs until cancelled.
    func run(_ work: @escaping @Sendable (Key) async -> Void) async {
        await withTaskGroup(of: Void.self) { group in
            var running = 0
            for await _ in self.signals {
                while let key = self.queue.withLock({ $0.next() }) {
                    if running >= self.workers {
                        await group.next()
                        running -= 1
                    }
                    running += 1
                    group.addTask {
                        await work(key)
                        if self.queue.withLock({ $0.done(key) }) { self.signal.yield() }
                    }
                }
            }
        }
    }
}
