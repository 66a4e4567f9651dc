package import ProxyRuntime
package import TrafficEngine

/// How far a proxy has come, in Envoy's words.
package enum ServerState: String, Sendable, Hashable {
    case live = "LIVE"
    case draining = "DRAINING"
    case preInitializing = "PRE_INITIALIZING"

    /// The number that Envoy's `server.state` shows.
    var number: Int {
        switch self {
        case .live: 0
        case .draining: 1
        case .preInitializing: 2
        }
    }
}

/// A listener, for `/listeners`.
package struct ListenerLine: Sendable, Hashable {
    package var name: String
    package var address: NetworkAddress

    package init(name: String, address: NetworkAddress) {
        self.name = name
        self.address = address
    }
}

/// What does not change while a proxy runs.
package struct ServerFacts: Sendable {
    package var version: String
    package var node: String
    package var mode: String
    package var concurrency: Int
    package var startedAt: ContinuousClock.Instant

    package init(
        version: String,
        node: String,
        mode: String,
        concurrency: Int,
        startedAt: ContinuousClock.Instant = .now
    ) {
        self.version = version
        self.node = node
        self.mode = mode
        self.concurrency = concurrency
        self.startedAt = startedAt
    }
}

/// Where the administration interface gets its answers from.
package struct AdminSources: Sendable {
    package var facts: ServerFacts
    package var state: @Sendable () async -> ServerState
    package var statistics: @Sendable () async -> ProxyStatistics
    /// Numbers of other parts, under their full names.
    package var otherStatistics: @Sendable () async -> [Statistic]
    package var listeners: @Sendable () async -> [ListenerLine]
    /// JSON text.
    package var configDump: @Sendable () async throws -> String
    /// Those in use, without keys.
    package var certificates: @Sendable () async -> [CertificateSet] = { [] }
    /// Names under wildcards and the addresses that they have here, as JSON text.
    package var mintedAddresses: @Sendable () async -> String = { "[]\n" }
    /// Where the configuration in force came from, in words.
    package var configurationSource: @Sendable () async -> String = { "file" }
    /// Answers `/dns` and what is below it.
    package var dns: @Sendable (AdminRequest) async -> AdminResponse = { _ in
        AdminResponse(404, body: "this proxy answers no DNS\n")
    }
    /// Answers `/policy/trace`.
    package var policyTrace: @Sendable (AdminRequest) async -> AdminResponse = { _ in
        AdminResponse(404, body: "this proxy asks no policy engine\n")
    }
    /// The current log level, and `false` for a word that is none.
    package var logLevel: @Sendable () -> String
    package var setLogLevel: @Sendable (String) -> Bool
    /// Ends the process in order.
    package var quit: @Sendable () -> Void

    package init(
        facts: ServerFacts,
        state: @escaping @Sendable () async -> ServerState,
        statistics: @escaping @Sendable () async -> ProxyStatistics,
        otherStatistics: @escaping @Sendable () async -> [Statistic] = { [] },
        listeners: @escaping @Sendable () async -> [ListenerLine],
        configDump: @escaping @Sendable () async throws -> String,
        logLevel: @escaping @Sendable () -> String,
        setLogLevel: @escaping @Sendable (String) -> Bool,
        quit: @escaping @Sendable () -> Void
    ) {
        self.facts = facts
        self.state = state
        self.statistics = statistics
        self.otherStatistics = otherStatistics
        self.listeners = listeners
        self.configDump = configDump
        self.logLevel = logLevel
        self.setLogLevel = setLogLevel
        self.quit = quit
    }
}
