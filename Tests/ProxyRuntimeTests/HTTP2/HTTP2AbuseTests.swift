import MeshModel
import NIOCore
import ProxyRuntime
import Testing
import TrafficEngine

/// What a peer must not do, and what it gets for it.
@Suite struct HTTP2AbuseTests {
    /// Runs `attack` against a proxy, then checks that another client is served as ever.
    private static func survive(
        _ terminal: FilterChain.Terminal = .http(.respond(status: 200, body: [])),
        _ attack: (HTTP2Peer, TestProxy) async throws -> Void
    ) async throws {
        try await TestProxy.run(terminal, clusters: []) { proxy in
            let other = try await HTTP2Peer.client(proxy)
            let client = try await HTTP2Peer.client(proxy)

            try await attack(client, proxy)

            other.request(1)
            let answer = await other.nextHead()
            #expect(answer.fields[":status"] == "200")
        }
    }

    struct Fault: Sendable, CustomStringConvertible {
        var description: String
        var code: ErrorCode
        /// Where it is counted, apart from the goodbyes.
        var counter: @Sendable (HTTP2Counts) -> Int = { $0.goAwaysSent }
        var send: @Sendable (HTTP2Peer) -> Void
    }

    static let faults: [Fault] = [
        Fault(description: "an even stream", code: .protocol) { $0.request(2) },
        Fault(description: "a stream number that goes back", code: .streamClosed) {
            $0.request(5)
            $0.request(3)
        },
        Fault(description: "data on a stream that never was", code: .protocol) { $0.data(7, "x") },
        Fault(description: "a reset of a stream that never was", code: .protocol) { $0.reset(7) },
        Fault(description: "a window for a stream that never was", code: .protocol) {
            $0.send(.windowUpdate, stream: 7, payload: [0, 0, 0, 1])
        },
        Fault(description: "a window update of nothing", code: .protocol) {
            $0.send(.windowUpdate, payload: [0, 0, 0, 0])
        },
        Fault(description: "a window over its limit", code: .flowControl) {
            $0.send(.windowUpdate, payload: [0x7F, 0xFF, 0xFF, 0xFF])
        },
        Fault(description: "an initial window over its limit", code: .flowControl) {
            $0.send(.settings, payload: [0, 4, 0x80, 0, 0, 0])
        },
        Fault(description: "a frame size under the minimum", code: .protocol) {
            $0.send(.settings, payload: [0, 5, 0, 0, 0x3F, 0xFF])
        },
        Fault(description: "a frame size over the maximum", code: .protocol) {
            $0.send(.settings, payload: [0, 5, 1, 0, 0, 0])
        },
        Fault(description: "a push setting of 2", code: .protocol) { $0.send(.settings, payload: [0, 2, 0, 0, 0, 2]) },
        Fault(description: "a push", code: .protocol) {
            $0.send(.pushPromise, .endHeaders, stream: 1, payload: [0, 0, 0, 2, 0x82])
        },
        Fault(description: "a giant frame", code: .frameSize) {
            $0.send(.data, stream: 1, payload: [UInt8](repeating: 0, count: 16_385))
        },
        Fault(description: "a block that cannot be read", code: .compression) {
            $0.send(.headers, [.endHeaders, .endStream], stream: 1, payload: [0xFF, 0xFF, 0xFF, 0xFF, 0xFF])
        },
        Fault(description: "a frame inside a header block", code: .protocol) {
            $0.send(.headers, [], stream: 1, payload: [0x82])
            $0.send(.ping, payload: [0, 0, 0, 0, 0, 0, 0, 0])
        },
        Fault(description: "continuations without an end", code: .enhanceYourCalm, counter: { $0.tooManyContinuations })
        { peer in
            peer.send(.headers, [], stream: 1, payload: [0x82])
            for _ in 0..<100 { peer.send(.continuation, [], stream: 1, payload: []) }
        },
        Fault(
            description: "a header block without an end",
            code: .enhanceYourCalm,
            counter: { $0.tooManyContinuations }
        ) { peer in
            peer.send(.headers, [], stream: 1, payload: [0x82])
            for _ in 0..<10 {
                peer.send(.continuation, [], stream: 1, payload: [UInt8](repeating: 0x82, count: 16_000))
            }
        },
        Fault(description: "resets of fresh streams without an end", code: .enhanceYourCalm) { peer in
            for number in 0..<400 as Range<UInt32> {
                peer.request(number * 2 + 1, method: "POST", ends: false)
                peer.reset(number * 2 + 1)
            }
        },
        Fault(description: "pings without an end", code: .enhanceYourCalm, counter: { $0.controlFloods }) { peer in
            for _ in 0..<20_000 { peer.send(.ping, payload: [0, 0, 0, 0, 0, 0, 0, 0]) }
        },
        Fault(description: "settings without an end", code: .enhanceYourCalm, counter: { $0.controlFloods }) { peer in
            for _ in 0..<20_000 { peer.send(.settings) }
        },
        Fault(description: "priorities without an end", code: .enhanceYourCalm, counter: { $0.priorityFloods }) {
            peer in
            for _ in 0..<2000 { peer.send(.priority, stream: 1, payload: [0, 0, 0, 0, 16]) }
        },
        Fault(description: "windows without an end", code: .enhanceYourCalm, counter: { $0.windowUpdateFloods }) {
            peer in
            for _ in 0..<4000 { peer.send(.windowUpdate, payload: [0, 0, 0, 1]) }
        },
    ]

