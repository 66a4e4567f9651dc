package import MeshModel
package import TrafficEngine

/// What a proxy is told once, at its start.
package struct ProxyRuntimeOptions: Sendable {
    /// Event loops, each with its own listening sockets, pools and counters.
    package var concurrency: Int
    /// Looks up a name of a DNS cluster. Called off the event loops.
    package var resolve: @Sendable (String) async -> ResolvedName
    /// The DNS name that a workload last looked up for an address, for lines about blocked traffic.
    package var nameOfAddress: @Sendable (IPAddress) -> String?
    /// Names behind addresses that the proxy gave to names under wildcards; without it there are none.
    package var mintedNames: (any MintedNaming)?
    /// The names by which a workload was given an address at most `Duration` after their records expired, in lower case.
    package var namesGiven: @Sendable (IPAddress, Duration) -> [String] = { _, _ in [] }
    /// The workload's own choice about DNS-bound egress; `nil`: as the mesh says.
    package var dnsBoundEgressMode: DNSBoundEgress.Mode?
    /// Connections that one listener may have open on one loop; more are closed at once.
    package var connectionsMax: Int
    /// Checks tokens; without it every token is refused.
    package var tokenVerifier: (any TokenVerifying)?
    /// Asks authorization services; without it none can be reached.
    package var requestAuthorizer: (any RequestAuthorizing)?
    /// Asks the policy engine; without it, it cannot be reached.
    package var requestMixing: (any RequestMixing)?
    /// Opens connections to services for those who ask them; told how endpoints are secured.
    package var serviceConnector: ServiceConnector?
    /// Hears of requests for revisions that may have no pods; without it nobody wakes them.
    package var activationReporter: (any ActivationReporting)?
    /// How many requests of one revision may wait.
    package var heldRequestsMax = HeldRequests<Void>.waitingMaxDefault

    package init(
        concurrency: Int = 1,
        connectionsMax: Int = 100_000,
        resolve: @escaping @Sendable (String) async -> ResolvedName = { _ in ResolvedName() },
        nameOfAddress: @escaping @Sendable (IPAddress) -> String? = { _ in nil }
    ) {
        self.concurrency = max(1, concurrency)
        self.connectionsMax = connectionsMax
        self.resolve = resolve
        self.nameOfAddress = nameOfAddress
    }
}

/// What a name of a DNS cluster stands for.
package struct ResolvedName: Hashable, Sendable {
    /// Empty: not found, or nobody has ever answered.
    package var addresses: [IPAddress]
    /// Ask again after this; `nil`: as often as the cluster says.
    package var ttl: Duration?
    /// A server said that the name has no address: what was known before is gone, too. Without it nothing was learned.
    package var isDenied: Bool

    package init(addresses: [IPAddress] = [], ttl: Duration? = nil, isDenied: Bool = false) {
        self.addresses = addresses
        self.ttl = ttl
        self.isDenied = isDenied
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
