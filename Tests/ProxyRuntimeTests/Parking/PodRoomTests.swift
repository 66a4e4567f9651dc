import MeshModel
import ProxyRuntime
import Synchronization
import Testing
import TrafficEngine

/// The proxy of a revision's pod counts the requests for its application, and lets it have no more than it takes.
@Suite struct PodRoomTests {
    private static let revision = ObjectID(namespace: "default", name: "hello-00001")
    private static let room = "default/hello-00001/pod"

    private final class Reports: ActivationReporting {
        private let state = Mutex<[(report: ActivationReport, side: RevisionActivation.Side)]>([])

        var all: [(report: ActivationReport, side: RevisionActivation.Side)] { self.state.withLock { $0 } }

        func report(_ revision: ObjectID, _ report: ActivationReport, by side: RevisionActivation.Side) {
            guard revision == PodRoomTests.revision else { return }
            self.state.withLock { $0.append((report, side)) }
        }

        /// Requests that have been told of, and those among them that somebody else has reported.
        var counts: [Double] {
            let all = self.all.map(\.report)
            return [all.reduce(0) { $0 + $1.requests }, all.reduce(0) { $0 + $1.proxiedRequests }]
        }
    }

    private func cluster(
        _ server: RawServer,
        concurrency: Int = 1,
        side: RevisionActivation.Side = .pod,
        isReporter: Bool = false
    ) -> Cluster {
        Cluster(
            id: ClusterID(index: 0),
            name: "endpoint",
            discovery: .endpoints([
                ClusterEndpoint(address: NetworkAddress(ip: TestProxy.loopback, port: server.port))
            ]),
            activation: RevisionActivation(revision: Self.revision, concurrencyMax: concurrency, side: side),
            isReporter: isReporter
        )
    }

    private func waiting(_ count: Int, at proxy: TestProxy) async {
        _ = await proxy.waitForStatistics { $0.activations[Self.room]?.waiting == count }
    }

    private static let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    @Test("The application gets no more at once than it takes over all loops; the others wait and come in their turn")
    func capacity() async throws {
        let server = try await RawServer.start()
        let options = ProxyRuntimeOptions(concurrency: 2)
        try await TestProxy.run(.http(), clusters: [self.cluster(server, concurrency: 2)], options: options) { proxy in
            var clients: [RawConnection] = []
            for number in 0..<6 {
                let client = try await proxy.connect()
                client.send("GET /\(number) HTTP/1.1\r\nHost: x.test\r\n\r\n")
                clients.append(client)
            }
            await self.waiting(4, at: proxy)

            let endpoint = await server.connection(1)
            await endpoint.waitFor("GET /")
            #expect(server.connectionCount == 2)
            endpoint.send(Self.answer)
            await self.waiting(3, at: proxy)
            for client in clients { client.close() }
        }
        try await server.stop()
    }