    @Test("The connection ends with a reason, and the others stay", arguments: Self.faults)
    func endsConnections(_ fault: Fault) async throws {
        // Requests wait, so that resets are of streams without an answer.
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let other = try await HTTP2Peer.client(proxy)
            other.request(1, "/other")
            let upstream = await server.connection(0)
            await upstream.waitFor("GET /other ")
            let client = try await HTTP2Peer.client(proxy)

            fault.send(client)
            let code = await client.goodbye()
            await client.connection.waitForEnd()
            let statistics = await proxy.waitForStatistics { $0.http["test"]?.requestsActive == 1 }

            #expect(code == fault.code.number)
            #expect(fault.counter(statistics.http2) == 1)
            #expect(statistics.http2.goAwaysSent == 1)
            #expect(statistics.http2.streamsActive == 1)
            upstream.send("HTTP/1.1 204 No Content\r\n\r\n")
            let answer = await other.nextHead()
            #expect(answer.stream == 1 && answer.fields[":status"] == "204")
        }
        try await server.stop()
    }

    @Test("Empty data without an end is a flood")
    func boundsEmptyData() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            client.request(1, method: "POST", ends: false)
            for _ in 0..<500 { client.data(1, "") }

            let code = await client.goodbye()
            let statistics = await proxy.waitForStatistics { $0.http2.emptyFrameFloods == 1 }

            #expect(code == ErrorCode.enhanceYourCalm.number)
            #expect(statistics.http2.emptyFrameFloods == 1)
        }
        try await server.stop()
    }

    @Test("A first frame other than SETTINGS ends the connection")
    func wantsSettingsFirst() async throws {
        try await Self.survive { _, proxy in
            let client = HTTP2Peer(try await proxy.connect())
            client.connection.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            client.request(1)

            let code = await client.goodbye()
            #expect(code == ErrorCode.protocol.number)
        }
    }

    static let malformed: [[(String, String)]] = [
        [("Upper", "x")], [("connection", "close")], [("transfer-encoding", "chunked")], [("a", "x\r\ny: z")],
        [(":late", "x")], [("te", "gzip")], [("content-length", "5")],
    ]

    @Test("A malformed request is reset, and its connection goes on", arguments: Self.malformed.indices)
    func resetsMalformed(_ index: Int) async throws {
        try await TestProxy.run(.http(.respond(status: 200, body: [])), clusters: []) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            // The encoder would put names in lower case: written by hand, without compression.
            var block: [UInt8] = [0x82, 0x86, 0x84, 0x01, 0x01, UInt8(ascii: "a")]
            for (name, value) in Self.malformed[index] {
                block += [0, UInt8(name.utf8.count)] + Array(name.utf8) + [UInt8(value.utf8.count)] + Array(value.utf8)
            }
            client.send(.headers, [.endHeaders, .endStream], stream: 1, payload: block)

            let reset = await client.next(.reset)
            client.request(3)
            let answer = await client.nextHead()

            #expect(reset?.stream == 1)
            #expect(reset?.code == ErrorCode.protocol.number)
            #expect(answer.stream == 3)
            #expect(answer.fields[":status"] == "200")
        }
    }

    @Test("A head over the limit gets 431 on its stream")
    func boundsHeads() async throws {
        try await TestProxy.run(.http(.respond(status: 200, body: []), headBytesMax: 4096), clusters: []) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            client.request(1, "/", [("x-big", String(repeating: "y", count: 5000))])

            let answer = await client.nextHead()
            client.request(3)
            let next = await client.nextHead()

            #expect(answer.fields[":status"] == "431")
            #expect(next.fields[":status"] == "200")
        }
    }

    @Test("A bomb of references to one entry gets 431, and the connection goes on")
    func defusesBombs() async throws {
        try await TestProxy.run(.http(.respond(status: 200, body: [])), clusters: []) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            // One entry of 4000 bytes, then 10000 references to it.
            let length: [UInt8] = [0x7F, 0xA1, 0x1E]
            var block: [UInt8] = [0x82, 0x86, 0x84, 0x01, 0x01, UInt8(ascii: "a"), 0x40, 0x01, UInt8(ascii: "x")]
            block +=
                length + [UInt8](repeating: UInt8(ascii: "y"), count: 4000) + [UInt8](repeating: 0xBE, count: 10_000)
            client.send(.headers, [.endHeaders, .endStream], stream: 1, payload: block)

            let answer = await client.nextHead()
            client.request(3)
            let next = await client.nextHead()

            #expect(answer.fields[":status"] == "431")
            #expect(next.fields[":status"] == "200")
            let statistics = await proxy.waitForStatistics { $0.http2.headsTooLarge > 0 }
            #expect(statistics.http2.headsTooLarge == 1)
        }
    }

    @Test("Streams over the limit are refused, those within it are served")
    func boundsStreams() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            for number in 0..<101 as Range<UInt32> { client.request(number * 2 + 1, method: "POST", ends: false) }

            let reset = await client.next(.reset)

            #expect(reset?.stream == 201)
            #expect(reset?.code == ErrorCode.refusedStream.number)
        }
        try await server.stop()
    }

    @Test("A stream that sends more than its window is reset")
    func boundsWindows() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port, version: .http2)]) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            client.request(1, method: "POST", ends: false)
            // The endpoint's window is closed, so nothing is passed on.
            let upstream = await HTTP2Peer.server(await server.connection(0), settings: [(4, 0)])
            _ = await upstream.nextHead()
            _ = await upstream.next(.settings)
            for _ in 0..<17 { client.send(.data, stream: 1, payload: [UInt8](repeating: 0, count: 16_384)) }

            let reset = await client.next(.reset)

            #expect(reset?.stream == 1)
            #expect(reset?.code == ErrorCode.flowControl.number)
        }
        try await server.stop()
    }

    @Test("Data on a stream that has ended is an error of the stream")
    func knowsHalfClosed() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            client.request(1)
            client.data(1, "late")

            let reset = await client.next(.reset)

            #expect(reset?.stream == 1)
            #expect(reset?.code == ErrorCode.streamClosed.number)
        }
        try await server.stop()
    }

    @Test("More data than content-length says is an error of the stream", arguments: ["ab", "abcdef"])
    func checksLengths(_ body: String) async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            client.request(1, method: "POST", ends: false, [("content-length", "4")])
            client.data(1, body, ends: true)

            let reset = await client.next(.reset)

            #expect(reset?.code == ErrorCode.protocol.number)
        }
        try await server.stop()
    }

    @Test("A client that takes nothing of an answer does not hold its stream for ever")
    func endsStalledStreams() async throws {
        let server = try await RawServer.start()
        let terminal = FilterChain.Terminal.http(streamIdleTimeout: .milliseconds(200))
        try await TestProxy.run(terminal, clusters: [.test(ports: server.port)]) { proxy in
            let client = try await HTTP2Peer.client(proxy, settings: [(4, 0)])
            client.request(1)
            let upstream = await server.connection(0)
            _ = await upstream.waitFor("\r\n\r\n")
            upstream.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")

            _ = await client.nextHead()
            let reset = await client.next(.reset)

            #expect(reset?.stream == 1)
        }
        try await server.stop()
    }

    @Test("An endpoint that breaks the rules costs its own requests only", arguments: [0, 1, 2, 3])
    func survivesEndpoints(_ kind: Int) async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.http(), clusters: [.test(ports: server.port, version: .http2)]) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            client.request(1, method: "POST")
            let upstream = await HTTP2Peer.server(await server.connection(0))
            let head = await upstream.nextHead()
            switch kind {
            case 0: upstream.headers(head.stream, [(":status", "200"), ("connection", "close")], ends: true)
            case 1: upstream.data(head.stream, "no head", ends: true)
            case 2: upstream.headers(head.stream, [(":status", "100")], ends: true)
            default: upstream.headers(head.stream, [("no-status", "x")], ends: true)
            }

            let answer = await client.nextHead()

            #expect(answer.fields[":status"] == "502")
        }
        try await server.stop()
    }
}
