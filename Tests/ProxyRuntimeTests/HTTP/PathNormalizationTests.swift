import ProxyRuntime
import Testing
import TrafficEngine

/// One path for policies, routes and endpoints.
@Suite struct PathNormalizationTests {
    private static func terminal(normalizes: Bool = true) -> FilterChain.Terminal {
        let deny = RulePolicy.Entry(
            name: "ns[n]-policy[p]-rule[0]",
            permissions: [.path(.prefix(Array("/admin".utf8)))],
            principals: [.any]
        )
        let routes = [
            Route(
                name: "private",
                match: RouteMatch(path: .prefix(Array("/private".utf8))),
                action: .respond(status: 404, body: Array("private\n".utf8))
            ),
            Route(
                name: "all",
                match: RouteMatch(path: .prefix(Array("/".utf8))),
                action: .forward(
                    ForwardAction(clusters: [WeightedCluster(cluster: ClusterID(index: 0), name: "endpoint")])
                )
            ),
        ]
        let table = RouteTable(
            name: "t",
            virtualHosts: [VirtualHost(name: "all", domains: ["*"], routes: routes)]
        )
        return .http(
            HTTPConnectionManager(
                statPrefix: "test",
                routes: .inline(table),
                addsForwardingHeaders: false,
                normalizesPath: normalizes,
                policies: [.rules(RulePolicy(action: .deny, entries: [deny], isShadow: false, showsDenials: true))]
            )
        )
    }

    /// The start line and the rest, as an endpoint receives them.
    private func forwarded(_ request: String, normalizes: Bool = true) async throws -> String {
        let server = try await RawServer.start()
        var head = ""
        try await TestProxy.run(
            Self.terminal(normalizes: normalizes),
            clusters: [.test(ports: server.port)]
        ) { proxy in
            let client = try await proxy.connect()
            client.send(request)
            head = await (await server.connection(0)).waitFor("end")
        }
        try await server.stop()
        return head
    }

    @Test(
        "An endpoint gets the path that policies and routes have seen",
        arguments: [
            ("/admin/../public?a=/../b", "/public?a=/../b"), ("/private/%2e%2E/public", "/public"),
            ("/%61/./b%2Fc", "/a/b%2Fc"), ("/a\\..\\b", "/b"), ("/%20", "/%20"), ("/..", "/"),
        ]
    )
    func sendsOnWhatWasSeen(_ target: String, _ expected: String) async throws {
        let rest = " HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nend"
        #expect(try await self.forwarded("POST \(target)\(rest)") == "POST \(expected)\(rest)")
    }

    @Test("An absolute target is normalized, too")
    func absoluteForm() async throws {
        let head = try await self.forwarded(
            "POST http://x/admin/../public HTTP/1.1\r\nHost: y\r\nContent-Length: 3\r\n\r\nend"
        )
        #expect(head.hasPrefix("POST /public HTTP/1.1\r\n"))
        #expect(head.contains("host: x\r\n"))
    }

    @Test("Without the setting a path is sent on as it came")
    func leavesAlone() async throws {
        let rest = " HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nend"
        #expect(try await self.forwarded("POST /a/../b\(rest)", normalizes: false) == "POST /a/../b\(rest)")
    }

    @Test("What leads to a forbidden or a private path in a roundabout way gets nowhere else")
    func decides() async throws {
        try await TestProxy.run(Self.terminal(), clusters: []) { proxy in
            let client = try await proxy.connect()
            client.send("GET /public/../admin HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(await client.waitFor("RBAC: access denied").hasPrefix("HTTP/1.1 403 "))
            client.send("GET /public/..%2fx/../../private HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(await client.waitFor("private\n").contains("HTTP/1.1 404 "))
            // The next request on the connection is not touched by the last.
            client.send("GET /admin HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(await client.wait { $0.components("RBAC").count == 3 }.components("HTTP/1.1 403 ").count == 3)
        }
    }

    @Test("Over HTTP/2 the path is normalized as well")
    func http2() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(Self.terminal(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            client.request(1, "/admin/../public")
            let head = await (await server.connection(0)).waitFor("\r\n\r\n")
            #expect(head.hasPrefix("GET /public HTTP/1.1\r\n"))
        }
        try await server.stop()
    }
}
