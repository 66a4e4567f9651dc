internal import Synchronization

/// Hands name table updates from where they come to where they are applied; what comes while one is applied is put
/// together, so that nothing is lost and little waits.
final class NameTableMailbox: Sendable {
    private let pending = Mutex(NameTableUpdate?.none)
    private let arrivals: (stream: AsyncStream<Void>, continuation: AsyncStream<Void>.Continuation)

    init() { self.arrivals = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

    func put(_ update: NameTableUpdate) {
        self.pending.withLock { pending in
            var all = pending ?? NameTableUpdate()
            all.append(update)
            pending = all
        }
        self.arrivals.continuation.yield()
    }

    /// Hands out updates until it is cancelled.
    func run(_ apply: (NameTableUpdate) async -> Void) async {
        for await _ in self.arrivals.stream {
            let update = self.pending.withLock { pending in
                defer { pending = nil }
                return pending
            }
            if let update { await apply(update) }
        }
    }
}
