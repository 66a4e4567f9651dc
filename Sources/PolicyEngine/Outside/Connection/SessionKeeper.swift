internal import Synchronization

/// Keeps a handler's session for all its calls: one opens it, the others wait for it.
final class SessionKeeper: Sendable {
    private typealias Waiter = CheckedContinuation<String, any Error>
    private typealias Question = @Sendable (inout SessionMachine, _ now: Duration) -> SessionMachine.OnWanted

    /// Sessions that wait to be closed. If they come faster than they are closed, adapters that forget sessions by
    /// themselves are the likelier ones.
    private static let closingsMax = 1024

    private struct State {
        var machine: SessionMachine
        var waiting: [UInt64: Waiter] = [:]
        var lastWaiter: UInt64 = 0
    }

    private let state: Mutex<State>
    private let now: @Sendable () -> Duration
    private let wishes: AsyncStream<Void>
    private let wish: AsyncStream<Void>.Continuation
    private let closings: AsyncStream<String>
    private let closing: AsyncStream<String>.Continuation

    init(seed: UInt64, now: @escaping @Sendable () -> Duration) {
        self.state = Mutex(State(machine: SessionMachine(seed: seed)))
        self.now = now
        (self.wishes, self.wish) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        (self.closings, self.closing) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(Self.closingsMax))
    }

    /// The session's name; waits for it no longer than `patience`.
    func session(within patience: Duration) async throws -> String {
        try await self.session(within: patience) { $0.wanted(at: $1) }
    }

    /// Another session than the one that a call has failed in; throws `status` if it is the call's fault.
    func session(
        insteadOf id: String,
        _ status: PolicyStatus,
        within patience: Duration
    ) async throws -> String {
        try await self.session(within: patience) { $0.wantedInstead(of: id, status, at: $1) }
    }

    private func session(within patience: Duration, _ question: @escaping Question) async throws -> String {
        switch self.asked(question) {
        case .use(let id): return id
        case .fail(let status): throw status
        case .open, .wait: ()
        }
        return try await withThrowingTaskGroup(of: String.self) { group in
            group.addTask { try await self.opened(question) }
            group.addTask {
                try await Task.sleep(for: patience)
                throw PolicyStatus(.unavailable, "the adapter has opened no session within \(patience)")
            }
            defer { group.cancelAll() }
            guard let id = try await group.next() else { throw SessionMachine.gone }
            return id
        }
    }

    private func asked(_ question: Question) -> SessionMachine.OnWanted {
        let answer = self.state.withLock { question(&$0.machine, self.now()) }
        if answer == .open { self.wish.yield() }
        return answer
    }

    private func opened(_ question: @escaping Question) async throws -> String {
        let number = self.state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (waiter: Waiter) in
                let answer = self.state.withLock { state in
                    // Who is cancelled before is not woken any more.
                    if Task.isCancelled { return SessionMachine.OnWanted.fail(SessionMachine.gone) }
                    let answer = question(&state.machine, self.now())
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

    /// Makes a call in a session, which is not closed before it has ended.
    func using<Answer, Mistake: Error>(
        _ id: String,
        _ call: () async throws(Mistake) -> Answer
    ) async throws(Mistake) -> Answer {
        self.state.withLock { $0.machine.began(id) }
        defer {
            if let unused = self.state.withLock({ $0.machine.ended(id) }) { self.closing.yield(unused) }
        }
        return try await call()
    }

    func helped(_ id: String) { self.state.withLock { $0.machine.helped(id) } }

    func trusted(_ id: String) { self.state.withLock { $0.machine.trusted(id, at: self.now()) } }

    /// Opens sessions when they are wanted, the first at once, until the task is cancelled.
    func run(open: () async throws -> String) async {
        _ = self.asked { $0.wanted(at: $1) }
        for await _ in self.wishes {
            let result: Result<String, any Error>
            do {
                result = .success(try await open())
            } catch {
                result = .failure(error as? PolicyStatus ?? PolicyStatus(.unavailable, "\(error)"))
            }
            let (unused, waiters) = self.state.withLock { state -> (String?, [UInt64: Waiter]) in
                var unused: String?
                switch result {
                case .success(let id): unused = state.machine.opened(id)
                case .failure(let error):
                    let status = error as? PolicyStatus ?? SessionMachine.gone
                    state.machine.openingFailed(status, at: self.now())
                }
                defer { state.waiting = [:] }
                return (unused, state.waiting)
            }
            if let unused { self.closing.yield(unused) }
            for waiter in waiters.values { waiter.resume(with: result) }
        }
        for waiter in self.end().waiters { waiter.resume(throwing: SessionMachine.gone) }
    }

    /// Closes sessions that others have taken the place of, until the task is cancelled.
    func runClosing(_ close: (_ id: String) async -> Void) async {
        for await id in self.closings { await close(id) }
    }

    /// No session is given out any more. Those that are to be closed.
    func close() -> [String] {
        let (ids, waiters) = self.end()
        for waiter in waiters { waiter.resume(throwing: SessionMachine.gone) }
        return ids
    }

    private func end() -> (ids: [String], waiters: [Waiter]) {
        self.state.withLock { state in
            defer { state.waiting = [:] }
            return (state.machine.closed(), Array(state.waiting.values))
        }
    }
}
