internal import Synchronization

/// Whether the client of a request is still there; its connection tells when it has left.
package final class ClientPresence: Sendable {
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
}
