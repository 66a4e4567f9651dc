import ProxyRuntime
import Testing
import TrafficEngine

/// Header edits and the lines that the proxy writes by itself.
@Suite struct HeaderEditsTests {
    private static let own = [
        "x-forwarded-for", "x-forwarded-proto", "x-request-id", "x-envoy-original-path", "x-forwarded-client-cert",
    ]

    private static func bytes(_ texts: [String]) -> [[UInt8]] { texts.map { Array($0.utf8) } }

    private static func set(_ lines: [String: String]) -> HeaderEdits {
        HeaderEdits(
            set: lines.sorted { $0.key < $1.key }.map { .init(name: Array($0.key.utf8), value: Array($0.value.utf8)) }
        )
    }

    /// The head that an endpoint gets from a proxy that writes all of its own lines.
    private func sent(_ edits: HeaderEdits, more: String = "") async throws -> String {
        let server = try await RawServer.start()
        let terminal = FilterChain.Terminal.http(
            addsForwardingHeaders: true,
            appendsPeerAddress: true,
            match: .prefix(Array("/a".utf8)),
            prefixRewrite: "/b",
            requestHeaders: edits
        )
        var head = ""
        try await TestProxy.run(terminal, clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send("GET /a HTTP/1.1\r\nHost: x\r\n\(more)\r\n")
            head = await server.connection(0).waitFor("\r\n\r\n")
        }
        try await server.stop()
        return head.lowercased()
    }

    /// How many lines of a head have this name.
    private static func count(_ name: String, in head: String) -> Int { head.components("\r\n\(name):").count - 1 }

    @Test("What a route removes is not written by the proxy again")
    func removesOwn() async throws {
        let untouched = try await self.sent(HeaderEdits())
        let removed = try await self.sent(
            HeaderEdits(remove: Self.bytes(Self.own)),
            more: "X-Forwarded-For: 10.0.0.1\r\nX-Request-Id: theirs\r\n"
        )

        for name in Self.own where name != "x-forwarded-client-cert" {
            #expect(Self.count(name, in: untouched) == 1, "\(untouched)")
        }
        for name in Self.own { #expect(Self.count(name, in: removed) == 0, "\(removed)") }
    }

    @Test("What a route sets is there once, as it says")
    func setsOwn() async throws {
        let lines = [
            "x-forwarded-for": "203.0.113.9", "x-request-id": "mine", "x-forwarded-proto": "https",
            "x-envoy-original-path": "/elsewhere",
        ]
        let head = try await self.sent(Self.set(lines), more: "X-Request-Id: theirs\r\n")

        for (name, value) in lines {
            #expect(head.contains("\r\n\(name): \(value)\r\n"), "\(head)")
            #expect(Self.count(name, in: head) == 1, "\(head)")
        }
    }

    @Test("The client's certificate is not named to those that it is removed for", arguments: [true, false])
    func keepsIdentity(_ isRemoved: Bool) async throws {
        let pki = try TestPKI()
        let endpoint = try await RawServer.start()
        var setup = try ProxyPair.Setup.mesh(pki)
        setup.speaksHTTP = true
        var header = ClientCertificateHeader()
        header.mode = .sanitizeSet
        header.addsURI = true
        let cluster = WeightedCluster(
            cluster: ClusterID(index: 0),
            name: "endpoint",
            requestHeaders: HeaderEdits(remove: isRemoved ? Self.bytes(["x-forwarded-client-cert"]) : [])
        )
        let route = Route(
            name: "out",
            match: RouteMatch(path: .prefix(Array("/".utf8))),
            action: .forward(ForwardAction(clusters: [cluster]))
        )
        let host = VirtualHost(name: "all", domains: ["*"], routes: [route])
        setup.serverTerminal = .http(
            HTTPConnectionManager(
                statPrefix: "test",
                routes: .inline(RouteTable(name: "table", virtualHosts: [host])),
                clientCertificateHeader: header
            )
        )
        try await ProxyPair.run(setup, endpoint: endpoint) { pair in
            let client = try await pair.connect()
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            let head = await endpoint.connection(0).waitFor("\r\n\r\n")
            #expect(head.contains("URI=\(TestPKI.frontend)") == !isRemoved, "\(head)")
            #expect(head.contains("x-forwarded-client-cert") == !isRemoved, "\(head)")
        }
        try await endpoint.stop()
    }

    /// The head that a client gets for an endpoint's answer without a `server` line.
    private func answered(_ edits: HeaderEdits) async throws -> String {
        let server = try await RawServer.start()
        var head = ""
        try await TestProxy.run(.http(responseHeaders: edits), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send(ForwardingTests.get)
            let endpoint = await server.connection(0)
            await endpoint.waitFor("\r\n\r\n")
            endpoint.send(ForwardingTests.ok)
            head = await client.waitFor("\r\n\r\nok")
        }
        try await server.stop()
        return head.lowercased()
    }

    @Test("Of a response, too, what is removed is gone and what is set is there once")
    func editsResponses() async throws {
        let own = ["server", "x-envoy-upstream-service-time"]
        let untouched = try await self.answered(HeaderEdits())
        let removed = try await self.answered(HeaderEdits(remove: Self.bytes(own)))
        let set = try await self.answered(Self.set(["server": "mine", "x-envoy-upstream-service-time": "-"]))

        for name in own {
            #expect(Self.count(name, in: untouched) == 1, "\(untouched)")
            #expect(Self.count(name, in: removed) == 0, "\(removed)")
            #expect(Self.count(name, in: set) == 1, "\(set)")
        }
        #expect(set.contains("\r\nserver: mine\r\n"))
    }

    @Test("The proxy's own answers lose what the route removes")
    func editsReplies() async throws {
        let terminal = FilterChain.Terminal.http(
            .respond(status: 200, body: Array("hi".utf8)),
            responseHeaders: HeaderEdits(remove: Self.bytes(["server", "content-type"]))
        )
        try await TestProxy.run(terminal, clusters: []) { proxy in
            let client = try await proxy.connect()
            client.send(ForwardingTests.get)
            let head = await client.waitFor("\r\n\r\nhi")
            #expect(!head.contains("server:") && !head.contains("content-type:"), "\(head)")
        }
    }
}
