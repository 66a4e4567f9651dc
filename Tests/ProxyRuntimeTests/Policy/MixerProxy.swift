import MeshModel
import ProxyRuntime
import Synchronization
import Testing
import TrafficEngine

/// A policy engine that answers as the test wants, from another thread.
final class TestEngine: RequestMixing {
    private struct State {
        var questions: [MixerQuestion] = []
        /// Questions that wait for `release`; `nil`: they are answered at once.
        var held: [@Sendable (MixerAnswer) -> Void]?
    }

    private let answer: MixerAnswer
    private let state: Mutex<State>
    private let told: AsyncStream<[MixerReport]>.Continuation
    let reports: AsyncStream<[MixerReport]>

    /// `holds`: it takes its time until `release`.
    init(_ answer: MixerAnswer, holds: Bool = false) {
        self.answer = answer
        self.state = Mutex(State(held: holds ? [] : nil))
        (self.reports, self.told) = AsyncStream.makeStream()
    }

    var questions: [MixerQuestion] { self.state.withLock { $0.questions } }

    func check(_ question: MixerQuestion, completion: @escaping @Sendable (MixerAnswer) -> Void) {
        let isHeld = self.state.withLock { state in
            state.questions.append(question)
            state.held?.append(completion)
            return state.held != nil
        }
        if !isHeld { completion(self.answer) }
    }

    /// Answers what waits, and from now on at once.
    func release() {
        let held = self.state.withLock { state in
            defer { state.held = nil }
            return state.held ?? []
        }
        for completion in held { completion(self.answer) }
    }

    func makeReportWriter() -> any ReportWriting { Writer(told: self.told) }

    func report(
        _ messages: [ReportMessage],
        to endpoints: [ServiceEndpoint],
        completion: @escaping @Sendable (Int) -> Void
    ) {
        completion(0)
    }

    /// Tells the test of reports instead of writing them.
    private final class Writer: ReportWriting {
        private let told: AsyncStream<[MixerReport]>.Continuation
        private var reports: [MixerReport] = []

        init(told: AsyncStream<[MixerReport]>.Continuation) { self.told = told }

        var byteCount: Int { 0 }

        func add(_ report: MixerReport) { self.reports.append(report) }

        func take() -> [ReportMessage] {
            defer { self.reports = [] }
            self.told.yield(self.reports)
            return [ReportMessage(bytes: [], count: self.reports.count)]
        }
    }
}

/// A proxy that has an engine asked about requests; all go to cluster 1, the engine is behind cluster 0.
struct MixerProxy {
    var engine: TestEngine?
    var failsOpen = false
    var checks = true
    var reports = false
    var side = MixerPolicy.Side.inbound
    var quotas: [QuotaRule] = []
    var service: MixerService?
    var activation: RevisionActivation?
    var timeout: Duration?
    var forwarded: [UInt8] = []
    var retry: RetryPolicy?
    /// The number of the cluster that requests go to.
    var target = 1
    var policies: [HTTPPolicy] = []
    var connectionPolicies: [ConnectionPolicy] = []
    var tokenVerifier: (any TokenVerifying)?
    /// It passes bytes on and understands none.
    var isTCP = false
    var reportInterval = Duration.seconds(10)
    /// In place of the one route to the target.
    var routes: [Route] = []
    /// From number 2 on.
    var furtherClusters: [Cluster] = []
    var accessLogs: [AccessLogConfiguration] = []
    var normalizesPath = false

    static func run(
        _ engine: TestEngine?,
        failsOpen: Bool = false,
        reports: Bool = false,
        quotas: [QuotaRule] = [],
        _ body: (TestProxy, RawConnection, RawServer) async throws -> Void
    ) async throws {
        let setup = MixerProxy(engine: engine, failsOpen: failsOpen, reports: reports, quotas: quotas)
        let endpoint = try await RawServer.start()
        try await setup.run(ports: [endpoint.port]) { proxy in
            try await body(proxy, try await proxy.connect(), endpoint)
        }
        try await endpoint.stop()
    }

    /// Runs it with endpoints on these ports.
    func run(ports: [UInt16], _ body: (TestProxy) async throws -> Void) async throws {
        var options = ProxyRuntimeOptions()
        options.requestMixing = self.engine
        options.tokenVerifier = self.tokenVerifier
        try await TestProxy.run(
            self.terminal,
            policies: self.connectionPolicies,
            clusters: self.clusters(ports),
            options: options,
            body
        )
    }

    /// Other endpoints from now on.
    func apply(ports: [UInt16], to proxy: TestProxy) async {
        let listener = Listener(
            name: "test",
            address: NetworkAddress(ip: TestProxy.loopback, port: 0),
            chains: [FilterChain(name: "chain", terminal: self.terminal)]
        )
        let state = ProxyState(revision: 2, listeners: [listener], clusters: self.clusters(ports))
        let failures = await proxy.runtime.apply(state)
        #expect(failures.isEmpty)
    }

    private func clusters(_ ports: [UInt16]) -> [Cluster] {
        let endpoints = ports.map { ClusterEndpoint(address: NetworkAddress(ip: TestProxy.loopback, port: $0)) }
        let target = Cluster(
            id: ClusterID(index: 1),
            name: "target",
            discovery: .endpoints(endpoints),
            activation: self.activation,
            service: self.service
        )
        // The engine's address only has to be one: what asks it is the test.
        return [.test(ports: ports.first ?? 1), target] + self.furtherClusters
    }

    var terminal: FilterChain.Terminal {
        let forward = ForwardAction(
            clusters: [WeightedCluster(cluster: ClusterID(index: self.target), name: "target")],
            timeout: self.timeout,
            retry: self.retry
        )
        let route = Route(name: "route", match: RouteMatch(path: .prefix(Array("/".utf8))), action: .forward(forward))
        let server = MixerPolicy.Server(cluster: ClusterID(index: 0), name: "endpoint")
        let policy = MixerPolicy(
            side: self.side,
            checkServer: self.checks ? server : nil,
            reportServer: self.reports ? server : nil,
            failsOpen: self.failsOpen,
            services: [MixerServiceRules(host: "*", quotas: self.quotas)],
            forwarded: self.forwarded,
            reportInterval: self.reportInterval
        )
        if self.isTCP {
            let target = WeightedCluster(cluster: ClusterID(index: self.target), name: "target")
            return .tcp(TCPProxy(statPrefix: "test", clusters: [target], mixer: policy))
        }
        let routes = self.routes.isEmpty ? [route] : self.routes
        return .http(
            HTTPConnectionManager(
                statPrefix: "test",
                routes: .inline(
                    RouteTable(name: "t", virtualHosts: [VirtualHost(name: "all", domains: ["*"], routes: routes)])
                ),
                addsForwardingHeaders: false,
                accessLogs: self.accessLogs,
                normalizesPath: self.normalizesPath,
                policies: self.policies,
                mixer: policy
            )
        )
    }
}