    @Test("A client that goes away while it waits in front of the application has given up its turn")
    func clientGone() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [self.cluster(server)]) { proxy in
            let first = try await proxy.connect()
            first.send("GET /first HTTP/1.1\r\nHost: x.test\r\n\r\n")
            let endpoint = await server.connection(0)
            await endpoint.waitFor("GET /first")
            let second = try await proxy.connect()
            second.send("GET /second HTTP/1.1\r\nHost: x.test\r\n\r\n")
            await self.waiting(1, at: proxy)

            second.close()
            await self.waiting(0, at: proxy)
            endpoint.send(Self.answer)
            #expect(await first.waitFor("ok").contains("HTTP/1.1 200"))
            #expect(!endpoint.received.contains("/second"))
        }
        try await server.stop()
    }

    @Test("A request waits no longer than its caller says that it has left")
    func expectedTime() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [self.cluster(server)]) { proxy in
            let first = try await proxy.connect()
            first.send("GET /first HTTP/1.1\r\nHost: x.test\r\n\r\n")
            await server.connection(0).waitFor("GET /first")
            let second = try await proxy.connect()
            second.send("GET / HTTP/1.1\r\nHost: x.test\r\nx-envoy-expected-rq-timeout-ms: 150\r\n\r\n")

            #expect(await second.waitFor("no answer came in time").contains("HTTP/1.1 504"))
            await self.waiting(0, at: proxy)
        }
        try await server.stop()
    }

    @Test("Kubernetes' questions pass those that wait, and are nobody's requests")
    func probes() async throws {
        let server = try await RawServer.start()
        let reports = Reports()
        var options = ProxyRuntimeOptions()
        options.activationReporter = reports
        try await TestProxy.run(.http(), clusters: [self.cluster(server)], options: options) { proxy in
            let first = try await proxy.connect()
            first.send("GET /first HTTP/1.1\r\nHost: x.test\r\n\r\n")
            await server.connection(0).waitFor("GET /first")

            let probe = try await proxy.connect()
            probe.send("GET /ready HTTP/1.1\r\nHost: x.test\r\nUser-Agent: kube-probe/1.31\r\n\r\n")
            let endpoint = await server.connection(1)
            await endpoint.waitFor("GET /ready")
            endpoint.send(Self.answer)
            #expect(await probe.waitFor("ok").contains("HTTP/1.1 200"))
            proxy.runtime.reportActivations()
            #expect(reports.counts == [1, 0])
        }
        try await server.stop()
    }

    @Test("A request is told of each second while it lasts, as the pod's, and not once more when it comes")
    func reports() async throws {
        let server = try await RawServer.start()
        let reports = Reports()
        var options = ProxyRuntimeOptions()
        options.activationReporter = reports
        try await TestProxy.run(.http(), clusters: [self.cluster(server)], options: options) { proxy in
            let client = try await proxy.connect()
            client.send("GET / HTTP/1.1\r\nHost: x.test\r\n\r\n")
            await server.connection(0).waitFor("GET /")
            #expect(reports.all.isEmpty)

            for _ in 1...3 { proxy.runtime.reportActivations() }
            #expect(reports.counts == [1, 0])
            #expect(reports.all.map(\.side) == [.pod, .pod, .pod])
            #expect(reports.all.last?.report.concurrency ?? 0 > 0.99)
        }
        try await server.stop()
    }

    // MARK: The mark

    /// What the application gets of a request with the mark, and what is reported.
    private func marked(
        _ clusters: (RawServer) -> [Cluster],
        reports: Reports? = Reports(),
        mark: String = "K-Proxy-Request: activator\r\n",
        appendsPeerAddress: Bool = false
    ) async throws -> (head: String, counts: [Double]) {
        let server = try await RawServer.start()
        var options = ProxyRuntimeOptions()
        options.activationReporter = reports
        var head = ""
        let terminal = FilterChain.Terminal.http(appendsPeerAddress: appendsPeerAddress)
        try await TestProxy.run(terminal, clusters: clusters(server), options: options) { proxy in
            let client = try await proxy.connect()
            client.send("GET / HTTP/1.1\r\nHost: x.test\r\n\(mark)\r\n")
            let endpoint = await server.connection(0)
            head = await endpoint.waitFor("\r\n\r\n").lowercased()
            proxy.runtime.reportActivations()
        }
        try await server.stop()
        return (head, reports?.counts ?? [])
    }

    @Test("Who has no certificate and is no activator is not believed to have reported a request")
    func stranger() async throws {
        let got = try await self.marked { [self.cluster($0)] }
        #expect(got.counts == [1, 0])
        #expect(!got.head.contains("k-proxy-request"))
    }

    @Test("What an activator passes on has been reported; the application does not see who did")
    func activator() async throws {
        func clusters(_ server: RawServer) -> [Cluster] {
            let activators = Cluster(
                id: ClusterID(index: 1),
                name: "activators",
                discovery: .endpoints([ClusterEndpoint(address: NetworkAddress(ip: TestProxy.loopback, port: 1))]),
                isReporter: true
            )
            return [self.cluster(server), activators]
        }
        let got = try await self.marked(clusters)
        #expect(got.counts == [1, 1])
        #expect(!got.head.contains("k-proxy-request"))
        #expect(try await self.marked(clusters, mark: "").counts == [1, 0])
        #expect(try await self.marked(clusters, mark: "K-Proxy-Request: somebody\r\n").counts == [1, 0])
    }

    @Test("A caller's proxy says that it has reported a request if it has, whatever its application says")
    func caller() async throws {
        func clusters(_ server: RawServer) -> [Cluster] { [self.cluster(server, side: .callers)] }
        let mark = "k-proxy-request: activator"
        let told = try await self.marked(clusters, mark: "K-Proxy-Request: me\r\n")
        #expect(told.head.contains(mark) && !told.head.contains(": me"))
        #expect(told.counts == [1, 0])
        #expect(try await self.marked(clusters, reports: nil).head.contains(mark) == false)
    }

    @Test("Other requests keep the mark, unless they come in from outside")
    func passedOn() async throws {
        func clusters(_ server: RawServer) -> [Cluster] { [.test(ports: server.port)] }
        #expect(try await self.marked(clusters).head.contains("k-proxy-request: activator"))
        #expect(try await self.marked(clusters, appendsPeerAddress: true).head.contains("k-proxy-request") == false)
    }

    @Test("A peer with an identity of the mesh is believed")
    func meshPeer() async throws {
        let server = try await RawServer.start()
        var setup = try ProxyPair.Setup.mesh(try TestPKI())
        let reports = Reports()
        setup.speaksHTTP = true
        setup.serverOptions.activationReporter = reports
        setup.serverCluster = self.cluster(server)
        try await ProxyPair.run(setup, endpoint: server) { pair in
            let client = try await pair.connect()
            client.send("GET / HTTP/1.1\r\nHost: x.test\r\nK-Proxy-Request: activator\r\n\r\n")
            let head = await server.connection(0).waitFor("\r\n\r\n")
            pair.server.reportActivations()

            #expect(reports.counts == [1, 1])
            #expect(!head.lowercased().contains("k-proxy-request"))
        }
        try await server.stop()
    }
}
