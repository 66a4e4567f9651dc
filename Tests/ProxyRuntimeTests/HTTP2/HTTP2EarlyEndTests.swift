import MeshModel
import NIOCore
import ProxyRuntime
import Testing
import TrafficEngine

/// Streams that end before both sides are done, and connections whose peers do not play along.
@Suite struct HTTP2EarlyEndTests {
    @Test("After an answer to half a request, the next requests get each its own answer")
    func keepsExchangesApart() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port, version: .http2)]) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            client.request(1, "/half", method: "POST", ends: false)
            let upstream = await HTTP2Peer.server(await server.connection(0))
            let half = await upstream.nextHead()
            upstream.headers(half.stream, [(":status", "401")], ends: true)
            let refused = await client.nextHead()
            _ = await upstream.next(.reset)

            client.request(3, "/a")
            client.request(5, "/b")
            let first = await upstream.nextHead()
            let second = await upstream.nextHead()
            for head in [first, second] {
                upstream.headers(head.stream, [(":status", "200"), ("x-for", head.fields[":path"] ?? "")], ends: true)
            }
            let answers = [await client.nextHead(), await client.nextHead()]
            let paths = Dictionary(answers.map { ($0.stream, $0.fields["x-for"]) }) { one, _ in one }

            #expect(refused.fields[":status"] == "401")
            #expect(paths == [3: "/a", 5: "/b"])
        }
        try await server.stop()
    }

    @Test("A request that is tried again gives its place on the old stream up, although its body goes on")
    func resetsRetried() async throws {
        let server = try await RawServer.start()
        let policy = RetryPolicy(
            retriesMax: 1,
            causes: [.retriableStatusCodes],
            statusCodes: [503],
            backOffBase: .milliseconds(1)
        )
        try await TestProxy.run(.http(retry: policy), clusters: [.test(ports: server.port, version: .http2)]) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            client.request(1, method: "POST", ends: false)
            let upstream = await HTTP2Peer.server(await server.connection(0))
            let first = await upstream.nextHead()
            upstream.headers(first.stream, [(":status", "503")], ends: true)

            let reset = await upstream.next(.reset)
            let again = await upstream.nextHead()
            client.data(1, "x", ends: true)
            upstream.headers(again.stream, [(":status", "200")], ends: true)
            let answer = await client.nextHead()

            #expect(reset?.stream == first.stream)
            #expect(answer.fields[":status"] == "200")
        }
        try await server.stop()
    }

    @Test("A connection of HTTP/1.1 with half a request on it is not used for the next one")
    func dropsHalfRequests() async throws {
        let server = try await RawServer.start()
        let policy = RetryPolicy(
            retriesMax: 1,
            causes: [.retriableStatusCodes],
            statusCodes: [503],
            backOffBase: .milliseconds(1)
        )
        try await TestProxy.run(.http(retry: policy), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send("HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n0123456789")
            let first = await server.connection(0)
            await first.waitFor("0123456789")
            first.send("HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\n")

            let second = await server.connection(1)
            await second.waitFor("0123456789")
            await first.waitForEnd()

            #expect(first.end != .open)
        }
        try await server.stop()
    }

    @Test("A stream that begins before our GOAWAY was seen is ignored, and those before it end as they should")
    func ignoresLateStreams() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            client.request(1)
            let upstream = await server.connection(0)
            _ = await upstream.waitFor("\r\n\r\n")

            let drained = Task { await proxy.runtime.drain(.seconds(30)) }
            _ = await client.next(.goAway)
            client.request(3, method: "POST", ends: false)
            client.data(3, "late")
            client.send(.windowUpdate, stream: 3, payload: HTTP2Peer.bytes(UInt32(100)))
            client.reset(3)
            client.send(.ping, payload: [1, 2, 3, 4, 5, 6, 7, 8])
            let pong = await client.next(.ping, .goAway)
            upstream.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            let head = await client.nextHead()
            await client.connection.waitForEnd()
            await drained.value

            #expect(pong?.kind == .ping)
            #expect(head.fields[":status"] == "200")
        }
        try await server.stop()
    }

    struct Cancelling: Sendable, CustomStringConvertible {
        var description: String
        var send: @Sendable (HTTP2Peer, UInt32) -> Void
    }

    static let cancellings: [Cancelling] = [
        Cancelling(description: "a second head that does not end the stream") { peer, stream in
            peer.request(stream, method: "POST", ends: false)
            peer.headers(stream, [("x-a", "1")])
        },
        Cancelling(description: "more than content-length says") { peer, stream in
            peer.request(stream, method: "POST", ends: false, [("content-length", "1")])
            peer.data(stream, "ab")
        },
        Cancelling(description: "a window update of nothing") { peer, stream in
            peer.request(stream, method: "POST", ends: false)
            peer.send(.windowUpdate, stream: stream, payload: [0, 0, 0, 0])
        },
    ]

    @Test("A client that makes us reset its fresh streams again and again is a flood, too", arguments: cancellings)
    func boundsOurResets(_ cancelling: Cancelling) async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            for number in 0..<400 as Range<UInt32> { cancelling.send(client, number * 2 + 1) }

            let code = await client.goodbye()
            await client.connection.waitForEnd()
            let statistics = await proxy.waitForStatistics { $0.http["test"]?.requestsActive == 0 }

            #expect(code == ErrorCode.enhanceYourCalm.number)
            #expect(statistics.http["test"]?.prematureResets == 1)
        }
        try await server.stop()
    }

    @Test("A client that takes none of its answers is cut off before they fill the memory")
    func boundsUnreadHeads() async throws {
        let value = [UInt8](repeating: UInt8(ascii: "&"), count: 8000)
        let big = HeaderEdits.Entry(name: Array("x-big".utf8), value: value)
        let terminal = FilterChain.Terminal.http(
            .respond(status: 200, body: []),
            responseHeaders: HeaderEdits(set: [big])
        )
        try await TestProxy.run(terminal, clusters: []) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            try await client.connection.channel.setOption(.autoRead, value: false).get()
            for number in 0..<4000 as Range<UInt32> { client.request(number * 2 + 1) }

            let statistics = await proxy.waitForStatistics { $0.http2.outboundFloods == 1 }

            #expect(statistics.http2.outboundFloods == 1)
            client.connection.close()
        }
    }

    @Test("An answer without a status is not given the one before it")
    func wantsItsOwnStatus() {
        let assembler = HeadAssembler()
        func assemble(_ fields: [(String, String)]) -> HeadAssembler.Fault? {
            assembler.begin(.response, bytesMax: 4096)
            for (name, value) in fields {
                Array(name.utf8).withUnsafeBytes { name in
                    Array(value.utf8).withUnsafeBytes { assembler.add(name, $0) }
                }
            }
            assembler.finish()
            return assembler.fault
        }

        #expect(assemble([(":status", "200")]) == nil)
        #expect(assemble([("content-type", "text/plain")]) == .malformed)
    }
}
