import MeshModel
import ProxyRuntime
import Testing
import TrafficEngine

/// What an activator needs of its proxy: revisions that headers name, the time of whole requests, and numbers.
@Suite struct RevisionHeadersTests {
    private static let revisions = ["hello-00001", "hello-00002"].map { ObjectID(namespace: "default", name: $0) }

    private func clusters(_ ports: [UInt16], version: Cluster.HTTPVersion = .http1) -> [Cluster] {
        Self.revisions.enumerated().map { index, revision in
            Cluster(
                id: ClusterID(index: index),
                name: revision.description,
                // The first never has a pod.
                discovery: .endpoints(
                    index == 0
                        ? [] : ports.map { ClusterEndpoint(address: NetworkAddress(ip: TestProxy.loopback, port: $0)) }
                ),
                httpVersion: version,
                activation: RevisionActivation(revision: revision, concurrencyMax: 0, asksPods: true)
            )
        }
    }

    private func terminal(timeout: Duration? = nil, includesRequest: Bool = true) -> FilterChain.Terminal {
        let any = RouteMatch(path: .prefix([]))
        let entries = Self.revisions.enumerated().map { index, revision in
            let forward = ForwardAction(
                clusters: [WeightedCluster(cluster: ClusterID(index: index), name: revision.description)],
                timeout: timeout,
                timeoutIncludesRequest: includesRequest
            )
            return RouteDirectory.Entry(
                values: [Array(revision.name.utf8)],
                route: Route(name: revision.name, match: any, action: .forward(forward))
            )
        }
        let unknown = Route(name: "unknown", match: any, action: .respond(status: 404, body: Array("unknown\n".utf8)))
        let host = VirtualHost(
            name: "all",
            domains: ["*"],
            directory: RouteDirectory(headers: [Array("knative-serving-revision".utf8)], entries: entries),
            routes: [unknown]
        )
        return .http(
            HTTPConnectionManager(
                statPrefix: "test",
                routes: .inline(RouteTable(name: "table", virtualHosts: [host])),
                addsForwardingHeaders: false,
                respectsExpectedTimeout: true
            )
        )
    }

    private func apply(_ clusters: [Cluster], _ terminal: FilterChain.Terminal, to proxy: TestProxy) async {
        let listener = Listener(
            name: "test",
            address: NetworkAddress(ip: TestProxy.loopback, port: 0),
            chains: [FilterChain(name: "chain", terminal: terminal)]
        )
        let failures = await proxy.runtime.apply(ProxyState(revision: 2, listeners: [listener], clusters: clusters))
        #expect(failures.isEmpty)
    }

    private func waiting(_ count: Int, for revision: Int, at proxy: TestProxy) async {
        let name = Self.revisions[revision].description
        _ = await proxy.waitForStatistics { $0.activations[name]?.waiting == count }
    }

