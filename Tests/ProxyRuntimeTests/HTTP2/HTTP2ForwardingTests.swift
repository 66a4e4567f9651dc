import MeshModel
import NIOCore
import ProxyRuntime
import Testing
import TrafficEngine

extension Cluster {
    /// Number 0, spoken to in one version of HTTP.
    static func test(
        ports: UInt16...,
        version: HTTPVersion,
        limits: ClusterLimits = ClusterLimits(),
        http2: HTTP2Settings = HTTP2Settings()
    ) -> Cluster {
        Cluster(
            id: ClusterID(index: 0),
            name: "endpoint",
            discovery: .endpoints(
                ports.map { ClusterEndpoint(address: NetworkAddress(ip: TestProxy.loopback, port: $0)) }
            ),
            balancing: .roundRobin,
            limits: limits,
            httpVersion: version,
            http2: http2
        )
    }
}

@Suite struct HTTP2ForwardingTests {
    @Test("A request of HTTP/2 reaches an endpoint of HTTP/1.1 and the answer comes back")
    func toHTTP1() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            client.request(1, "/x", [("x-a", "1")])

            let upstream = await server.connection(0)
            let request = await upstream.waitFor("\r\n\r\n")
            upstream.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-b: 2\r\n\r\nhello")
            let head = await client.nextHead()
            let body = await client.nextBody(1)

