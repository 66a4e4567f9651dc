import MeshModel
import ProxyRuntime
import Testing
import TrafficEngine

/// Services that want to see bodies before requests go on.
@Suite struct CheckedBodyTests {
    private static let yes = AuthorizationAnswer.allowed(requestHeaders: HeaderEdits(), responseHeaders: HeaderEdits())

    private func service(_ body: AuthorizationProvider.Body?) throws -> HTTPPolicy {
        var provider = AuthorizationProvider(name: "opa", wire: .grpc, service: "s", port: try #require(Port(80)))
        provider.body = body
        return .external(
            ExternalPolicy(provider: provider, cluster: ClusterID(index: 0), clusterName: "endpoint", name: "n/custom")
        )
    }

    private func run(
        _ bodies: AuthorizationProvider.Body?...,
        authorities: TestAuthorities,
        _ body: (TestProxy, RawServer) async throws -> Void
    ) async throws {
        let server = try await RawServer.start()
        let forward = ForwardAction(clusters: [WeightedCluster(cluster: ClusterID(index: 0), name: "endpoint")])
        let route = Route(name: "route", match: RouteMatch(path: .prefix(Array("/".utf8))), action: .forward(forward))
        let manager = HTTPConnectionManager(
            statPrefix: "test",
            routes: .inline(
                RouteTable(name: "t", virtualHosts: [VirtualHost(name: "all", domains: ["*"], routes: [route])])
            ),
            addsForwardingHeaders: false,
            policies: try bodies.map { try self.service($0) }
        )
        var options = ProxyRuntimeOptions()
        options.requestAuthorizer = authorities
        try await TestProxy.run(.http(manager), clusters: [.test(ports: server.port)], options: options) { proxy in
            try await body(proxy, server)
        }
        try await server.stop()
    }

    /// What the services were shown, in order.
    private func shown(_ authorities: TestAuthorities) -> [AuthorizationQuestion.Body?] {
        authorities.questions.map { $0.request?.body }
    }

    private func body(_ text: String, isPartial: Bool = false) -> AuthorizationQuestion.Body {
        AuthorizationQuestion.Body(bytes: Array(text.utf8), isPartial: isPartial)
    }

    @Test("A service sees the whole body, however it comes, and the endpoint gets it as it came")
    func whole() async throws {
        let authorities = TestAuthorities(answer: Self.yes)
        try await self.run(.init(bytesMax: 10), authorities: authorities) { proxy, server in
            let client = try await proxy.connect()
            client.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe")
            // Until the rest comes nobody is asked.
            client.send("llo")
            let endpoint = await server.connection(0)
            #expect(await endpoint.waitFor("hello").hasSuffix("\r\n\r\nhello"))
            endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await client.waitFor("200 OK")
            let chunks = "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n"
            client.send("POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
            #expect(await endpoint.waitFor("0\r\n\r\n").hasSuffix("\r\n\r\n" + chunks))
        }
        #expect(self.shown(authorities) == [self.body("hello"), self.body("abcdefg")])
    }

    @Test("A request without a body shows an empty one; a service that wants none sees none")
    func none() async throws {
        let authorities = TestAuthorities(answer: Self.yes)
        try await self.run(.init(bytesMax: 10), nil, authorities: authorities) { proxy, server in
            let client = try await proxy.connect()
            client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
            await server.connection(0).waitFor("\r\n\r\n")
        }
        #expect(self.shown(authorities) == [self.body(""), nil])
    }

    @Test("A body that is too long gets 413, whether its head says so or not, and nobody is asked")
    func tooLong() async throws {
        let authorities = TestAuthorities(answer: Self.yes)
        try await self.run(.init(bytesMax: 4), authorities: authorities) { proxy, server in
            for framing in ["Content-Length: 5\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"] {
                let client = try await proxy.connect()
                client.send("POST /a HTTP/1.1\r\nHost: x\r\n" + framing)
                let answer = await client.waitFor("Payload Too Large")
                #expect(answer.hasPrefix("HTTP/1.1 413 "))
                await client.waitForEnd()
            }
            #expect(server.connectionCount == 0)
        }
        #expect(authorities.questions.isEmpty)
    }

    @Test("A service that takes a part sees the beginning, and all of the body goes on")
    func partial() async throws {
        let authorities = TestAuthorities(answer: Self.yes)
        try await self.run(.init(bytesMax: 4, mayBePartial: true), authorities: authorities) { proxy, server in
            let client = try await proxy.connect()
            let long = String(repeating: "0123456789", count: 30_000) + "the end"
            client.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: \(long.utf8.count)\r\n\r\n" + long)
            let endpoint = await server.connection(0)
            #expect(await endpoint.waitFor("the end").hasSuffix("\r\n\r\n" + long))
        }
        #expect(self.shown(authorities) == [self.body("0123", isPartial: true)])
    }

    @Test("A body that is longer than what is held otherwise is held for a service")
    func long() async throws {
        let authorities = TestAuthorities(answer: Self.yes)
        let long = String(repeating: "x", count: 1 << 19) + "the end"
        try await self.run(.init(bytesMax: 1 << 20), authorities: authorities) { proxy, server in
            let client = try await proxy.connect()
            client.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: \(long.utf8.count)\r\n\r\n" + long)
            #expect(await server.connection(0).waitFor("the end").hasSuffix("\r\n\r\n" + long))
        }
        #expect(self.shown(authorities) == [self.body(long)])
    }

    @Test("Two services see each as much as it wants, out of what has come already")
    func two() async throws {
        let authorities = TestAuthorities(answer: Self.yes)
        try await self.run(
            .init(bytesMax: 2, mayBePartial: true),
            .init(bytesMax: 10),
            authorities: authorities
        ) { proxy, server in
            let client = try await proxy.connect()
            client.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
            await server.connection(0).waitFor("hello")
        }
        #expect(self.shown(authorities) == [self.body("he", isPartial: true), self.body("hello")])
    }

    @Test("A client that waits to be told so is told to send the body")
    func tellsToGoOn() async throws {
        try await self.run(.init(bytesMax: 10), authorities: TestAuthorities(answer: Self.yes)) { proxy, server in
            let client = try await proxy.connect()
            client.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
            #expect(await client.waitFor("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
            client.send("hello")
            await server.connection(0).waitFor("hello")
        }
    }

    @Test("Over HTTP/2 a body is waited for and the client is let go on")
    func overHTTP2() async throws {
        let authorities = TestAuthorities(answer: Self.yes)
        try await self.run(.init(bytesMax: 1 << 20), authorities: authorities) { proxy, server in
            let client = try await HTTP2Peer.client(proxy)
            client.request(1, method: "POST", ends: false)
            let part = String(repeating: "x", count: 16_000)
            for _ in 0..<12 { client.data(1, part) }
            var update = await client.next(.windowUpdate)
            while let frame = update, frame.stream != 1 { update = await client.next(.windowUpdate) }
            #expect(update != nil)
            client.data(1, "end", ends: true)
            await server.connection(0).waitFor("end")
        }
        #expect(self.shown(authorities).map { $0?.bytes.count } == [192_003])
    }

    @Test("Who goes away while its body is waited for leaves nothing behind")
    func clientGoes() async throws {
        let authorities = TestAuthorities(answer: Self.yes)
        try await self.run(.init(bytesMax: 10), authorities: authorities) { proxy, server in
            let client = try await proxy.connect()
            client.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe")
            client.close()
            _ = await proxy.waitForStatistics {
                $0.http["test"]?.requests == 1 && $0.http["test"]?.requestsActive == 0
            }
            #expect(server.connectionCount == 0)
        }
        #expect(authorities.questions.isEmpty)
    }
}
