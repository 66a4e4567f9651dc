import NIOCore
import ProxyRuntime
import Testing
import TrafficEngine

/// Requests and responses through a real proxy on loopback.
@Suite struct ForwardingTests {
    static let get = "GET /a?b HTTP/1.1\r\nHost: x.test\r\n\r\n"
    static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    @Test("A request and its response are passed on, and connections are kept on both sides")
    func forwards() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            for round in 1...3 {
                client.send("GET /\(round) HTTP/1.1\r\nHost: x.test\r\nX-A: b\r\nConnection: keep-alive\r\n\r\n")
                let endpoint = await server.connection(0)
                let request = await endpoint.waitFor("GET /\(round) HTTP/1.1\r\nHost: x.test\r\nX-A: b\r\n\r\n")
                #expect(!request.contains("Connection"))
                endpoint.send(Self.ok)
                let response = await client.wait { $0.components("ok").count == round + 1 }
                #expect(response.hasPrefix("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nx-envoy-upstream-service-time: "))
            }
            #expect(server.connectionCount == 1)
            let statistics = await proxy.runtime.statistics()
            let cluster = try #require(statistics.clusters["endpoint"])
            #expect(cluster.counts.connections == 1)
            #expect(cluster.counts.requests == 3)
            #expect(cluster.counts.requestsActive == 0)
            #expect(cluster.counts.responses.successful == 3)
            #expect(cluster.durations.count == 3)
            #expect(statistics.http["test"]?.responses.successful == 3)
            #expect(statistics.listeners["test"]?.connections == 1)
        }
        try await server.stop()
    }

    @Test("Pipelined requests are served in their order")
    func servesPipelined() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send((1...3).map { "GET /\($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined())
            let endpoint = await server.connection(0)
            for round in 1...3 {
                let seen = await endpoint.waitFor("GET /\(round) ")
                #expect(!seen.contains("GET /\(round + 1) "))
                endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nr\(round)")
            }
            let all = await client.waitFor("r3")
            #expect(all.components("r1").count == 2)
            #expect(all.components("r2").count == 2)
        }
        try await server.stop()
    }

    @Test("A body that comes in parts reaches the endpoint, and a response that comes in parts the client")
    func forwardsBodies() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nab")
            let endpoint = await server.connection(0)
            await endpoint.waitFor("\r\n\r\nab")
            client.send("cdef")
            await endpoint.waitFor("abcdef")
            endpoint.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nuvw")
            await client.waitFor("3\r\nuvw")
            endpoint.send("\r\n0\r\nX-T: y\r\n\r\n")
            let response = await client.waitFor("0\r\nX-T: y\r\n\r\n")
            #expect(response.contains("Transfer-Encoding: chunked\r\n"))
            client.send(Self.get)
            await endpoint.waitFor("GET /a?b")
            #expect(server.connectionCount == 1)
        }
        try await server.stop()
    }

    @Test("A chunked request body passes as it is")
    func forwardsChunkedRequest() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nhi\r\n")
            let endpoint = await server.connection(0)
            await endpoint.waitFor("2;a=b\r\nhi\r\n")
            client.send("0\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\n\r\n")
            await endpoint.waitFor("0\r\n\r\n")
            endpoint.send(Self.ok)
            await endpoint.waitFor("GET /next ")
        }
        try await server.stop()
    }

    @Test("A response that only a close ends reaches the client whole, and ends its connection")
    func forwardsUntilClose() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get)
            let endpoint = await server.connection(0)
            await endpoint.waitFor("\r\n\r\n")
            endpoint.send("HTTP/1.1 200 OK\r\n\r\nall of it")
            endpoint.endOutput()
            let response = await client.waitForEnd()
            #expect(response.contains("connection: close\r\n"))
            #expect(response.hasSuffix("all of it"))
        }
        try await server.stop()
    }

    @Test(
        "Responses without a body end with their head",
        arguments: [
            ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"), ("GET", "HTTP/1.1 204 No Content\r\n\r\n"),
            ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n"),
        ]
    )
    func forwardsBodiless(_ method: String, _ head: String) async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send("\(method) / HTTP/1.1\r\nHost: x\r\n\r\n")
            let endpoint = await server.connection(0)
            await endpoint.waitFor("\r\n\r\n")
            endpoint.send(head)
            await client.waitFor("\r\n\r\n")
            client.send("GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
            await endpoint.waitFor("GET /next ")
        }
        try await server.stop()
    }

    @Test("Interim responses are passed on before the final one")
    func forwardsInterim() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            let endpoint = await server.connection(0)
            await endpoint.waitFor("Expect: 100-continue\r\n")
            endpoint.send("HTTP/1.1 100 Continue\r\n\r\n")
            await client.waitFor("HTTP/1.1 100 Continue\r\n\r\n")
            client.send("hi")
            await endpoint.waitFor("\r\n\r\nhi")
            endpoint.send("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + Self.ok)
            let response = await client.waitFor("ok")
            #expect(response.contains("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n"))
        }
        try await server.stop()
    }

    @Test("HTTP/1.0 gets no chunks and a close, and keep-alive if it asks")
    func servesOldClients() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send("GET / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n")
            let endpoint = await server.connection(0)
            await endpoint.waitFor("GET / HTTP/1.1\r\n")
            endpoint.send(Self.ok)
            let kept = await client.waitFor("ok")
            #expect(kept.contains("connection: keep-alive\r\n"))
            client.send("GET /2 HTTP/1.0\r\n\r\n")
            await endpoint.waitFor("GET /2 HTTP/1.1\r\nhost: \r\n")
            endpoint.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n")
            let all = await client.waitForEnd()
            #expect(all.hasSuffix("\r\n\r\nabcdef"))
            #expect(!all.contains("chunked"))
        }
        try await server.stop()
    }

    @Test("Hop-by-hop headers stay behind, forwarding headers are added")
    func editsRequestHead() async throws {
        let server = try await RawServer.start()
        let terminal = FilterChain.Terminal.http(addsForwardingHeaders: true, appendsPeerAddress: true)
        try await TestProxy.run(terminal, clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send(
                "GET / HTTP/1.1\r\nHost: x\r\nConnection: X-Drop, close, host\r\nX-Drop: 1\r\nKeep-Alive: 5\r\n"
                    + "TE: trailers\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\nProxy-Connection: x\r\n"
                    + "X-Forwarded-For: 192.0.2.1\r\nX-Keep: 2\r\n\r\n"
            )
            let endpoint = await server.connection(0)
            let request = await endpoint.waitFor("\r\n\r\n")
            let lines = request.split(separator: "\r\n").map(String.init)
            #expect(
                Array(lines.prefix(5)) == [
                    "GET / HTTP/1.1", "Host: x", "TE: trailers", "X-Keep: 2", "x-forwarded-for: 192.0.2.1, 127.0.0.1",
                ]
            )
            #expect(lines[5] == "x-forwarded-proto: http")
            #expect(lines[6].hasPrefix("x-request-id: ") && lines[6].utf8.count == 14 + 36)
            #expect(lines.count == 7)
            endpoint.send(Self.ok)
            #expect(await client.waitForEnd().contains("connection: close\r\n"))
        }
        try await server.stop()
    }

    @Test("The peer's address is not shown unless that is asked for")
    func keepsForwardedFor() async throws {
        let server = try await RawServer.start()
        let terminal = FilterChain.Terminal.http(addsForwardingHeaders: true)
        try await TestProxy.run(terminal, clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send("GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n")
            let request = await server.connection(0).waitFor("\r\n\r\n")
            #expect(request.contains("X-Forwarded-For: 192.0.2.1\r\nx-forwarded-proto: http\r\n"))
        }
        try await server.stop()
    }

    @Test("Routes rewrite path, host and headers")
    func rewrites() async throws {
        let server = try await RawServer.start()
        func entry(_ name: String, _ value: String) -> HeaderEdits.Entry {
            HeaderEdits.Entry(name: Array(name.utf8), value: Array(value.utf8))
        }
        let terminal = FilterChain.Terminal.http(
            match: .prefix(Array("/old".utf8)),
            prefixRewrite: "/new",
            hostRewrite: "other.test",
            requestHeaders: HeaderEdits(
                remove: [Array("x-a".utf8)],
                set: [entry("x-b", "2")],
                add: [entry("x-c", "3")]
            ),
            responseHeaders: HeaderEdits(remove: [Array("x-r".utf8)], add: [entry("x-s", "4")])
        )
        try await TestProxy.run(terminal, clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send("GET /old/x?y HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nX-B: 1\r\nX-C: 1\r\n\r\n")
            let endpoint = await server.connection(0)
            let request = await endpoint.waitFor("\r\n\r\n")
            #expect(
                request == "GET /new/x?y HTTP/1.1\r\nX-C: 1\r\nhost: other.test\r\nx-envoy-original-path: /old/x?y\r\n"
                    + "x-b: 2\r\nx-c: 3\r\n\r\n"
            )
            endpoint.send("HTTP/1.1 200 OK\r\nX-R: 1\r\nServer: s\r\nContent-Length: 0\r\n\r\n")
            let response = await client.waitFor("\r\n\r\n")
            #expect(!response.contains("X-R"))
            #expect(response.contains("x-s: 4\r\n"))
            #expect(!response.contains("server: lateen"))
        }
        try await server.stop()
    }

    @Test("An upgrade that is allowed becomes a tunnel")
    func upgrades() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(allowsUpgrade: true), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            let endpoint = await server.connection(0)
            await endpoint.waitFor("connection: upgrade\r\nupgrade: websocket\r\n")
            endpoint.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
            let head = await client.waitFor("hello")
            #expect(head.contains("upgrade: websocket\r\n"))
            client.send("\u{1}ping")
            await endpoint.waitFor("\u{1}ping")
            endpoint.send("pong")
            await client.waitFor("pong")
            endpoint.close()
            await client.waitForEnd()
        }
        try await server.stop()
    }

    @Test("A large response passes a slow client without being held, and a large request a slow endpoint")
    func appliesBackPressure() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let size = 8 << 20
            let client = try await proxy.connect()
            client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \(size)\r\n\r\n")
            let endpoint = await server.connection(0)
            await endpoint.waitFor("\r\n\r\n")
            try await client.send(.init(repeating: UInt8(ascii: "q"), count: size))
            await endpoint.wait { $0.utf8.count > size }
            endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
            try await endpoint.send(.init(repeating: UInt8(ascii: "r"), count: size))
            let response = await client.wait { $0.utf8.count > size }
            #expect(response.hasSuffix("rrrr"))
        }
        try await server.stop()
    }
}

extension String {
    /// Parts between occurrences of `separator`.
    func components(_ separator: String) -> [Substring] {
        var parts: [Substring] = []
        var rest = self[...]
        while let range = rest.firstRange(of: separator) {
            parts.append(rest[..<range.lowerBound])
            rest = rest[range.upperBound...]
        }
        return parts + [rest]
    }
}
