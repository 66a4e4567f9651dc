import MeshModel
import ProxyRuntime
import Testing
import TrafficEngine

/// How many requests a cluster lets be tried again at once.
@Suite struct RetryLimitTests {
    private func run(
        _ limits: ClusterLimits,
        _ body: (RawConnection, RawServer) async throws -> Void
    ) async throws {
        let server = try await RawServer.start()
        let policy = RetryPolicy(
            retriesMax: 1,
            causes: [.retriableStatusCodes],
            statusCodes: [503],
            backOffBase: .milliseconds(1)
        )
        let cluster = Cluster.test(ports: server.port, limits: limits)
        try await TestProxy.run(.http(retry: policy), clusters: [cluster]) { proxy in
            let client = try await proxy.connect()
            client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            let endpoint = await server.connection(0)
            await endpoint.waitFor("\r\n\r\n")
            endpoint.send("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
            try await body(client, server)
        }
        try await server.stop()
    }

    static let none: [ClusterLimits] = {
        var number = ClusterLimits()
        number.retriesMax = 0
        var budget = ClusterLimits()
        budget.retryBudget = RetryBudget(percent: 0, concurrencyMin: 0)
        return [number, budget]
    }()

    @Test("Where no retry is allowed the failure is answered", arguments: Self.none)
    func allowsNone(_ limits: ClusterLimits) async throws {
        try await self.run(limits) { client, server in
            #expect(await client.waitFor("\r\n\r\n").hasPrefix("HTTP/1.1 503 "))
            #expect(server.connectionCount == 1)
        }
    }

    @Test("A budget goes before the number")
    func allowsByBudget() async throws {
        var limits = ClusterLimits()
        limits.retriesMax = 0
        limits.retryBudget = RetryBudget(percent: 0, concurrencyMin: 1)
        try await self.run(limits) { client, server in
            // What is left of the first answer is not waited for.
            let endpoint = await server.connection(1)
            await endpoint.waitFor("\r\n\r\n")
            endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            #expect(await client.waitFor("\r\n\r\n").hasPrefix("HTTP/1.1 200 "))
        }
    }
}
