internal import Synchronization

/// Whether the client of a request is still there; its connection tells when it has left.
package final class ClientPresence: Sendable {
    /// Why something was given up before it had ended.
    package enum GivenUp: Error, Sendable, Hashable {
        /// The client has left.
        case clientLeft
        /// Its time has run out.
        case late
    }

    private struct State {
        var hasLeft = false
        var onLeaving: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    package init() {}

    package var hasLeft: Bool { self.state.withLock { $0.hasLeft } }

    /// The client has closed its side, or its connection has ended.
    package func left() {
        let body = self.state.withLock { state in
            state.hasLeft = true
            defer { state.onLeaving = nil }
            return state.onLeaving
        }
        body?()
    }

    /// Calls `body` once when the client leaves, at once if it has left; one at a time.
    package func watch(_ body: @escaping @Sendable () -> Void) {
        let hasLeft = self.state.withLock { state in
            if !state.hasLeft { state.onLeaving = body }
            return state.hasLeft
        }
        if hasLeft { body() }
    }

    /// Nobody wants to know any more.
    package func unwatch() { self.state.withLock { $0.onLeaving = nil } }

    /// Runs `body` for as long as the client is there, `limit` at most; after that it is cancelled, and `GivenUp` is thrown
    /// once it has ended.
    package func whileThere<Value: Sendable>(
        limit: Duration,
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let (leavings, leaving) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingOldest(1))
        self.watch { leaving.yield() }
        defer { self.unwatch() }
        return try await withThrowingTaskGroup(of: Value.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await body() }
            group.addTask {
                for await _ in leavings { throw GivenUp.clientLeft }
                throw CancellationError()
            }
            group.addTask {
                try await Task.sleep(for: limit)
                throw GivenUp.late
            }
            // Whatever ends first decides.
            guard let value = try await group.next() else { throw CancellationError() }
            return value
        }
    }
}
