import Dispatch
package import Foundation
import KubernetesAPI
import Synchronization

/// Objects on disk and in memory: durable writes in one order, reads and resumable watches from memory.
///
/// Writes that arrive while one is being synced are committed together with the next: many clients share the cost
/// of one `fsync`.
package final class ObjectStore: Sendable {
    private struct State {
        var index: StoreIndex
        var pending: [@Sendable (inout StoreTransaction) -> (@Sendable (Result<Void, any Error>) -> Void)?] = []
        var watchers: [Int: Watcher] = [:]
        var nextWatcher = 0
    }

    private struct Watcher {
        var resource: GroupResource?
        var signal: AsyncStream<Void>.Continuation
    }

    private let database: StoreDatabase
    private let state: Mutex<State>
    private let writer = DispatchQueue(label: "lateen.store.writer")

    package init(file: URL, historyMax: Int) throws {
        self.database = try StoreDatabase(file: file)
        let loaded = try self.database.load()
        self.state = Mutex(
            State(index: StoreIndex(version: loaded.version, objects: loaded.objects, historyMax: historyMax))
        )
    }

    // MARK: Reads

    package func read<R: Sendable>(_ body: (borrowing StoreIndex) throws -> R) rethrows -> R {
        try self.state.withLock { try body($0.index) }
    }

    package func object(_ key: StoreKey) -> StoredObject? { self.read { $0.object(key) } }

    package func objects(of resource: GroupResource, namespace: String? = nil) -> [StoredObject] {
        self.read { $0.objects(of: resource, namespace: namespace) }
    }

    // MARK: Writes

    /// Runs `body` against the latest state; its changes are durable and visible when this returns.
    ///
    /// `body` runs on the writer's thread, one at a time, and may be any pure function of the transaction; what it
    /// throws discards its own changes only.
    package func write<R: Sendable>(_ body: @escaping @Sendable (inout StoreTransaction) throws -> R) async throws -> R
    {
        try await withCheckedThrowingContinuation { continuation in
            let operation: @Sendable (inout StoreTransaction) -> (@Sendable (Result<Void, any Error>) -> Void)? = {
                var attempt = $0
                do {
                    let value = try body(&attempt)
                    $0 = attempt
                    return { outcome in continuation.resume(with: outcome.map { value }) }
                } catch {
                    continuation.resume(throwing: error)
                    return nil
                }
            }
            let isFirst = self.state.withLock { state in
                state.pending.append(operation)
                return state.pending.count == 1
            }
            if isFirst { self.writer.async { self.commitPending() } }
        }
    }

    private struct Batch {
        var changes: [StoreChange]
        var version: Int64
        var finishers: [@Sendable (Result<Void, any Error>) -> Void]
    }

    private func commitPending() {
        let batch = self.runPending()
        let outcome = Result {
            if !batch.changes.isEmpty { try self.database.commit(batch.changes, version: batch.version) }
        }
        if case .success = outcome, !batch.changes.isEmpty { self.publish(batch) }
        for finish in batch.finishers { finish(outcome) }
    }

    /// Runs what is waiting; gives up its copy of the index before the index is changed, which would copy all of it.
    private func runPending() -> Batch {
        let (pending, index) = self.state.withLock { state in
            let pending = state.pending
            state.pending = []
            return (pending, state.index)
        }
        var transaction = StoreTransaction(index: index)
        let finishers = pending.compactMap { $0(&transaction) }
        return Batch(changes: transaction.changes, version: transaction.version, finishers: finishers)
    }

    private func publish(_ batch: Batch) {
        let touched = Set(batch.changes.map(\.after.key.resource))
        let signals = self.state.withLock { state in
            state.index.apply(batch.changes, version: batch.version)
            return state.watchers.values.filter { $0.resource.map(touched.contains) ?? true }.map(\.signal)
        }
        for signal in signals { signal.yield() }
    }

    // MARK: Watches

    /// A wake-up after each commit that touches a kind (any kind if `nil`); several commits may share one.
    ///
    /// Changes themselves are read from the index's history, so a slow reader costs nothing but its own 410.
    package func wakeups(for resource: GroupResource?) -> AsyncStream<Void> {
        let (stream, signal) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let id = self.state.withLock { state in
            state.nextWatcher += 1
            state.watchers[state.nextWatcher] = Watcher(resource: resource, signal: signal)
            return state.nextWatcher
        }
        signal.onTermination = { [weak self] _ in
            self?.state.withLock { _ = $0.watchers.removeValue(forKey: id) }
        }
        return stream
    }
}
