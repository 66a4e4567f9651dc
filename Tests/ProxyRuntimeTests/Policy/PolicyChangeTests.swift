import MeshModel
import ProxyRuntime
import Testing
import TrafficEngine

/// New states while connections stay open.
@Suite struct PolicyChangeTests {
    private static let get = "GET /a HTTP/1.1\r\nHost: x.test\r\n\r\n"

    private func manager(_ policies: [HTTPPolicy]) -> HTTPConnectionManager {
        let forward = ForwardAction(clusters: [WeightedCluster(cluster: ClusterID(index: 0), name: "endpoint")])
        let route = Route(name: "route", match: RouteMatch(path: .prefix(Array("/".utf8))), action: .forward(forward))
        return HTTPConnectionManager(
            statPrefix: "test",
            routes: .inline(
                RouteTable(name: "t", virtualHosts: [VirtualHost(name: "all", domains: ["*"], routes: [route])])
            ),
            addsForwardingHeaders: false,
            policies: policies
        )
    }

    private func state(_ server: RawServer, revision: UInt64, chain: String, _ policies: [HTTPPolicy]) -> ProxyState {
        let listener = Listener(
            name: "test",
            address: NetworkAddress(ip: TestProxy.loopback, port: 0),
            chains: [FilterChain(name: chain, terminal: .http(self.manager(policies)))]
        )
        return ProxyState(revision: revision, listeners: [listener], clusters: [.test(ports: server.port)])
    }

    /// A client whose first request was answered by the endpoint.
    private func run(_ body: (TestProxy, RawConnection, RawServer) async throws -> Void) async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(self.manager([])), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get)
            let endpoint = await server.connection(0)
            await endpoint.waitFor("GET /a")
            endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await client.waitFor("ok")
            try await body(proxy, client, server)
        }
        try await server.stop()
    }

    @Test("A policy that comes while a connection is open holds for its next request")
    func holdsForOpenConnections() async throws {
        let entry = RulePolicy.Entry(name: "ns[n]-policy[p]-rule[0]", permissions: [.any], principals: [.any])
        let denies = HTTPPolicy.rules(RulePolicy(action: .deny, entries: [entry]))
        try await self.run { proxy, client, server in
            let failures = await proxy.runtime.apply(self.state(server, revision: 2, chain: "chain", [denies]))
            #expect(failures.isEmpty)
            client.send(Self.get)
            let refused = await client.waitFor("RBAC: access denied")
            #expect(refused.contains("HTTP/1.1 403 Forbidden"))

            let more = await proxy.runtime.apply(self.state(server, revision: 3, chain: "chain", []))
            #expect(more.isEmpty)
            client.send(Self.get)
            let endpoint = await server.connection(0)
            await endpoint.wait { $0.components("GET /a").count == 3 }
        }
    }

    @Test("A connection whose way in has gone ends with its next answer")
    func endsOutdatedConnections() async throws {
        try await self.run { proxy, client, server in
            let failures = await proxy.runtime.apply(self.state(server, revision: 2, chain: "another", []))
            #expect(failures.isEmpty)
            client.send(Self.get)
            let endpoint = await server.connection(0)
            await endpoint.wait { $0.components("GET /a").count == 3 }
            endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend")
            let all = await client.waitForEnd()
            #expect(all.contains("connection: close") && all.hasSuffix("end"))
        }
    }
}
