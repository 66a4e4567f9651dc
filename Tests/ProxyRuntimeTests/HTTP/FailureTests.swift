import ProxyRuntime
import Testing
import TrafficEngine

/// What goes wrong at endpoints, and what clients get for it.
@Suite struct FailureTests {
    private static let get = "GET / HTTP/1.1\r\nHost: x.test\r\n\r\n"
    private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    /// A port on which nobody listens: one that was closed may be another test's the next moment, the first is nobody's.
    private static let closedPort: UInt16 = 1

    @Test(
        "A malformed request gets an error and a close, and no byte of it reaches the endpoint",
        arguments: [
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400), ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: \u{0}\r\n\r\n", 400), ("GET / HTTP/1.1\nHost: a\n\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
            ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505), ("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 405),
        ]
    )
    func refusesBadRequests(_ request: String, _ status: Int) async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send(request)
            let response = await (status == 405 ? client.waitFor("\r\n\r\n") : client.waitForEnd())
            #expect(response.hasPrefix("HTTP/1.1 \(status) "))
            #expect(client.end != .reset)
            #expect(server.connectionCount == 0)
        }
        try await server.stop()
    }

    @Test("A head over the limit gets 431 and a close")
    func refusesLargeHead() async throws {
        try await TestProxy.run(.http(headBytesMax: 1000), clusters: [.test(ports: 1)]) { proxy in
            let client = try await proxy.connect()
            client.send("GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "x", count: 2000))
            #expect(await client.waitForEnd().hasPrefix("HTTP/1.1 431 "))
        }
    }

    @Test("A head that does not come in time gets 408 and a close")
    func timesOutSlowHead() async throws {
        let terminal = FilterChain.Terminal.http(requestHeadTimeout: .milliseconds(50))
        try await TestProxy.run(terminal, clusters: [.test(ports: 1)]) { proxy in
            let client = try await proxy.connect()
            client.send("GET / HTTP/1.1\r\nHos")
            #expect(await client.waitForEnd().hasPrefix("HTTP/1.1 408 "))
            let statistics = await proxy.runtime.statistics()
            #expect(statistics.http["test"]?.requestTimeouts == 1)
        }
    }

    @Test("A connection without a request for too long is closed")
    func closesIdleClients() async throws {
        try await TestProxy.run(.http(idleTimeout: .milliseconds(50)), clusters: [.test(ports: 1)]) { proxy in
            let client = try await proxy.connect()
            #expect(await client.waitForEnd().isEmpty)
        }
    }

    @Test("Nobody listens at the endpoint: 503")
    func reportsRefusedConnection() async throws {
        let port = Self.closedPort
        try await TestProxy.run(.http(), clusters: [.test(ports: port)]) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get)
            let response = await client.waitFor("x.test\n")
            #expect(response.hasPrefix("HTTP/1.1 503 "))
            #expect(await proxy.runtime.statistics().clusters["endpoint"]?.counts.connectsFailed == 1)
        }
    }

    @Test("No endpoint at all: 503, and the connection stays for the next request")
    func reportsNoEndpoint() async throws {
        try await TestProxy.run(.http(), clusters: [.test()]) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get + Self.get)
            let response = await client.wait { $0.components("no healthy endpoint for x.test\n").count == 3 }
            #expect(response.components("HTTP/1.1 503 ").count == 3)
            #expect(await proxy.runtime.statistics().clusters["endpoint"]?.counts.noneHealthy == 2)
        }
    }

    @Test("A route to a cluster that never came: 503; no route: 404")
    func reportsMissingParts() async throws {
        try await TestProxy.run(.http(match: .prefix(Array("/x".utf8))), clusters: []) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get)
            #expect(await client.waitFor("x.test\n").hasPrefix("HTTP/1.1 404 "))
            client.send("GET /x HTTP/1.1\r\nHost: y\r\n\r\n")
            #expect(await client.waitFor("for y\n").contains("HTTP/1.1 503 "))
        }
    }

    @Test("A host that the registry does not know gets 502 and is counted with its name")
    func blocksUnknownHosts() async throws {
        let terminal = FilterChain.Terminal.http(.respond(status: 502, body: []), virtualHostName: "block_all")
        try await TestProxy.run(terminal, clusters: []) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get)
            #expect(await client.waitFor("x.test\n").hasPrefix("HTTP/1.1 502 "))
            let blocked = await proxy.runtime.statistics().blocked
            #expect(blocked.count == 1)
            #expect(blocked.first?.key.name == "x.test")
            #expect(blocked.first?.key.reason == .blockedHost)
            #expect(blocked.first?.value == 1)
        }
    }

    @Test("The endpoint closes before it answers: 503")
    func reportsClose() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get)
            let endpoint = await server.connection(0)
            await endpoint.waitFor("\r\n\r\n")
            endpoint.close()
            #expect(await client.waitFor("x.test\n").hasPrefix("HTTP/1.1 503 "))
        }
        try await server.stop()
    }

    @Test("The endpoint answers with what is no HTTP: 502")
    func reportsProtocolError() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get)
            let endpoint = await server.connection(0)
            await endpoint.waitFor("\r\n\r\n")
            endpoint.send("SSH-2.0-OpenSSH\r\n")
            #expect(await client.waitFor("x.test\n").hasPrefix("HTTP/1.1 502 "))
            await endpoint.waitForEnd()
        }
        try await server.stop()
    }

    @Test("The endpoint cuts its response off: so does the client see it")
    func cutsOff() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get)
            let endpoint = await server.connection(0)
            await endpoint.waitFor("\r\n\r\n")
            endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
            await client.waitFor("abc")
            endpoint.close()
            #expect(await client.waitForEnd().hasSuffix("abc"))
        }
        try await server.stop()
    }

    @Test("The endpoint is silent: 504 after the route's time")
    func timesOut() async throws {
        let server = try await RawServer.start()
        let terminal = FilterChain.Terminal.http(timeout: .milliseconds(100))
        try await TestProxy.run(terminal, clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get)
            #expect(await client.waitFor("x.test\n").hasPrefix("HTTP/1.1 504 "))
            await server.connection(0).waitForEnd()
            #expect(await proxy.runtime.statistics().clusters["endpoint"]?.counts.requestsTimedOut == 1)
        }
        try await server.stop()
    }

    @Test("Nothing moves for too long: 504")
    func timesOutIdleStream() async throws {
        let server = try await RawServer.start()
        let terminal = FilterChain.Terminal.http(streamIdleTimeout: .milliseconds(100))
        try await TestProxy.run(terminal, clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get)
            #expect(await client.waitFor("x.test\n").hasPrefix("HTTP/1.1 504 "))
        }
        try await server.stop()
    }

    @Test("A kept connection that the endpoint closes as the request comes is replaced unseen")
    func survivesKeepAliveRace() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get)
            let first = await server.connection(0)
            await first.waitFor("\r\n\r\n")
            first.send(Self.ok)
            await client.waitFor("ok")
            client.send("GET /again HTTP/1.1\r\nHost: x\r\n\r\n")
            // The endpoint reads the request and ends: from outside the same as if it had ended before.
            await first.waitFor("GET /again ")
            first.close()
            let second = await server.connection(1)
            await second.waitFor("GET /again ")
            second.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain")
            let all = await client.waitFor("again")
            #expect(!all.contains("503"))
        }
        try await server.stop()
    }

    @Test("A request that may have had an effect is not repeated on its own account")
    func doesNotRepeatPost() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get)
            let first = await server.connection(0)
            await first.waitFor("\r\n\r\n")
            first.send(Self.ok)
            await client.waitFor("ok")
            client.send("POST /again HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\ny")
            await first.waitFor("POST /again ")
            first.close()
            #expect(await client.waitFor("for x\n").contains("HTTP/1.1 503 "))
            #expect(server.connectionCount == 1)
        }
        try await server.stop()
    }

    @Test("A refused endpoint is left for another by the retry policy, body and all")
    func retriesElsewhere() async throws {
        let server = try await RawServer.start()
        let dead = Self.closedPort
        let policy = RetryPolicy(retriesMax: 2, causes: [.connectFailure], backOffBase: .milliseconds(1))
        try await TestProxy.run(.http(retry: policy), clusters: [.test(ports: dead, server.port)]) { proxy in
            for round in 1...2 {
                let client = try await proxy.connect()
                client.send("POST /\(round) HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")
                let endpoint = await server.connection(0)
                await endpoint.wait { $0.contains("POST /\(round) ") && $0.components("body").count == round + 1 }
                endpoint.send(Self.ok)
                await client.waitFor("ok")
            }
            let counts = await proxy.runtime.statistics().clusters["endpoint"]?.counts
            // One or two, for the turns begin anywhere.
            #expect((1...2).contains(counts?.retries ?? 0))
            #expect(counts?.retriesSucceeded == counts?.retries)
        }
        try await server.stop()
    }

    @Test("A status of the retry policy is tried again")
    func retriesStatus() async throws {
        let server = try await RawServer.start()
        let policy = RetryPolicy(
            retriesMax: 1,
            causes: [.retriableStatusCodes],
            statusCodes: [503],
            backOffBase: .milliseconds(1)
        )
        try await TestProxy.run(.http(retry: policy), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get)
            let first = await server.connection(0)
            await first.waitFor("\r\n\r\n")
            first.send("HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno")
            let second = await server.connection(1)
            await second.waitFor("\r\n\r\n")
            second.send(Self.ok)
            #expect(await client.waitFor("ok").hasPrefix("HTTP/1.1 200 "))
        }
        try await server.stop()
    }

    @Test("A silent attempt is given up after the time for one try")
    func retriesSlowTry() async throws {
        let server = try await RawServer.start()
        let policy = RetryPolicy(
            retriesMax: 1,
            causes: [.serverError],
            perTryTimeout: .seconds(3),
            backOffBase: .milliseconds(1)
        )
        try await TestProxy.run(.http(retry: policy), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get)
            let second = await server.connection(1)
            await second.waitFor("\r\n\r\n")
            second.send(Self.ok)
            #expect(await client.waitFor("ok").hasPrefix("HTTP/1.1 200 "))
        }
        try await server.stop()
    }

    @Test("A client that goes takes its request at the endpoint with it")
    func abandonsRequest() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get)
            let endpoint = await server.connection(0)
            await endpoint.waitFor("\r\n\r\n")
            try await client.reset()
            await endpoint.waitForEnd()
            let statistics = await proxy.waitForStatistics { $0.http["test"]?.requestsActive == 0 }
            #expect(statistics.clusters["endpoint"]?.counts.requestsActive == 0)
        }
        try await server.stop()
    }

    @Test("A client that ends before its first request is closed", arguments: ["", "P", "PRI", "GET", "PRI * HTTP"])
    func closesUnused(_ bytes: String) async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            if !bytes.isEmpty { client.send(bytes) }
            client.endOutput()
            await client.waitForEnd()
            let statistics = await proxy.waitForStatistics { $0.listeners["test"]?.connectionsActive == 0 }
            #expect(statistics.listeners["test"]?.connectionsDestroyed == 1)
        }
        try await server.stop()
    }

    @Test("More requests than a cluster may have get 503")
    func limitsRequests() async throws {
        let server = try await RawServer.start()
        var limits = ClusterLimits()
        limits.requestsMax = 1
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port, limits: limits)]) { proxy in
            let first = try await proxy.connect()
            first.send(Self.get)
            let endpoint = await server.connection(0)
            await endpoint.waitFor("\r\n\r\n")
            let second = try await proxy.connect()
            second.send(Self.get)
            #expect(await second.waitFor("x.test\n").hasPrefix("HTTP/1.1 503 "))
            endpoint.send(Self.ok)
            await first.waitFor("ok")
        }
        try await server.stop()
    }

    @Test("Requests that find no connection free wait for one when no more may be opened")
    func waitsForConnection() async throws {
        let server = try await RawServer.start()
        var limits = ClusterLimits()
        limits.connectionsMax = 1
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port, limits: limits)]) { proxy in
            let clients = [try await proxy.connect(), try await proxy.connect()]
            for client in clients { client.send(Self.get) }
            let endpoint = await server.connection(0)
            await endpoint.waitFor("\r\n\r\n")
            _ = await proxy.waitForStatistics { $0.http["test"]?.requestsActive == 2 }
            endpoint.send(Self.ok)
            await endpoint.wait { $0.components("\r\n\r\n").count == 3 }
            endpoint.send(Self.ok)
            for client in clients { await client.waitFor("ok") }
            #expect(server.connectionCount == 1)
        }
        try await server.stop()
    }
}
