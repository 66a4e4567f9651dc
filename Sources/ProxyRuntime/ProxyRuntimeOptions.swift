package import MeshModel

/// What a proxy is told once, at its start.
package struct ProxyRuntimeOptions: Sendable {
    /// Event loops, each with its own listening sockets, pools and counters.
    package var concurrency: Int
    /// Looks up a name of a DNS cluster; empty: not found or no answer. Called off the event loops.
    package var resolve: @Sendable (String) async -> [IPAddress]
    /// The DNS name that a workload last looked up for an address, for lines about blocked traffic.
    package var nameOfAddress: @Sendable (IPAddress) -> String?
    /// Connections that one listener may have open on one loop; more are closed at once.
    package var connectionsMax: Int

    package init(
        concurrency: Int = 1,
        connectionsMax: Int = 100_000,
        resolve: @escaping @Sendable (String) async -> [IPAddress] = { _ in [] },
        nameOfAddress: @escaping @Sendable (IPAddress) -> String? = { _ in nil }
    ) {
        self.concurrency = max(1, concurrency)
        self.connectionsMax = connectionsMax
        self.resolve = resolve
        self.nameOfAddress = nameOfAddress
    }
}

/// A listener that could not be opened; the others go on.
package struct ListenerFailure: Error, Sendable, Hashable, CustomStringConvertible {
    package var listener: String
    /// What happened, to what, and where to look.
    package var message: String

    package init(listener: String, message: String) {
        self.listener = listener
        self.message = message
    }

    package var description: String { self.message }
}
