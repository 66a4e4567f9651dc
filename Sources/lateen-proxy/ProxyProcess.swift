import AdminServer
import Logging
import MeshModel
import NIOCore
import NIOPosix
import ProxyRuntime
import RequestAuthorities
import TrafficEngine

/// What `run` and `sidecar` have in common: the runtime, what it was told, and the admin interface.
struct ProxyProcess: Sendable {
    let runtime: ProxyRuntime
    /// Asked about requests by policies; has to be run.
    let authorities: RequestAuthorities
    let facts: ServerFacts
    let level: LogLevel
    let stop: StopSignal
    let logger: Logger

    /// The listeners of the last state.
    let listeners: Shared<[ListenerLine]>
    let state: Shared<ServerState>

    init(options: ProxyRuntimeOptions, facts: ServerFacts, level: LogLevel) {
        self.logger = Logger(label: "proxy")
        let connector = ServiceConnector()
        self.authorities = RequestAuthorities(connector: connector, logger: Logger(label: "authorities"))
        var options = options
        options.serviceConnector = connector
        options.tokenVerifier = self.authorities.tokens
        options.requestAuthorizer = self.authorities.services
        options.requestMixing = self.authorities.mixer
        self.runtime = ProxyRuntime(options: options, logger: self.logger)
        self.facts = facts
        self.level = level
        self.stop = StopSignal()
        self.listeners = Shared([])
        self.state = Shared(.preInitializing)
    }

    /// Puts a state into force; returns what could not be bound.
    func apply(_ state: ProxyState) async -> [ListenerFailure] {
        let failures = await self.runtime.apply(state)
        self.listeners.value = state.listeners.map { ListenerLine(name: $0.name, address: $0.address) }
        self.logger.info(
            "configuration applied",
            metadata: ["revision": "\(state.revision)", "listeners": "\(state.listeners.count)"]
        )
        return failures
    }

    func sources(
        otherStatistics: @escaping @Sendable () async -> [Statistic] = { [] },
        configDump: @escaping @Sendable () async throws -> String
    ) -> AdminSources {
        AdminSources(
            facts: self.facts,
            state: { self.state.value },
            statistics: { await self.runtime.statistics() },
            otherStatistics: otherStatistics,
            listeners: { self.listeners.value },
            configDump: {
                // Shows everything once and touches half of the program for it.
                defer { ResidentMemory.releaseStartPages() }
                return try await configDump()
            },
            logLevel: { self.level.current.rawValue },
            setLogLevel: { self.level.set($0) },
            quit: { self.stop.send("/quitquitquit") }
        )
    }
}
