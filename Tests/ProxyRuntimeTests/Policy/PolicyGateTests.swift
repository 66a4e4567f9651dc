import MeshModel
import ProxyRuntime
import Testing
import TrafficEngine

/// Policies in front of a real proxy's route.
@Suite struct PolicyGateTests {
    private static let get = "GET /a HTTP/1.1\r\nHost: x.test\r\nAuthorization: Bearer t\r\nX-Sub: liar\r\n\r\n"

    private func run(
        _ policies: [HTTPPolicy],
        _ authorities: TestAuthorities? = nil,
        normalizesPath: Bool = false,
        _ body: (TestProxy, RawConnection, RawServer) async throws -> Void
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
            normalizesPath: normalizesPath,
            policies: policies
        )
        var options = ProxyRuntimeOptions()
        options.tokenVerifier = authorities
        options.requestAuthorizer = authorities
        try await TestProxy.run(.http(manager), clusters: [.test(ports: server.port)], options: options) { proxy in
            try await body(proxy, try await proxy.connect(), server)
        }
        try await server.stop()
    }

    private func rules(
        _ action: RulePolicy.Action,
        _ permission: PolicyCondition,
        isShadow: Bool = false,
        showsDenials: Bool = true
    ) -> HTTPPolicy {
        let entry = RulePolicy.Entry(
            name: "ns[n]-policy[p]-rule[0]",
            permissions: [permission],
            principals: [.any]
        )
        return .rules(RulePolicy(action: action, entries: [entry], isShadow: isShadow, showsDenials: showsDenials))
    }

    private let tokens: HTTPPolicy = {
        var provider = TokenPolicy.Provider(name: "p", issuer: "i", keys: .inline(""))
        provider.claimHeaders = [.init(header: "x-sub", claim: "sub")]
        return .tokens(TokenPolicy(providers: [provider]))
    }()

    private func service(failsOpen: Bool = false) throws -> HTTPPolicy {
        var provider = AuthorizationProvider(name: "opa", wire: .grpc, service: "s", port: try #require(Port(80)))
        provider.failsOpen = failsOpen
        provider.statusOnError = 503
        return .external(
            ExternalPolicy(provider: provider, cluster: ClusterID(index: 0), clusterName: "endpoint", name: "n/custom")
        )
    }

    private let me = TokenVerdict.verified(
        VerifiedToken(
            provider: 0,
            issuer: "i",
            subject: "me",
            expires: nil,
            claims: .object(["sub": .text("me")]),
            payload: []
        )
    )

    /// The head that reaches the endpoint, which answers it.
    private func forwarded(_ client: RawConnection, _ server: RawServer) async -> String {
        let endpoint = await server.connection(0)
        let head = await endpoint.waitFor("\r\n\r\n")
        endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        return head
    }

    @Test("A denied request gets Envoy's answer, the rule in a header, and never reaches the endpoint")
    func denies() async throws {
        try await self.run([self.rules(.deny, .path(.exact(Array("/a".utf8))))]) { proxy, client, server in
            client.send(Self.get)
            let answer = await client.waitFor("RBAC: access denied")
            #expect(answer.hasPrefix("HTTP/1.1 403 Forbidden\r\n"))
            #expect(answer.contains("x-lateen-denied-by: AuthorizationPolicy n/p rule 0\r\n"))
            #expect(server.connectionCount == 0)
            let counts = await proxy.runtime.statistics().policies["http.test"]
            #expect(counts?.denied == 1)
            #expect(counts?.allowed == 0)
        }
    }

    @Test("The header can be switched off")
    func quiet() async throws {
        try await self.run([self.rules(.deny, .any, showsDenials: false)]) { _, client, _ in
            client.send(Self.get)
            #expect(await !client.waitFor("RBAC: access denied").contains("x-lateen-denied-by"))
        }
    }

    @Test("A dry run is counted and the request goes on")
    func dryRun() async throws {
        try await self.run([self.rules(.deny, .any, isShadow: true)]) { proxy, client, server in
            client.send(Self.get)
            _ = await self.forwarded(client, server)
            #expect(await client.waitFor("ok").hasPrefix("HTTP/1.1 200"))
            #expect(await proxy.runtime.statistics().policies["http.test"]?.shadowDenied == 1)
        }
    }

    @Test(
        "A bad token is answered with 401 and a challenge, whether its verdict comes at once or later",
        arguments: [true, false]
    )
    func badToken(_ atOnce: Bool) async throws {
        let authorities = TestAuthorities(verdict: .refused(.expired), answersAtOnce: atOnce)
        try await self.run([self.tokens], authorities) { proxy, client, server in
            client.send(Self.get)
            let answer = await client.waitFor("Jwt is expired")
            #expect(answer.hasPrefix("HTTP/1.1 401 "))
            #expect(answer.contains("www-authenticate: Bearer realm=\"http://x.test/a\", error=\"invalid_token\"\r\n"))
            #expect(server.connectionCount == 0)
            #expect(await proxy.runtime.statistics().policies["http.test"]?.tokensDenied == 1)
        }
    }

    @Test(
        "A good token is taken out, its claims replace what the client claimed, and rules see both",
        arguments: [true, false]
    )
    func goodToken(_ atOnce: Bool) async throws {
        let isMe = PolicyCondition.all([
            .claim(path: ["sub"], .exact(Array("me".utf8))),
            .header(HeaderMatch(name: Array("x-sub".utf8), value: .exact(Array("me".utf8)))),
            .not(.header(HeaderMatch(name: Array("authorization".utf8), value: .present))),
        ])
        let authorities = TestAuthorities(verdict: self.me, answersAtOnce: atOnce)
        try await self.run([self.tokens, self.rules(.allow, isMe)], authorities) { _, client, server in
            client.send(Self.get)
            let head = await self.forwarded(client, server).lowercased()
            #expect(head.contains("x-sub: me\r\n"))
            #expect(!head.contains("liar"))
            #expect(!head.contains("authorization"))
            #expect(await client.waitFor("ok").hasPrefix("HTTP/1.1 200"))
        }
    }

    @Test("Without a token the client cannot write what tokens write")
    func noToken() async throws {
        try await self.run([self.tokens], TestAuthorities()) { _, client, server in
            client.send("GET /a HTTP/1.1\r\nHost: x.test\r\nX-Sub: liar\r\n\r\n")
            #expect(await !self.forwarded(client, server).contains("liar"))
        }
    }

    @Test("A service changes request and answer")
    func serviceAllows() async throws {
        let entry = HeaderEdits.Entry(name: Array("x-checked".utf8), value: Array("yes".utf8))
        let answer = AuthorizationAnswer.allowed(
            requestHeaders: HeaderEdits(remove: [Array("x-sub".utf8)], set: [entry]),
            responseHeaders: HeaderEdits(set: [entry])
        )
        let authorities = TestAuthorities(answer: answer)
        try await self.run([try self.service()], authorities) { _, client, server in
            client.send(Self.get)
            let head = await self.forwarded(client, server)
            #expect(head.contains("x-checked: yes\r\n"))
            #expect(!head.contains("liar"))
            #expect(await client.waitFor("ok").contains("x-checked: yes\r\n"))
            let question = try #require(authorities.questions.first)
            #expect(question.request?.path == "/a")
            #expect(question.request?.host == "x.test")
            #expect(question.endpoints.map(\.address) == [NetworkAddress(ip: TestProxy.loopback, port: server.port)])
        }
    }

    @Test("A service is told the path that the endpoint gets, after a wait as well")
    func serviceSeesNormalizedPath() async throws {
        let answer = AuthorizationAnswer.allowed(requestHeaders: HeaderEdits(), responseHeaders: HeaderEdits())
        let authorities = TestAuthorities(answer: answer)
        try await self.run([try self.service()], authorities, normalizesPath: true) { _, client, server in
            client.send("GET /x/../%61?q HTTP/1.1\r\nHost: x.test\r\n\r\n")
            #expect(await self.forwarded(client, server) == "GET /a?q HTTP/1.1\r\nHost: x.test\r\n\r\n")
            #expect(authorities.questions.first?.request?.path == "/a?q")
        }
    }

    @Test("A service's type of its answer goes before the proxy's, and gRPC clients get gRPC's")
    func serviceNamesType() async throws {
        let json = HeaderEdits.Entry(name: Array("content-type".utf8), value: Array("application/json".utf8))
        let headers = [HeaderEdits(set: [json]), HeaderEdits(add: [json])]
        for headers in headers {
            let denial = AuthorizationAnswer.denied(status: 401, body: Array("{}".utf8), headers: headers)
            try await self.run([try self.service()], TestAuthorities(answer: denial)) { _, client, _ in
                client.send(Self.get)
                let answer = await client.waitFor("{}")
                #expect(answer.components("content-type: ").count == 2)
                #expect(answer.contains("content-type: application/json\r\n"))
            }
            try await self.run([try self.service()], TestAuthorities(answer: denial)) { _, client, _ in
                client.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Type: application/grpc\r\n\r\n")
                let answer = await client.waitFor("\r\n\r\n")
                #expect(answer.components("content-type: ").count == 2)
                #expect(answer.contains("content-type: application/grpc\r\n"))
            }
        }
    }

    @Test("A service is given three healthy endpoints to try, no more")
    func endpointsOfService() async throws {
        let answer = AuthorizationAnswer.allowed(requestHeaders: HeaderEdits(), responseHeaders: HeaderEdits())
        let authorities = TestAuthorities(answer: answer)
        let endpoints = (1...6).map { port in
            ClusterEndpoint(
                address: NetworkAddress(ip: TestProxy.loopback, port: UInt16(port)),
                isHealthy: port != 2 && port != 3
            )
        }
        var options = ProxyRuntimeOptions()
        options.requestAuthorizer = authorities
        let manager = HTTPConnectionManager(
            statPrefix: "test",
            routes: .named("none"),
            policies: [try self.service()]
        )
        let cluster = Cluster(id: ClusterID(index: 0), name: "endpoint", discovery: .endpoints(endpoints))
        try await TestProxy.run(.http(manager), clusters: [cluster], options: options) { proxy in
            let client = try await proxy.connect()
            for round in 1...20 {
                client.send(Self.get)
                await client.wait { $0.components("HTTP/1.1 404 ").count == round + 1 }
            }
        }
        let asked = authorities.questions.map { $0.endpoints.map(\.address.port) }
        #expect(asked.count == 20)
        #expect(asked.allSatisfy { $0.count == 3 && Set($0).count == 3 && Set($0).isDisjoint(with: [2, 3]) })
        // Each is the first at times: all the same one in 20 requests has a chance of less than one in a billion.
        #expect(Set(asked.map { $0.first }).count > 1)
    }

    @Test("A service denies with its own words; one that cannot be asked denies unless it fails open")
    func serviceDenies() async throws {
        let denial = AuthorizationAnswer.denied(status: 401, body: Array("go away".utf8), headers: HeaderEdits())
        try await self.run([try self.service()], TestAuthorities(answer: denial)) { proxy, client, _ in
            client.send(Self.get)
            let answer = await client.waitFor("go away")
            #expect(answer.hasPrefix("HTTP/1.1 401 "))
            #expect(answer.contains("x-lateen-denied-by: AuthorizationPolicy n/custom provider opa\r\n"))
            #expect(await proxy.runtime.statistics().policies["http.test"]?.externalDenied == 1)
        }
        try await self.run([try self.service()], TestAuthorities(answer: .failed("away"))) { proxy, client, _ in
            client.send(Self.get)
            #expect(await client.waitFor("\r\n\r\n").hasPrefix("HTTP/1.1 503 "))
            #expect(await proxy.runtime.statistics().policies["http.test"]?.externalFailed == 1)
        }
        let open = try self.service(failsOpen: true)
        try await self.run([open], TestAuthorities(answer: .failed("away"))) { _, client, server in
            client.send(Self.get)
            _ = await self.forwarded(client, server)
            #expect(await client.waitFor("ok").hasPrefix("HTTP/1.1 200"))
        }
    }

    @Test("Without anybody to ask, tokens and services are refused, not waved through")
    func failsClosed() async throws {
        for (policy, status) in [(self.tokens, "401"), (try self.service(), "503")] {
            try await self.run([policy]) { _, client, _ in
                client.send(Self.get)
                #expect(await client.waitFor("\r\n\r\n").hasPrefix("HTTP/1.1 \(status) "))
            }
        }
    }

    @Test("Requests on one connection are decided one by one")
    func pipelined() async throws {
        let onlyA = self.rules(.allow, .path(.exact(Array("/a".utf8))))
        try await self.run([self.tokens, onlyA], TestAuthorities(verdict: self.me, answersAtOnce: false)) {
            _,
            client,
            server in
            client.send(Self.get + Self.get.replacing("/a", with: "/b"))
            _ = await self.forwarded(client, server)
            let all = await client.waitFor("RBAC: access denied")
            #expect(all.contains("200 OK"))
            #expect(all.contains("403 Forbidden"))
        }
    }
}