            #expect(request.hasPrefix("GET /x HTTP/1.1\r\nhost: a.test\r\nx-a: 1\r\n"))
            #expect(head.fields[":status"] == "200")
            #expect(head.fields["x-b"] == "2")
            #expect(head.fields["connection"] == nil)
            #expect(body.text == "hello")
        }
        try await server.stop()
    }

    @Test("A body without a length travels in chunks, its trailers behind them, both ways")
    func chunksAndTrailers() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            client.request(1, method: "POST", ends: false)
            client.data(1, "one")
            client.data(1, "two")
            client.headers(1, [("x-sum", "6")], ends: true)

            let upstream = await server.connection(0)
            let request = await upstream.waitFor("x-sum")
            upstream.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-end: yes\r\n\r\n")
            let head = await client.nextHead()
            let body = await client.nextBody(1)

            #expect(request.contains("transfer-encoding: chunked\r\n"))
            #expect(request.hasSuffix("3\r\none\r\n3\r\ntwo\r\n0\r\nx-sum: 6\r\n\r\n") || request.contains("onetwo"))
            #expect(head.fields["transfer-encoding"] == nil)
            #expect(body.text == "abc")
            #expect(body.trailers == ["x-end": "yes"])
        }
        try await server.stop()
    }

    @Test("A request of HTTP/1.1 reaches an endpoint of HTTP/2, with chunks and trailers taken off and put on")
    func fromHTTP1() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port, version: .http2)]) { proxy in
            let client = try await proxy.connect()
            client.send(
                "POST /y HTTP/1.1\r\nHost: b.test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nx-t: 1\r\n\r\n"
            )

            let upstream = await HTTP2Peer.server(await server.connection(0))
            let head = await upstream.nextHead()
            let body = await upstream.nextBody(head.stream)
            upstream.headers(head.stream, [(":status", "201"), ("x-c", "3")])
            upstream.data(head.stream, "fine")
            upstream.headers(head.stream, [("x-end", "yes")], ends: true)
            let answer = await client.waitFor("x-end: yes\r\n\r\n")

            #expect(head.fields[":method"] == "POST")
            #expect(head.fields[":path"] == "/y")
            #expect(head.fields[":authority"] == "b.test")
            #expect(head.fields["transfer-encoding"] == nil)
            #expect(body.text == "body")
            #expect(body.trailers == ["x-t": "1"])
            #expect(answer.hasPrefix("HTTP/1.1 201 Created\r\nx-c: 3\r\n"))
            #expect(answer.contains("transfer-encoding: chunked\r\n"))
            #expect(answer.hasSuffix("\r\n\r\n4\r\nfine\r\n0\r\nx-end: yes\r\n\r\n"))
        }
        try await server.stop()
    }

    @Test("Streams of one client share one connection to the endpoint and are answered in any order")
    func multiplexes() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port, version: .http2)]) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            for stream in [1, 3, 5] as [UInt32] { client.request(stream, "/\(stream)") }

            let upstream = await HTTP2Peer.server(await server.connection(0))
            var paths: [String: UInt32] = [:]
            for _ in 0..<3 {
                let head = await upstream.nextHead()
                paths[head.fields[":path"] ?? ""] = head.stream
            }
            for path in ["/5", "/1", "/3"] {
                upstream.headers(paths[path] ?? 0, [(":status", "200"), ("x-path", path)], ends: true)
            }
            var answers: [UInt32: String] = [:]
            for _ in 0..<3 {
                let head = await client.nextHead()
                answers[head.stream] = head.fields["x-path"]
            }

            #expect(answers == [1: "/1", 3: "/3", 5: "/5"])
            #expect(server.connectionCount == 1)
        }
        try await server.stop()
    }

    @Test("A gRPC answer of trailers alone stays one frame")
    func trailersOnly() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port, version: .http2)]) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            client.request(1, method: "POST", ends: false, [("content-type", "application/grpc"), ("te", "trailers")])
            client.data(1, "message", ends: true)

            let upstream = await HTTP2Peer.server(await server.connection(0))
            let head = await upstream.nextHead()
            upstream.headers(head.stream, [(":status", "200"), ("grpc-status", "5")], ends: true)
            let answer = await client.nextHead()

            #expect(head.fields["te"] == "trailers")
            #expect(answer.ends)
            #expect(answer.fields["grpc-status"] == "5")
        }
        try await server.stop()
    }

    @Test("A failure is told to a gRPC client as a status of gRPC")
    func failuresOfGRPC() async throws {
        let server = try await RawServer.start()
        let port = server.port
        try await server.stop()
        try await TestProxy.run(.http(), clusters: [.test(ports: port, version: .http2)]) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            client.request(1, method: "POST", [("content-type", "application/grpc+proto")])

            let answer = await client.nextHead()

            #expect(answer.ends)
            #expect(answer.fields[":status"] == "200")
            #expect(answer.fields["grpc-status"] == "14")
            #expect(answer.fields["grpc-message"]?.contains("a.test") == true)
        }
    }

    @Test("A client that resets its stream resets the endpoint's, and no other")
    func passesResetsOn() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port, version: .http2)]) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            client.request(1, "/1")
            client.request(3, "/3")
            let upstream = await HTTP2Peer.server(await server.connection(0))
            let first = await upstream.nextHead()
            let second = await upstream.nextHead()

            client.reset(1)
            let reset = await upstream.next(.reset)
            upstream.headers(second.stream, [(":status", "200")], ends: true)
            let answer = await client.nextHead()

            #expect(reset?.stream == first.stream)
            #expect(answer.stream == 3)
        }
        try await server.stop()
    }

    @Test("A stream that an endpoint refuses is sent again")
    func repeatsRefusedStreams() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port, version: .http2)]) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            client.request(1, method: "POST")
            let upstream = await HTTP2Peer.server(await server.connection(0))
            let first = await upstream.nextHead()

            upstream.reset(first.stream, code: 7)
            let second = await upstream.nextHead()
            upstream.headers(second.stream, [(":status", "200")], ends: true)
            let answer = await client.nextHead()

            #expect(second.stream != first.stream)
            #expect(answer.fields[":status"] == "200")
        }
        try await server.stop()
    }

    @Test("Behind a GOAWAY what was not looked at goes to a new connection, the rest ends on the old one")
    func obeysGoodbyes() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port, version: .http2)]) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            client.request(1, "/1")
            client.request(3, "/3", method: "POST")
            let old = await HTTP2Peer.server(await server.connection(0))
            let first = await old.nextHead()
            _ = await old.nextHead()

            old.send(.goAway, payload: HTTP2Peer.bytes(first.stream) + HTTP2Peer.bytes(UInt32(0)))
            let new = await HTTP2Peer.server(await server.connection(1))
            let again = await new.nextHead()
            new.headers(again.stream, [(":status", "200"), ("x-on", "new")], ends: true)
            let second = await client.nextHead()
            old.headers(first.stream, [(":status", "200"), ("x-on", "old")], ends: true)
            let last = await client.nextHead()
            _ = await old.connection.waitForEnd()

            #expect(again.fields[":path"] == "/3")
            #expect(second.stream == 3)
            #expect(last.stream == 1)
            #expect(last.fields["x-on"] == "old")
            #expect(old.connection.end == .ended)
        }
        try await server.stop()
    }

    @Test("More streams than the endpoint takes get a second connection")
    func opensMoreConnections() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port, version: .http2)]) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            client.request(1)
            let first = await HTTP2Peer.server(await server.connection(0), settings: [(3, 1)])
            _ = await first.nextHead()
            // The proxy knows of the limit once it has acknowledged it.
            _ = await first.next(.settings)

            client.request(3)
            let second = await HTTP2Peer.server(await server.connection(1))
            let head = await second.nextHead()
            second.headers(head.stream, [(":status", "200")], ends: true)
            let answer = await client.nextHead()

            #expect(answer.stream == 3)
        }
        try await server.stop()
    }

    @Test("An answer waits for the client's window, and the client is the one who sets the pace")
    func couplesWindows() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port, version: .http2)]) { proxy in
            let client = try await HTTP2Peer.client(proxy, settings: [(4, 10)])
            client.request(1)
            let upstream = await HTTP2Peer.server(await server.connection(0))
            let head = await upstream.nextHead()
            upstream.headers(head.stream, [(":status", "200")])
            upstream.data(head.stream, "0123456789abcdef", ends: true)

            _ = await client.nextHead()
            let first = await client.next(.data)
            client.send(.windowUpdate, stream: 1, payload: HTTP2Peer.bytes(UInt32(100)))
            let second = await client.next(.data)

            #expect(first?.text == "0123456789")
            #expect(first?.endsStream == false)
            #expect(second?.text == "abcdef")
            #expect(second?.endsStream == true)
        }
        try await server.stop()
    }

    @Test("Interim answers are passed on before the final one")
    func passesInterim() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            client.request(1)
            let upstream = await server.connection(0)
            _ = await upstream.waitFor("\r\n\r\n")
            upstream.send("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n")

            let interim = await client.nextHead()
            let final = await client.nextHead()

            #expect(interim.fields[":status"] == "103")
            #expect(!interim.ends)
            #expect(final.fields[":status"] == "204")
            #expect(final.ends)
        }
        try await server.stop()
    }

    @Test("A draining proxy says goodbye, finishes what is there, and closes")
    func drains() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            client.request(1)
            let upstream = await server.connection(0)
            _ = await upstream.waitFor("\r\n\r\n")

            let drained = Task { await proxy.runtime.drain(.seconds(30)) }
            let goodbye = await client.next(.goAway)
            upstream.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            let head = await client.nextHead()
            let body = await client.nextBody(1)
            await client.connection.waitForEnd()
            await drained.value

            #expect(goodbye?.payload == HTTP2Peer.bytes(UInt32(1)) + HTTP2Peer.bytes(UInt32(0)))
            #expect(head.fields[":status"] == "200")
            #expect(body.text == "ok")
        }
        try await server.stop()
    }

    @Test("A connection that begins with another method than PRI is HTTP/1.1")
    func tellsVersionsApart() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send("PR")
            client.send("OPFIND / HTTP/1.1\r\nhost: a\r\n\r\n")

            let request = await (await server.connection(0)).waitFor("\r\n\r\n")

            #expect(request.hasPrefix("PROPFIND / HTTP/1.1\r\n"))
        }
        try await server.stop()
    }
}
