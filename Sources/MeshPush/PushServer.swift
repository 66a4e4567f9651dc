package import Logging
package import MeshModel
import Synchronization

/// Brings snapshots to proxies: gathers changes for a moment, publishes a generation, wakes the streams.
package final class PushServer: Sendable {
    private struct State {
        var generation: Generation
        /// The newest snapshot that is not published yet.
        var pending: MeshSnapshot?
        var gathering: Gathering
        /// Ends when what was gathered is due; cancelled when that is sooner.
        var pause: Task<Void, Never>?
        var connections: [UInt64: ConnectionEntry] = [:]
        var connectionCounter: UInt64 = 0
        var statistics = PushStatistics()
        /// Who waits for the first publication; `nil` once it has happened.
        var waiting: [CheckedContinuation<Void, Never>]? = []
    }

    /// A stream, as the rest of the server sees it.
    private struct ConnectionEntry {
        var proxy: ProxyKey
        var userAgent: String
        var wake: @Sendable () -> Void
        var progress: [ResourceKind: SubscriptionMachine.Progress] = [:]
    }

    private let state: Mutex<State>
    private let cache: TranslationCache
    /// Give Secrets also to proxies that have not proved who they are, by the plain port: for a mesh whose network is
    /// trusted as a whole.
    package let trustsUnauthenticated: Bool
    /// How long a proxy whose workload is not known yet may wait for that.
    let workloadLimit: Duration
    /// Hears of proxies that come and go.
    let observer: (any ProxyObserver)?
    private let logger: Logger
    private let changes: AsyncStream<Void>
    private let changed: AsyncStream<Void>.Continuation

    package init(
        snapshot: MeshSnapshot = MeshSnapshot(),
        debounce: Gathering.Debounce = Gathering.Debounce(),
        trustsUnauthenticated: Bool = false,
        workloadLimit: Duration = .seconds(5),
        observer: (any ProxyObserver)? = nil,
        logger: Logger
    ) {
        let first = Generation(number: 0, snapshot: snapshot, change: .everything, publishedAt: .now)
        self.state = Mutex(State(generation: first, gathering: Gathering(debounce)))
        self.cache = TranslationCache(first)
        self.trustsUnauthenticated = trustsUnauthenticated
        self.workloadLimit = workloadLimit
        self.observer = observer
        self.logger = logger
        (self.changes, self.changed) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Takes a snapshot to be published soon; a newer one that comes in time replaces it. To be called for one after the
    /// other.
    ///
    /// - Parameters:
    ///   - snapshot: of now.
    ///   - services: those whose endpoints may have changed since the last one; `nil`: all.
    package func update(_ snapshot: MeshSnapshot, services: Set<ServiceKey>? = nil) {
        let last = self.state.withLock { $0.pending ?? $0.generation.snapshot }
        let isUrgent = snapshot.hasFirstEndpoints(since: last, of: services)
        let pause = self.state.withLock { state -> Task<Void, Never>? in
            state.pending = snapshot
            return state.gathering.changed(isUrgent: isUrgent, now: .now) ? state.pause : nil
        }
        pause?.cancel()
        self.changed.yield()
    }

    /// Publishes what `update` brings, until cancelled.
    package func run() async {
        for await _ in self.changes {
            await self.gather()
            self.publish()
        }
        // Nothing will be published any more; who waits is cancelled, too, and finds out by itself.
        let waiting = self.state.withLock { state in
            defer { state.waiting?.removeAll() }
            return state.waiting ?? []
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Returns when the first snapshot is published: proxies that came earlier would be told that nothing exists.
    package func waitForFirst() async {
        await withCheckedContinuation { continuation in
            let isPublished = self.state.withLock { state in
                state.waiting?.append(continuation)
                return state.waiting == nil
            }
            if isPublished { continuation.resume() }
        }
    }

    /// Whether there is something to push.
    package var hasPublished: Bool { self.state.withLock { $0.waiting == nil } }

    /// All proxies and how far each has come, in order of names.
    package var status: [ProxyStatus] {
        let entries = self.state.withLock { Array($0.connections.values) }
        return entries.map { entry in
            ProxyStatus(
                proxy: "\(entry.proxy.workload.name).\(entry.proxy.workload.namespace)",
                address: entry.proxy.address.description,
                userAgent: entry.userAgent,
                progress: entry.progress
            )
        }
        .sorted { ($0.proxy, $0.address) < ($1.proxy, $1.address) }
    }

    package var statistics: PushStatistics {
        self.state.withLock {
            var statistics = $0.statistics
            statistics.proxiesConnected = $0.connections.count
            return statistics
        }
    }

    /// The snapshot that proxies have or are about to have.
    package var snapshot: MeshSnapshot { self.state.withLock { $0.generation.snapshot } }

    /// Waits until what has changed is due.
    private func gather() async {
        while !Task.isCancelled {
            // What is sooner from now on cancels the pause.
            let pause = self.state.withLock { state -> Task<Void, Never>? in
                state.pause = nil
                guard let due = state.gathering.due, due > .now else { return nil }
                state.pause = Task { try? await Task.sleep(until: due) }
                return state.pause
            }
            guard let pause else { return }
            await withTaskCancellationHandler {
                await pause.value
            } onCancel: {
                pause.cancel()
            }
        }
    }

    private func publish() {
        // Comparing may take a while; only this task publishes, so the lock need not be held for it.
        let (current, pending) = self.state.withLock { state in
            let pending = state.pending
            state.pending = nil
            state.gathering.published(now: .now)
            return (state.generation, pending)
        }
        guard let pending else { return }
        let change = SnapshotChange(from: current.snapshot, to: pending)
        var next = current
        next.snapshot = pending
        if change != .nothing {
            next.number += 1
            next.change = change
            next.publishedAt = .now
        }
        let (wakes, waiting) = self.state.withLock { state in
            state.generation = next
            let waiting = state.waiting ?? []
            state.waiting = nil
            if change == .nothing { return ([@Sendable () -> Void](), waiting) }
            state.statistics.generations += 1
            return (state.connections.values.map(\.wake), waiting)
        }
        self.logger.debug("generation published", metadata: ["revision": "\(pending.revision)"])
        for continuation in waiting { continuation.resume() }
        for wake in wakes { wake() }
    }
}

// What streams use.
extension PushServer {
    var generation: Generation { self.state.withLock { $0.generation } }

    func resources(for proxy: ProxyKey, in generation: Generation) async -> ResourceSet {
        await self.cache.resources(for: proxy, in: generation)
    }

    /// Registers a stream; `wake` is called when there is a new generation, and must not block.
    func connected(_ proxy: ProxyKey, userAgent: String, wake: @escaping @Sendable () -> Void) -> UInt64 {
        self.state.withLock { state in
            state.connectionCounter += 1
            state.connections[state.connectionCounter] = ConnectionEntry(
                proxy: proxy,
                userAgent: userAgent,
                wake: wake
            )
            return state.connectionCounter
        }
    }

    func disconnected(_ id: UInt64) async {
        self.observer?.disconnected(id)
        let (entry, others) = self.state.withLock { state in
            (state.connections.removeValue(forKey: id), state.connections.values.map(\.proxy))
        }
        guard let proxy = entry?.proxy, !others.contains(proxy) else { return }
        await self.cache.forget(proxy, others: others)
    }

    func report(
        _ id: UInt64,
        progress: [ResourceKind: SubscriptionMachine.Progress],
        _ count: (inout PushStatistics) -> Void
    ) {
        self.state.withLock { state in
            state.connections[id]?.progress = progress
            count(&state.statistics)
        }
    }
}