/// Policies in front of a TCP proxy.
@Suite struct ConnectionGateTests {
    private func run(
        _ policies: [ConnectionPolicy],
        _ authorities: TestAuthorities? = nil,
        isAllowed: Bool
    ) async throws {
        let server = try await RawServer.start()
        let proxy = TCPProxy(
            statPrefix: "test",
            clusters: [WeightedCluster(cluster: ClusterID(index: 0), name: "endpoint")]
        )
        var options = ProxyRuntimeOptions()
        options.requestAuthorizer = authorities
        try await TestProxy.run(
            .tcp(proxy),
            policies: policies,
            clusters: [.test(ports: server.port)],
            options: options
        ) { proxy in
            let client = try await proxy.connect()
            if isAllowed {
                client.send("hello")
                #expect(await server.connection(0).waitFor("hello") == "hello")
            } else {
                _ = await client.waitForEnd()
                #expect(server.connectionCount == 0)
            }
        }
        try await server.stop()
    }

    private func rules(_ action: RulePolicy.Action, isShadow: Bool = false) -> ConnectionPolicy {
        let entry = RulePolicy.Entry(name: "x", permissions: [.any], principals: [.any])
        return .rules(RulePolicy(action: action, entries: [entry], isShadow: isShadow))
    }

    @Test("A denied connection ends before an endpoint is connected to; a dry run denies none")
    func rules() async throws {
        try await self.run([self.rules(.deny)], isAllowed: false)
        try await self.run([self.rules(.deny, isShadow: true), self.rules(.allow)], isAllowed: true)
    }

    @Test("A service is asked about a connection, and one that is away denies it")
    func services() async throws {
        let provider = AuthorizationProvider(name: "opa", wire: .grpc, service: "s", port: try #require(Port(80)))
        let policy = ConnectionPolicy.external(
            ExternalPolicy(provider: provider, cluster: ClusterID(index: 0), clusterName: "endpoint", name: "n/c")
        )
        let yes = AuthorizationAnswer.allowed(requestHeaders: HeaderEdits(), responseHeaders: HeaderEdits())
        try await self.run([policy], TestAuthorities(answer: yes), isAllowed: true)
        try await self.run([policy], TestAuthorities(answer: .failed("away")), isAllowed: false)
        try await self.run([policy], isAllowed: false)
    }
}
