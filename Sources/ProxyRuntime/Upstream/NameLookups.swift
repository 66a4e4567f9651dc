internal import NIOCore

/// Looks names up for all event loops, off them.
final class NameLookups: Sendable {
    private struct Job: Sendable {
        var name: String
        var loop: any EventLoop
        var done: @Sendable (ResolvedName) -> Void
    }

    /// Lookups that wait to begin; for more nothing is found, which is asked again soon.
    private static let waitingMax = 4096

    private let resolve: @Sendable (String) async -> ResolvedName
    private let jobs: (stream: AsyncStream<Job>, continuation: AsyncStream<Job>.Continuation)

    init(_ resolve: @escaping @Sendable (String) async -> ResolvedName) {
        self.resolve = resolve
        self.jobs = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.waitingMax))
    }

    /// `done` is called on `loop`, later, unless the proxy stops before.
    func lookUp(_ name: String, on loop: any EventLoop, _ done: @escaping @Sendable (ResolvedName) -> Void) {
        switch self.jobs.continuation.yield(Job(name: name, loop: loop, done: done)) {
        case .enqueued: ()
        case .dropped, .terminated: loop.execute { done(ResolvedName()) }
        @unknown default: loop.execute { done(ResolvedName()) }
        }
    }

    /// Until it is cancelled; the resolver's time limit bounds each lookup.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await job in self.jobs.stream {
                group.addTask {
                    let answer = await self.resolve(job.name)
                    // The loop may be gone then.
                    if !Task.isCancelled { job.loop.execute { job.done(answer) } }
                }
            }
            group.cancelAll()
        }
    }
}
