import ProxyRuntime
import Testing
import TrafficEngine

/// Requests of scripts from other origins, through a real proxy.
@Suite struct CrossOriginTests {
    private static let preflight =
        "OPTIONS /a HTTP/1.1\r\nHost: x\r\nOrigin: https://good.test\r\nAccess-Control-Request-Method: PUT\r\n\r\n"

    private func run(
        _ action: Route.Action? = nil,
        port: UInt16,
        _ body: (RawConnection) async throws -> Void
    ) async throws {
        let forward = ForwardAction(clusters: [WeightedCluster(cluster: ClusterID(index: 0), name: "endpoint")])
        let route = Route(
            name: "route",
            match: RouteMatch(path: .prefix(Array("/".utf8))),
            action: action ?? .forward(forward),
            crossOrigin: CrossOriginPolicy(
                origins: [.exact(Array("https://good.test".utf8))],
                methods: Array("GET,PUT".utf8),
                headersExposed: Array("x-two".utf8),
                allowsCredentials: true
            )
        )
        let manager = HTTPConnectionManager(
            statPrefix: "test",
            routes: .inline(
                RouteTable(name: "t", virtualHosts: [VirtualHost(name: "all", domains: ["*"], routes: [route])])
            ),
            addsForwardingHeaders: false
        )
        try await TestProxy.run(.http(manager), clusters: [.test(ports: port)]) { proxy in
            try await body(try await proxy.connect())
        }
    }

    @Test("A preflight is answered by the proxy, and its connection goes on")
    func answersPreflight() async throws {
        let server = try await RawServer.start()
        try await self.run(port: server.port) { client in
            for round in 1...2 {
                client.send(Self.preflight)
                await client.wait { $0.components("\r\n\r\n").count == round + 1 }
            }
            let answer = client.received
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answer.contains("access-control-allow-origin: https://good.test\r\n"))
            #expect(answer.contains("access-control-allow-methods: GET,PUT\r\n"))
            #expect(answer.contains("access-control-allow-credentials: true\r\n"))
            #expect(server.connectionCount == 0)
        }
        try await server.stop()
    }

    @Test("The destination's own word on the origin is replaced")
    func marksAnswers() async throws {
        let server = try await RawServer.start()
        try await self.run(port: server.port) { client in
            client.send("GET /a HTTP/1.1\r\nHost: x\r\nOrigin: https://good.test\r\n\r\n")
            let endpoint = await server.connection(0)
            await endpoint.waitFor("\r\n\r\n")
            endpoint.send("HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 2\r\n\r\nok")
            let answer = await client.waitFor("ok").lowercased()
            #expect(answer.components("access-control-allow-origin: ").count == 2)
            #expect(answer.contains("access-control-allow-origin: https://good.test\r\n"))
            #expect(answer.contains("access-control-expose-headers: x-two\r\n"))
        }
        try await server.stop()
    }

    @Test("What the proxy answers itself can be read by the script, too")
    func marksOwnAnswers() async throws {
        // Nobody listens there.
        for (action, status) in [(Route.Action.respond(status: 418, body: []), "418"), (nil, "503")] {
            try await self.run(action, port: 1) { client in
                client.send("GET /a HTTP/1.1\r\nHost: x\r\nOrigin: https://good.test\r\n\r\n")
                let answer = await client.waitFor("\r\n\r\n")
                #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
                #expect(answer.contains("access-control-allow-origin: https://good.test\r\n"))
            }
        }
    }
}
