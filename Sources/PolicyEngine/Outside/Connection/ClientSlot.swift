internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import Synchronization

/// Where calls find the client of an adapter. It is made beside requests, as its files are to be read first; until
/// then calls wait.
final class ClientSlot: Sendable {
    typealias Client = GRPCClient<HTTP2ClientTransport.Posix>
    private typealias Waiter = CheckedContinuation<Client, any Error>

    private enum Content {
        case missing
        case client(Client)
        /// It cannot be made now.
        case failed(PolicyStatus)
    }

    private struct State {
        var content = Content.missing
        /// No more than calls may be under way.
        var waiting: [UInt64: Waiter] = [:]
        var lastWaiter: UInt64 = 0
    }

    private let state = Mutex(State())

    func fill(_ client: Client) { self.settle(.client(client), .success(client)) }

    func fail(_ status: PolicyStatus) { self.settle(.failed(status), .failure(status)) }

    private func settle(_ content: sending Content, _ result: Result<Client, PolicyStatus>) {
        let waiting = self.state.withLock { state in
            state.content = content
            defer { state.waiting = [:] }
            return state.waiting
        }
        for waiter in waiting.values { waiter.resume(with: result) }
    }

    /// The client; waits for it no longer than `patience`.
    func client(within patience: Duration) async throws -> Client {
        switch self.state.withLock({ $0.content }) {
        case .client(let client): return client
        case .failed(let status): throw status
        case .missing: ()
        }
        return try await withThrowingTaskGroup(of: Client.self) { group in
            group.addTask { try await self.settled() }
            group.addTask {
                try await Task.sleep(for: patience)
                throw PolicyStatus(.unavailable, "its connection was not ready within \(DurationText.text(patience))")
            }
            defer { group.cancelAll() }
            guard let client = try await group.next() else { throw CancellationError() }
            return client
        }
    }

    private func settled() async throws -> Client {
        let number = self.state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (waiter: Waiter) in
                let result: Result<Client, any Error>? = self.state.withLock { state in
                    // Who is cancelled before is not woken any more.
                    if Task.isCancelled { return .failure(CancellationError()) }
                    switch state.content {
                    case .client(let client): return .success(client)
                    case .failed(let status): return .failure(status)
                    case .missing:
                        state.waiting[number] = waiter
                        return nil
                    }
                }
                if let result { waiter.resume(with: result) }
            }
        } onCancel: {
            self.state.withLock { $0.waiting.removeValue(forKey: number) }?.resume(throwing: CancellationError())
        }
    }
}
