import Logging
import MeshModel
import ProxyRuntime
import Synchronization
import Testing
import TrafficEngine

@Suite struct RuntimeTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func listener(_ name: String, port: UInt16, log: AccessLogConfiguration? = nil) -> Listener {
        Listener(
            name: name,
            address: NetworkAddress(ip: TestProxy.loopback, port: port),
            chains: [FilterChain(name: name, terminal: .tcp(accessLogs: log.map { [$0] } ?? []))]
        )
    }

    @Test("A listener whose address is taken is reported, and the others open")
    func reportsTakenAddress() async throws {
        let other = try await RawServer.start()
        let runtime = ProxyRuntime(options: ProxyRuntimeOptions(concurrency: 2), logger: Self.logger)
        try await runtime.start()

        let failures = await runtime.apply(
            ProxyState(listeners: [Self.listener("taken", port: other.port), Self.listener("free", port: 0)])
        )

        #expect(failures.map(\.listener) == ["taken"])
        #expect(
            failures.first?.message
                == "cannot bind 127.0.0.1:\(other.port): address in use; is another proxy running?"
        )
        #expect(runtime.boundAddresses().keys.sorted() == ["free"])
        await runtime.stop()
        try await other.stop()
    }

    @Test("A listener with a log format that cannot be understood is reported with the operator's name")
    func reportsBadFormat() async throws {
        let runtime = ProxyRuntime(options: ProxyRuntimeOptions(), logger: Self.logger)
        try await runtime.start()
        let log = AccessLogConfiguration(path: "/dev/null", format: "%WRONG%")

        let failures = await runtime.apply(ProxyState(listeners: [Self.listener("one", port: 0, log: log)]))

        #expect(failures.map(\.message) == ["listener one: access log format: unknown operator: %WRONG%"])
        await runtime.stop()
    }

    @Test("A new state changes where connections go, and those under way stay")
    func replacesState() async throws {
        let old = try await RawServer.start()
        let new = try await RawServer.start()
        try await TestProxy.run(.tcp(), clusters: [.test(ports: old.port)]) { proxy in
            let first = try await proxy.connect()
            let oldEnd = await old.connection(0)
            let listener = Listener(
                name: "test",
                address: NetworkAddress(ip: TestProxy.loopback, port: 0),
                chains: [FilterChain(name: "chain", terminal: .tcp())]
            )
            let state = ProxyState(revision: 2, listeners: [listener], clusters: [.test(ports: new.port)])
            #expect(await proxy.runtime.apply(state).isEmpty)
            let second = try await proxy.connect()
            second.send("new")
            await new.connection(0).waitFor("new")
            first.send("old")
            await oldEnd.waitFor("old")
        }
        try await old.stop()
        try await new.stop()
    }

    @Test("A name of a cluster is looked up, and the first connection waits for the answer")
    func resolvesNames() async throws {
        let server = try await RawServer.start()
        let cluster = Cluster(
            id: ClusterID(index: 0),
            name: "endpoint",
            discovery: .dns([DNSEndpoint(host: "db.test", port: server.port)], keepsOne: false, refresh: .seconds(5))
        )
        let options = ProxyRuntimeOptions(resolve: { name in
            ResolvedName(addresses: name == "db.test" ? [TestProxy.loopback] : [])
        })
        try await TestProxy.run(.tcp(), clusters: [cluster], options: options) { proxy in
            let client = try await proxy.connect()
            client.send("hi")
            await server.connection(0).waitFor("hi")
        }
        try await server.stop()
    }

    @Test(
        "A cluster whose name is gone loses its endpoints; without any answer it keeps them",
        arguments: [true, false]
    )
    func losesNames(_ isDenied: Bool) async throws {
        let server = try await RawServer.start()
        let cluster = Cluster(
            id: ClusterID(index: 0),
            name: "endpoint",
            discovery: .dns([DNSEndpoint(host: "db.test", port: server.port)], keepsOne: false, refresh: .seconds(5))
        )
        let asked = Mutex(0)
        let options = ProxyRuntimeOptions(resolve: { _ in
            let number = asked.withLock { count in
                count += 1
                return count
            }
            let ttl = Duration.milliseconds(100)
            if number == 1 { return ResolvedName(addresses: [TestProxy.loopback], ttl: ttl) }
            return ResolvedName(ttl: ttl, isDenied: isDenied)
        })
        try await TestProxy.run(.http(), clusters: [cluster], options: options) { proxy in
            _ = await proxy.waitForStatistics { _ in asked.withLock { $0 } >= 3 }
            if isDenied {
                let statistics = await proxy.waitForStatistics { $0.clusters["endpoint"]?.endpoints == [] }
                #expect(statistics.clusters["endpoint"]?.endpoints == [])
                let client = try await proxy.connect()
                client.send(ForwardingTests.get)
                #expect(await client.waitFor("\r\n\r\n").hasPrefix("HTTP/1.1 503 "))
            } else {
                let client = try await proxy.connect()
                client.send(ForwardingTests.get)
                await server.connection(0).waitFor("GET /a")
            }
        }
        try await server.stop()
    }

    @Test("Draining waits for connections to end, and stops listening")
    func drains() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send(ForwardingTests.get)
            let endpoint = await server.connection(0)
            await endpoint.waitFor("\r\n\r\n")
            async let drained: Void = proxy.runtime.drain(.seconds(30))
            endpoint.send(ForwardingTests.ok)
            _ = await client.waitFor("ok")
            client.close()
            endpoint.close()
            await drained
            await #expect(throws: (any Error).self) { try await proxy.connect() }
        }
        try await server.stop()
    }
}
