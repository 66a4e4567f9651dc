import MeshModel
import ProxyRuntime
import Synchronization
import Testing
import TrafficEngine

/// Requests for revisions wait in the proxy.
@Suite struct ParkingTests {
    private static let revision = ObjectID(namespace: "default", name: "hello-00001")
    /// Nobody listens on it, and no test is given it.
    private static let closedPort: UInt16 = 1

    private final class Reports: ActivationReporting {
        let concurrencies = Mutex<[Double]>([])
        let (told, bell) = AsyncStream<Double>.makeStream()

        func report(_ revision: ObjectID, _ report: ActivationReport, by side: RevisionActivation.Side) {
            guard revision == ParkingTests.revision, side == .callers else { return }
            self.concurrencies.withLock { $0.append(report.concurrency) }
            self.bell.yield(report.concurrency)
        }
    }

    private func cluster(_ ports: [UInt16], concurrency: Int = 0) -> Cluster {
        self.cluster(ports, activation: RevisionActivation(revision: Self.revision, concurrencyMax: concurrency))
    }

    private func cluster(
        _ ports: [UInt16],
        isReady: Bool = true,
        activation: RevisionActivation?
    ) -> Cluster {
        Cluster(
            id: ClusterID(index: 0),
            name: "endpoint",
            discovery: .endpoints(
                ports.map {
                    ClusterEndpoint(address: NetworkAddress(ip: TestProxy.loopback, port: $0), isHealthy: isReady)
                }
            ),
            activation: activation
        )
    }

    private func apply(_ cluster: Cluster, _ terminal: FilterChain.Terminal, to proxy: TestProxy) async {
        let listener = Listener(
            name: "test",
            address: NetworkAddress(ip: TestProxy.loopback, port: 0),
            chains: [FilterChain(name: "chain", terminal: terminal)]
        )
        let failures = await proxy.runtime.apply(ProxyState(revision: 2, listeners: [listener], clusters: [cluster]))
        #expect(failures.isEmpty)
    }

    private func waiting(_ count: Int, at proxy: TestProxy) async {
        _ = await proxy.waitForStatistics { $0.activations["default/hello-00001"]?.waiting == count }
    }

    @Test("A request without an endpoint waits with its body, wakes the autoscaler, and is answered when there is one")
    func waits() async throws {
        let server = try await RawServer.start()
        let reports = Reports()
        var options = ProxyRuntimeOptions()
        options.activationReporter = reports
        let terminal = FilterChain.Terminal.http()
        try await TestProxy.run(terminal, clusters: [self.cluster([])], options: options) { proxy in
            let client = try await proxy.connect()
            client.send("POST / HTTP/1.1\r\nHost: x.test\r\nx-lateen-activation-ms: ?\r\nContent-Length: 4\r\n\r\nbo")
            await self.waiting(1, at: proxy)
            #expect(reports.concurrencies.withLock { $0 } == [1])
            client.send("dy")

            await self.apply(self.cluster([server.port]), terminal, to: proxy)
            let endpoint = await server.connection(0)
            await endpoint.waitFor("body")
            endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            let answer = await client.waitFor("ok")
            #expect(answer.contains("x-lateen-activation-ms: "))
            let statistics = await proxy.waitForStatistics {
                $0.activations["default/hello-00001"]?.inFlight == 0
            }
            #expect(statistics.activations["default/hello-00001"]?.held == 1)
            #expect(statistics.activations["default/hello-00001"]?.durations.count == 1)
            proxy.runtime.reportActivations()
            #expect(reports.concurrencies.withLock(\.count) == 2)
        }
        try await server.stop()
    }

    @Test("The autoscaler is told of a burst that waits without waiting for the next report")
    func burst() async throws {
        let reports = Reports()
        var options = ProxyRuntimeOptions()
        options.activationReporter = reports
        try await TestProxy.run(.http(), clusters: [self.cluster([])], options: options) { proxy in
            var clients: [RawConnection] = []
            for _ in 1...3 { clients.append(try await proxy.connect()) }
            for client in clients { client.send("GET / HTTP/1.1\r\nHost: x.test\r\n\r\n") }
            var told = 0.0
            for await more in reports.told {
                told += more
                if told == 3 { break }
            }
            #expect(reports.concurrencies.withLock(\.first) == 1)
            for client in clients { client.close() }
            await self.waiting(0, at: proxy)
        }
    }

    @Test("A request whose time runs out while it waits is answered 504, and waits no more")
    func timesOut() async throws {
        try await TestProxy.run(.http(timeout: .milliseconds(200)), clusters: [self.cluster([])]) { proxy in
            let client = try await proxy.connect()
            client.send("GET / HTTP/1.1\r\nHost: x.test\r\n\r\n")

            #expect(await client.waitFor("no answer came in time").contains("HTTP/1.1 504"))
            await self.waiting(0, at: proxy)
        }
    }

    @Test("An endpoint gets no more at once than it takes, and the next request when one has ended")
    func capacity() async throws {
        let server = try await RawServer.start()
        let terminal = FilterChain.Terminal.http()
        try await TestProxy.run(terminal, clusters: [self.cluster([server.port], concurrency: 1)]) { proxy in
            let first = try await proxy.connect()
            first.send("GET /first HTTP/1.1\r\nHost: x.test\r\n\r\n")
            let endpoint = await server.connection(0)
            await endpoint.waitFor("GET /first")
            let second = try await proxy.connect()
            second.send("GET /second HTTP/1.1\r\nHost: x.test\r\n\r\n")
            await self.waiting(1, at: proxy)

            endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none")
            await first.waitFor("one")
            await endpoint.waitFor("GET /second")
            endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo")
            await second.waitFor("two")
        }
        try await server.stop()
    }

