import Logging
import MeshModel
import ProxyRuntime
import Testing
import TrafficEngine

/// A running proxy with one listener on a free port of loopback.
struct TestProxy {
    let runtime: ProxyRuntime
    let port: UInt16

    static let loopback = IPAddress.v4(0x7f00_0001)

    /// Runs `body` with a proxy, and stops it.
    static func run(
        _ terminal: FilterChain.Terminal,
        policies: [ConnectionPolicy] = [],
        clusters: [Cluster],
        inspects: Bool = false,
        inspectionTimeout: Duration? = nil,
        options: ProxyRuntimeOptions = ProxyRuntimeOptions(),
        dnsBoundEgress: DNSBoundEgress? = nil,
        _ body: (TestProxy) async throws -> Void
    ) async throws {
        let runtime = ProxyRuntime(options: options, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await runtime.start()
        let listener = Listener(
            name: "test",
            address: NetworkAddress(ip: Self.loopback, port: 0),
            chains: [FilterChain(name: "chain", connectionPolicies: policies, terminal: terminal)],
            inspectsHTTP: inspects,
            inspectsTLS: inspects,
            inspectionTimeout: inspectionTimeout,
            dnsBoundEgress: dnsBoundEgress
        )
        let failures = await runtime.apply(ProxyState(revision: 1, listeners: [listener], clusters: clusters))
        #expect(failures.isEmpty)
        let port = try #require(runtime.boundAddresses()["test"]?.port)
        do {
            try await body(TestProxy(runtime: runtime, port: port))
        } catch {
            await runtime.stop()
            throw error
        }
        await runtime.stop()
    }

    func connect() async throws -> RawConnection { try await RawConnection.connect(port: self.port) }

    /// Waits until the counters satisfy `condition`; what never comes is an issue, not a hang.
    func waitForStatistics(
        sourceLocation: SourceLocation = #_sourceLocation,
        _ condition: (ProxyStatistics) -> Bool
    ) async -> ProxyStatistics {
        let deadline = ContinuousClock.now + .seconds(20)
        while true {
            let statistics = await self.runtime.statistics()
            if condition(statistics) { return statistics }
            guard ContinuousClock.now < deadline else {
                Issue.record(
                    "the counters never came to what is awaited: \(statistics)",
                    sourceLocation: sourceLocation
                )
                return statistics
            }
            await Task.yield()
        }
    }
}

extension Cluster {
    /// Number 0, with endpoints on ports of loopback.
    static func test(
        ports: UInt16...,
        index: Int = 0,
        name: String = "endpoint",
        connectTimeout: Duration = .seconds(5),
        limits: ClusterLimits = ClusterLimits(),
        balancing: Balancing = .roundRobin
    ) -> Cluster {
        Cluster(
            id: ClusterID(index: index),
            name: name,
            discovery: .endpoints(
                ports.map { ClusterEndpoint(address: NetworkAddress(ip: TestProxy.loopback, port: $0)) }
            ),
            balancing: balancing,
            connectTimeout: connectTimeout,
            limits: limits
        )
    }
}

extension FilterChain.Terminal {
    /// Everything goes to cluster 0.
    static func http(
        _ action: Route.Action? = nil,
        timeout: Duration? = nil,
        retry: RetryPolicy? = nil,
        idleTimeout: Duration? = nil,
        requestHeadTimeout: Duration? = .seconds(10),
        streamIdleTimeout: Duration? = nil,
        headBytesMax: Int = 60 * 1024,
        addsForwardingHeaders: Bool = false,
        appendsPeerAddress: Bool = false,
        allowsUpgrade: Bool = false,
        virtualHostName: String = "all",
        accessLogs: [AccessLogConfiguration] = [],
        match: RouteMatch.Path = .prefix(Array("/".utf8)),
        prefixRewrite: String? = nil,
        hostRewrite: String? = nil,
        requestHeaders: HeaderEdits = HeaderEdits(),
        responseHeaders: HeaderEdits = HeaderEdits()
    ) -> FilterChain.Terminal {
        let forward = ForwardAction(
            clusters: [WeightedCluster(cluster: ClusterID(index: 0), name: "endpoint")],
            timeout: timeout,
            retry: retry,
            prefixRewrite: prefixRewrite.map { Array($0.utf8) },
            hostRewrite: hostRewrite.map { Array($0.utf8) }
        )
        let route = Route(
            name: "route",
            match: RouteMatch(path: match),
            action: action ?? .forward(forward),
            requestHeaders: requestHeaders,
            responseHeaders: responseHeaders
        )
        let table = RouteTable(
            name: "table",
            virtualHosts: [VirtualHost(name: virtualHostName, domains: ["*"], routes: [route])]
        )
        return .http(
            HTTPConnectionManager(
                statPrefix: "test",
                routes: .inline(table),
                idleTimeout: idleTimeout,
                requestHeadTimeout: requestHeadTimeout,
                streamIdleTimeout: streamIdleTimeout,
                headBytesMax: headBytesMax,
                addsForwardingHeaders: addsForwardingHeaders,
                appendsPeerAddress: appendsPeerAddress,
                allowsUpgrade: allowsUpgrade,
                accessLogs: accessLogs
            )
        )
    }

    static func tcp(
        idleTimeout: Duration? = nil,
        name: String = "endpoint",
        accessLogs: [AccessLogConfiguration] = []
    ) -> FilterChain.Terminal {
        .tcp(
            TCPProxy(
                statPrefix: "test",
                clusters: [WeightedCluster(cluster: ClusterID(index: 0), name: name)],
                idleTimeout: idleTimeout,
                accessLogs: accessLogs
            )
        )
    }
}
