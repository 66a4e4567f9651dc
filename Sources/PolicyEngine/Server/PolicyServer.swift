package import Logging
internal import Synchronization

/// The engine in a process: the configuration in force, and what its handlers run beside requests.
package final class PolicyServer: Sendable {
    private let state: Mutex<PolicyDispatcher>
    private let logger: Logger
    private let configurations: AsyncStream<PolicyConfiguration>
    private let changed: AsyncStream<PolicyConfiguration>.Continuation

    package init(_ configuration: PolicyConfiguration = .empty, logger: Logger) {
        self.state = Mutex(PolicyDispatcher(configuration, logger: logger))
        self.logger = logger
        (self.configurations, self.changed) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        self.changed.yield(configuration)
    }

    /// What requests are decided by from now on; those under way end as they began.
    package func update(_ configuration: PolicyConfiguration) {
        self.state.withLock { $0 = PolicyDispatcher(configuration, logger: self.logger) }
        self.changed.yield(configuration)
    }

    package var dispatcher: PolicyDispatcher { self.state.withLock { $0 } }

    /// Runs the handlers of each configuration, until cancelled. One that goes on in the next is left alone.
    package func run() async {
        await withDiscardingTaskGroup { group in
            var running: [HandlerName: (generation: UInt64, stop: AsyncStream<Never>.Continuation)] = [:]
            for await configuration in self.configurations {
                for (name, entry) in running where configuration.handlers[name]?.generation != entry.generation {
                    entry.stop.finish()
                    running[name] = nil
                }
                for (name, handler) in configuration.handlers where running[name] == nil {
                    let (stopped, stop) = AsyncStream<Never>.makeStream()
                    running[name] = (handler.generation, stop)
                    group.addTask { await Self.run(handler.handler, until: stopped) }
                }
            }
            group.cancelAll()
        }
    }

    private static func run(_ handler: any PolicyHandler, until stopped: AsyncStream<Never>) async {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await handler.run()
                return false
            }
            group.addTask {
                for await _ in stopped {}
                await handler.retire()
                return true
            }
            // A handler that has nothing to do returns at once; what stands beside it waits for the end.
            for await isStopped in group where isStopped { group.cancelAll() }
        }
    }
}
