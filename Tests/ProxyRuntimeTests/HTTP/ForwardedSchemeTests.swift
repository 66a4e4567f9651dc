import ProxyRuntime
import Testing
import TrafficEngine

/// What the proxy believes about the scheme that a client used.
@Suite struct ForwardedSchemeTests {
    /// A listener whose routes tell `https` from the rest.
    private static func terminal(isEdge: Bool = false, trustedHops: Int = 0) -> FilterChain.Terminal {
        let secure = HeaderMatch(name: Array(":scheme".utf8), value: .exact(Array("https".utf8)))
        let routes = [
            Route(
                name: "moved",
                match: RouteMatch(path: .exact(Array("/moved".utf8))),
                action: .redirect(RedirectAction(status: 301))
            ),
            Route(
                name: "secure",
                match: RouteMatch(path: .prefix(Array("/".utf8)), headers: [secure]),
                action: .respond(status: 200, body: Array("https\n".utf8))
            ),
            Route(
                name: "plain",
                match: RouteMatch(path: .exact(Array("/plain".utf8))),
                action: .respond(status: 200, body: Array("http\n".utf8))
            ),
            Route(
                name: "endpoint",
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
                appendsPeerAddress: isEdge,
                trustedHops: trustedHops
            )
        )
    }

    @Test("At the edge every line about the scheme goes, and the proxy's own is the only one")
    func dropsAllLines() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(Self.terminal(isEdge: true), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send(
                "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-Proto: https\r\nA: b\r\nx-forwarded-proto: https\r\n\r\n"
            )

            let request = await (await server.connection(0)).waitFor("\r\n\r\n").lowercased()

            #expect(!request.contains("https"))
            #expect(request.components("x-forwarded-proto: http\r\n").count == 2)
            #expect(request.contains("a: b\r\n"))
        }
        try await server.stop()
    }

    @Test(
        "Routes see the scheme that the mesh forwards, and strangers at the edge cannot choose it",
        arguments: [
            (false, 0, "https", "https\n"), (false, 0, "HTTPS", "https\n"), (false, 0, "http", "http\n"),
            (false, 0, "ftp", "http\n"), (true, 0, "https", "http\n"), (true, 1, "https", "https\n"),
        ]
    )
    func matchesScheme(_ isEdge: Bool, _ hops: Int, _ forwarded: String, _ expected: String) async throws {
        let terminal = Self.terminal(isEdge: isEdge, trustedHops: hops)
        try await TestProxy.run(terminal, clusters: []) { proxy in
            let client = try await proxy.connect()
            client.send("GET /plain HTTP/1.1\r\nHost: x\r\nX-Forwarded-Proto: \(forwarded)\r\n\r\n")

            let answer = await client.wait { $0.hasSuffix("http\n") || $0.hasSuffix("https\n") }

            #expect(answer.hasSuffix("\r\n\r\n" + expected))
        }
    }

    @Test("A redirect without a scheme of its own keeps the client's")
    func redirects() async throws {
        try await TestProxy.run(Self.terminal(), clusters: []) { proxy in
            let client = try await proxy.connect()
            client.send("GET /moved HTTP/1.1\r\nHost: x\r\nX-Forwarded-Proto: https\r\n\r\n")
            #expect(await client.waitFor("\r\n\r\n").contains("location: https://x/moved\r\n"))
        }
    }
}