    @Test("A request of HTTP/2 waits for the revision that it names, and is answered with trailers when that has a pod")
    func http2() async throws {
        let server = try await RawServer.start()
        let terminal = self.terminal()
        try await TestProxy.run(terminal, clusters: self.clusters([], version: .http2)) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            client.request(
                1,
                "/hello.Hello/Say",
                method: "POST",
                ends: false,
                [
                    ("knative-serving-revision", "hello-00002"), ("content-type", "application/grpc"),
                    ("k-proxy-request", "somebody"),
                ]
            )
            client.data(1, "name")
            await self.waiting(1, for: 1, at: proxy)
            await self.waiting(0, for: 0, at: proxy)
            client.data(1, "!", ends: true)

            await self.apply(self.clusters([server.port], version: .http2), terminal, to: proxy)
            let upstream = await HTTP2Peer.server(await server.connection(0))
            let head = await upstream.nextHead()
            #expect(head.fields[":path"] == "/hello.Hello/Say")
            // Nobody but who reports a request says that it has been reported.
            #expect(head.fields["k-proxy-request"] == nil)
            #expect(await upstream.nextBody(head.stream).text == "name!")
            upstream.headers(head.stream, [(":status", "200"), ("content-type", "application/grpc")])
            upstream.data(head.stream, "hello")
            upstream.headers(head.stream, [("grpc-status", "0")], ends: true)

            #expect(await client.nextHead().fields[":status"] == "200")
            let body = await client.nextBody(1)
            #expect(body.text == "hello")
            #expect(body.trailers == ["grpc-status": "0"])
        }
        try await server.stop()
    }

    @Test("A request that names no known revision goes on to the other routes")
    func unknown() async throws {
        try await TestProxy.run(self.terminal(), clusters: self.clusters([])) { proxy in
            let client = try await proxy.connect()
            client.send("GET / HTTP/1.1\r\nHost: x.test\r\nKnative-Serving-Revision: hello-00003\r\n\r\n")
            #expect(await client.waitFor("unknown").contains("HTTP/1.1 404"))
        }
    }

    @Test("A request waits no longer than its client says that it has time, whether it has ended or not")
    func expectedTime() async throws {
        try await TestProxy.run(self.terminal(timeout: .seconds(300)), clusters: self.clusters([])) { proxy in
            for body in ["Content-Length: 0\r\n\r\n", "Content-Length: 4\r\n\r\nbo"] {
                let client = try await proxy.connect()
                client.send(
                    "POST / HTTP/1.1\r\nHost: x.test\r\nKnative-Serving-Revision: hello-00001\r\n"
                        + "x-envoy-expected-rq-timeout-ms: 200\r\n" + body
                )
                #expect(await client.waitFor("no answer came in time").contains("HTTP/1.1 504"))
            }
            await self.waiting(0, for: 0, at: proxy)
            // Nobody has left: they were told.
            #expect(await proxy.runtime.statistics().activations["default/hello-00001"]?.left == 0)
        }
    }

    @Test("A route's time may count from the beginning of a request that never ends, wherever the request is")
    func wholeRequest() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(
            self.terminal(timeout: .milliseconds(200)),
            clusters: self.clusters([server.port])
        ) { proxy in
            let client = try await proxy.connect()
            client.send(
                "POST / HTTP/1.1\r\nHost: x.test\r\nKnative-Serving-Revision: hello-00002\r\n"
                    + "Content-Length: 4\r\n\r\nbo"
            )
            #expect(await client.waitFor("no answer came in time").contains("HTTP/1.1 504"))
            _ = await proxy.waitForStatistics { $0.activations["default/hello-00002"]?.inFlight == 0 }
        }
        try await server.stop()
    }

    @Test("A request whose end has not come waits no longer than its route's time, though that counts from its end")
    func unendedRequest() async throws {
        let terminal = self.terminal(timeout: .milliseconds(200), includesRequest: false)
        try await TestProxy.run(terminal, clusters: self.clusters([])) { proxy in
            let client = try await proxy.connect()
            client.send(
                "POST / HTTP/1.1\r\nHost: x.test\r\nKnative-Serving-Revision: hello-00001\r\n"
                    + "Content-Length: 4\r\n\r\nbo"
            )
            #expect(await client.waitFor("no answer came in time").contains("HTTP/1.1 504"))
        }
    }

    @Test("No more wait than may; clients that leave meanwhile are counted, also when their revision has gone")
    func leaving() async throws {
        var options = ProxyRuntimeOptions()
        options.heldRequestsMax = 2
        let terminal = self.terminal()
        try await TestProxy.run(terminal, clusters: self.clusters([]), options: options) { proxy in
            let request = "GET / HTTP/1.1\r\nHost: x.test\r\nKnative-Serving-Revision: hello-00001\r\n\r\n"
            var clients: [RawConnection] = []
            for _ in 1...2 {
                let client = try await proxy.connect()
                client.send(request)
                clients.append(client)
            }
            await self.waiting(2, for: 0, at: proxy)
            let third = try await proxy.connect()
            third.send(request)
            let refusal = await third.waitFor("as many requests as may wait")
            #expect(refusal.contains("HTTP/1.1 503"))
            #expect(refusal.contains("retry-after: 1"))

            for client in clients { client.close() }
            await self.waiting(0, for: 0, at: proxy)
            let left = await proxy.runtime.statistics()
            #expect(left.activations["default/hello-00001"]?.left == 2)
            #expect(left.activationsLeft == 0)
            await self.apply([], terminal, to: proxy)
            #expect(await proxy.runtime.statistics().activationsLeft == 2)
        }
    }
}
