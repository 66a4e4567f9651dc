internal import Synchronization

/// Keeps a handler's session for all its calls: one opens it, the others wait for it.
final class SessionKeeper: Sendable {
    private typealias Waiter = CheckedContinuation<String, any Error>

    private struct State {
        var machine: SessionMachine
        var waiting: [UInt64: Waiter] = [:]
        var lastWaiter: UInt64 = 0
    }

    private let state: Mutex<State>
    private let now: @Sendable () -> Duration
    private let wishes: AsyncStream<Void>
    private let wish: AsyncStream<Void>.Continuation

    init(seed: UInt64, now: @escaping @Sendable () -> Duration) {
        self.state = Mutex(State(machine: SessionMachine(seed: seed)))
        self.now = now
        (self.wishes, self.wish) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// The session's name; waits for it no longer than `patience`.
    func session(within patience: Duration) async throws -> String {
        switch self.wanted() {
        case .use(let id): return id
        case .fail(let status): throw status
        case .open, .wait: ()
        }
        return try await withThrowingTaskGroup(of: String.self) { group in
            group.addTask { try await self.opened() }
            group.addTask {
                try await Task.sleep(for: patience)
                throw PolicyStatus(.unavailable, "the adapter has opened no session within \(patience)")
            }
            defer { group.cancelAll() }
            guard let id = try await group.next() else { throw SessionMachine.gone }
            return id
        }
    }

    private func wanted() -> SessionMachine.OnWanted {
        let answer = self.state.withLock { $0.machine.wanted(at: self.now()) }
        if answer == .open { self.wish.yield() }
        return answer
    }

    private func opened() async throws -> String {
        let number = self.state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (waiter: Waiter) in
                let answer = self.state.withLock { state in
                    // Who is cancelled before is not woken any more.
                    if Task.isCancelled { return SessionMachine.OnWanted.fail(SessionMachine.gone) }
                    let answer = state.machine.wanted(at: self.now())
                    if answer == .open || answer == .wait { state.waiting[number] = waiter }
                    return answer
                }
                switch answer {
                case .use(let id): waiter.resume(returning: id)
                case .fail(let status): waiter.resume(throwing: status)
                case .open: self.wish.yield()
                case .wait: ()
                }
            }
        } onCancel: {
            self.state.withLock { $0.waiting.removeValue(forKey: number) }?.resume(throwing: CancellationError())
        }
    }

    func proven(_ id: String) { self.state.withLock { $0.machine.proven(id) } }

    func lost(_ id: String, _ status: PolicyStatus) {
        self.state.withLock { $0.machine.lost(id, status, at: self.now()) }
    }

    /// Opens sessions when they are wanted, the first at once, until the task is cancelled.
    func run(open: () async throws -> String) async {
        _ = self.wanted()
        for await _ in self.wishes {
            let result: Result<String, any Error>
            do {
                result = .success(try await open())
            } catch {
                result = .failure(error as? PolicyStatus ?? PolicyStatus(.unavailable, "\(error)"))
            }
            let waiters = self.state.withLock { state -> [UInt64: Waiter] in
                switch result {
                case .success(let id): state.machine.opened(id)
                case .failure(let error):
                    let status = error as? PolicyStatus ?? SessionMachine.gone
                    state.machine.openingFailed(status, at: self.now())
                }
                defer { state.waiting = [:] }
                return state.waiting
            }
            for waiter in waiters.values { waiter.resume(with: result) }
        }
        for waiter in self.end().waiters { waiter.resume(throwing: SessionMachine.gone) }
    }

    /// No session is given out any more. The last one, which is to be closed.
    func close() -> String? {
        let (id, waiters) = self.end()
        for waiter in waiters { waiter.resume(throwing: SessionMachine.gone) }
        return id
    }

    private func end() -> (id: String?, waiters: [Waiter]) {
        self.state.withLock { state in
            defer { state.waiting = [:] }
            return (state.machine.closed(), Array(state.waiting.values))
        }
    }
}
