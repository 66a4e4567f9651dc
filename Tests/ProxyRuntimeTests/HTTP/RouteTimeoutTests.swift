import Foundation
import ProxyRuntime
import Testing
import TrafficEngine

/// A route's time is that of the whole answer, from the end of the request on.
@Suite struct RouteTimeoutTests {
    /// Long enough for an answer to begin in time on a busy machine.
    private static let timeout: Duration = .seconds(3)

    /// Runs `body`, and returns the flags of the access log.
    private func flags(
        _ body: (TestProxy, RawServer) async throws -> Void
    ) async throws -> String {
        let server = try await RawServer.start()
        let folder = try TemporaryFolder()
        let log = AccessLogConfiguration(path: folder.path("log"), format: "%RESPONSE_CODE% %RESPONSE_FLAGS%\n")
        let terminal = FilterChain.Terminal.http(timeout: Self.timeout, accessLogs: [log])
        try await TestProxy.run(terminal, clusters: [.test(ports: server.port)]) { proxy in
            try await body(proxy, server)
            _ = await proxy.waitForStatistics { $0.http["test"]?.requestsActive == 0 }
        }
        try await server.stop()
        // The proxy has written its logs when it has stopped.
        let text = try String(contentsOfFile: folder.path("log"), encoding: .utf8)
        try folder.remove()
        return text
    }

    @Test("An answer that has begun and does not end in time is cut off")
    func cutsOffAnswers() async throws {
        let flags = try await self.flags { proxy, server in
            let client = try await proxy.connect()
            client.send("GET / HTTP/1.1\r\nHost: x.test\r\n\r\n")
            let endpoint = await server.connection(0)
            await endpoint.waitFor("\r\n\r\n")
            endpoint.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")

            #expect(await client.waitForEnd().hasSuffix("abc"))
            await endpoint.waitForEnd()

            #expect(await proxy.runtime.statistics().clusters["endpoint"]?.counts.requestsTimedOut == 1)
        }
        #expect(flags == "200 UT\n")
    }

    @Test("A stream whose answer begins before the request ends is timed from the request's end on")
    func timesStreams() async throws {
        let flags = try await self.flags { proxy, server in
            let client = try await HTTP2Peer.client(proxy)
            client.request(1, method: "POST", ends: false)
            let endpoint = await server.connection(0)
            await endpoint.waitFor("\r\n\r\n")
            endpoint.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
            #expect(await client.nextHead().fields[":status"] == "200")
            #expect(await client.next(.data)?.text == "a")
            #expect(await proxy.runtime.statistics().clusters["endpoint"]?.counts.requestsTimedOut == 0)

            client.data(1, "", ends: true)

            #expect(await client.next(.reset)?.stream == 1)
            await endpoint.waitForEnd()
        }
        #expect(flags == "200 UT\n")
    }
}
