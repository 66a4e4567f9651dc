package import CertificateAuthority
import Synchronization

/// The authority in use and the roots to trust, as everybody in the process sees them.
package final class CurrentAuthority: Sendable {
    package struct Present: Sendable {
        package var authority: CertificateAuthority
        /// All roots to trust in one text, PEM.
        package var bundle: String

        package init(authority: CertificateAuthority, bundle: String) {
            self.authority = authority
            self.bundle = bundle
        }
    }

    private struct State {
        var present: Present?
        var observers: [Int: AsyncStream<Void>.Continuation] = [:]
        var counter = 0
    }

    private let state: Mutex<State>

    package init(_ present: Present? = nil) { self.state = Mutex(State(present: present)) }

    /// `nil` until the first authority is found or made.
    package var present: Present? { self.state.withLock(\.present) }

    package func update(_ present: Present) {
        let observers = self.state.withLock { state in
            state.present = present
            return Array(state.observers.values)
        }
        for observer in observers { observer.yield() }
    }

    /// Ticks at once and after every update; several updates may come as one tick.
    package func changes() -> AsyncStream<Void> {
        let (stream, source) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let id = self.state.withLock { state in
            state.counter += 1
            state.observers[state.counter] = source
            return state.counter
        }
        source.onTermination = { [weak self] _ in
            _ = self?.state.withLock { $0.observers.removeValue(forKey: id) }
        }
        source.yield()
        return stream
    }
}
