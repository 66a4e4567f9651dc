package import Logging
package import TrafficEngine

/// The data plane: listeners, connections and requests of one proxy.
package final class ProxyRuntime: Sendable {
    private let options: ProxyRuntimeOptions
    private let logger: Logger

    package init(options: ProxyRuntimeOptions, logger: Logger) {
        self.options = options
        self.logger = logger
    }

    /// Starts the event loops; nothing listens until a state is applied.
    package func start() async throws {}

    /// Replaces what the proxy does; returns the listeners that could not be opened.
    package func apply(_ state: ProxyState) async -> [ListenerFailure] { [] }

    /// What all loops have counted.
    package func statistics() async -> ProxyStatistics { ProxyStatistics() }

    /// Stops accepting, and waits until the last connection has ended or `limit` is over.
    package func drain(_ limit: Duration) async {}

    /// Closes everything and ends the event loops.
    package func stop() async {}
}