    @Test("Pods get no more than they take of what comes on all loops together")
    func capacityOverLoops() async throws {
        let servers = [try await RawServer.start(), try await RawServer.start()]
        let cluster = self.cluster(servers.map(\.port), concurrency: 2)
        let options = ProxyRuntimeOptions(concurrency: 2)
        try await TestProxy.run(.http(), clusters: [cluster], options: options) { proxy in
            var clients: [RawConnection] = []
            for _ in 0..<12 {
                let client = try await proxy.connect()
                client.send("GET / HTTP/1.1\r\nHost: x.test\r\n\r\n")
                clients.append(client)
            }
            await self.waiting(8, at: proxy)

            for server in servers {
                await server.connection(1).waitFor("GET /")
                #expect(server.connectionCount == 2)
            }
            for client in clients { client.close() }
        }
        for server in servers { try await server.stop() }
    }

    @Test("A pod that takes no connection is left for another, without any retry in the route")
    func refused() async throws {
        let server = try await RawServer.start()
        let cluster = self.cluster([Self.closedPort, server.port], concurrency: 2)
        try await TestProxy.run(.http(), clusters: [cluster]) { proxy in
            for number in 1...2 {
                let client = try await proxy.connect()
                client.send("POST /\(number) HTTP/1.1\r\nHost: x.test\r\nContent-Length: 4\r\n\r\nbody")
                let endpoint = await server.connection(number - 1)
                await endpoint.waitFor("body")
            }
        }
        try await server.stop()
    }

    @Test("A request whose only pod takes no connection waits for the next one")
    func refusedAlone() async throws {
        let server = try await RawServer.start()
        let terminal = FilterChain.Terminal.http()
        try await TestProxy.run(terminal, clusters: [self.cluster([Self.closedPort])]) { proxy in
            let client = try await proxy.connect()
            client.send("GET / HTTP/1.1\r\nHost: x.test\r\n\r\n")
            await self.waiting(1, at: proxy)

            await self.apply(self.cluster([server.port]), terminal, to: proxy)
            let endpoint = await server.connection(0)
            await endpoint.waitFor("GET /")
            endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            #expect(await client.waitFor("ok").contains("HTTP/1.1 200"))
            _ = await proxy.waitForStatistics { $0.activations["default/hello-00001"]?.inFlight == 0 }
        }
        try await server.stop()
    }

    @Test("A pod that took no connection is asked, and has those who wait as soon as it takes one")
    func refusedThenAnswering() async throws {
        let server = try #require(LateServer())
        try await TestProxy.run(.http(), clusters: [self.cluster([server.port], concurrency: 1)]) { proxy in
            let client = try await proxy.connect()
            client.send("GET / HTTP/1.1\r\nHost: x.test\r\n\r\n")
            await self.waiting(1, at: proxy)

            // Nothing else tells the proxy: no change of endpoints, and no regular report.
            let isAnswered = await server.answerOne("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            #expect(isAnswered)
            if isAnswered { #expect(await client.waitFor("ok").contains("HTTP/1.1 200")) }
        }
    }

    @Test("A pod that starts is asked by those whose requests wait, and has them as soon as it takes connections")
    func starting() async throws {
        let server = try await RawServer.start()
        var activation = RevisionActivation(revision: Self.revision, concurrencyMax: 0)
        let terminal = FilterChain.Terminal.http()
        let patient = self.cluster([server.port], isReady: false, activation: activation)
        try await TestProxy.run(terminal, clusters: [patient]) { proxy in
            let client = try await proxy.connect()
            client.send("GET / HTTP/1.1\r\nHost: x.test\r\n\r\n")
            await self.waiting(1, at: proxy)

            activation.asksPods = true
            await self.apply(self.cluster([server.port], isReady: false, activation: activation), terminal, to: proxy)
            // One connection is the question, which ends at once.
            for number in 0...1 {
                let endpoint = await server.connection(number)
                guard await endpoint.waitFor("GET /").contains("GET /") else { continue }
                endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            }
            #expect(await client.waitFor("ok").contains("HTTP/1.1 200"))
        }
        try await server.stop()
    }

    @Test("When the revision goes, or is another one, who waits for it goes on")
    func revisionGone() async throws {
        let terminal = FilterChain.Terminal.http()
        try await TestProxy.run(terminal, clusters: [self.cluster([])]) { proxy in
            let client = try await proxy.connect()
            client.send("GET / HTTP/1.1\r\nHost: x.test\r\n\r\n")
            await self.waiting(1, at: proxy)

            var next = RevisionActivation(revision: Self.revision, concurrencyMax: 0)
            next.revision.name = "hello-00002"
            await self.apply(self.cluster([], activation: next), terminal, to: proxy)
            _ = await proxy.waitForStatistics { $0.activations["default/hello-00002"]?.waiting == 1 }

            await self.apply(self.cluster([], activation: nil), terminal, to: proxy)
            #expect(await client.waitFor("\r\n\r\n").contains("HTTP/1.1 503"))
        }
    }

    @Test("A client that goes away while it waits leaves its place to others")
    func clientGone() async throws {
        try await TestProxy.run(.http(), clusters: [self.cluster([])]) { proxy in
            let client = try await proxy.connect()
            client.send("GET / HTTP/1.1\r\nHost: x.test\r\n\r\n")
            await self.waiting(1, at: proxy)
            client.close()
            await self.waiting(0, at: proxy)
        }
    }
}
