import Foundation
import MeshModel
import ProxyRuntime
import Testing
import TrafficEngine

/// What the policy engine may make of path, authority and method.
@Suite struct MixerRequestLineTests {
    @Test(
        "A path that the engine sets is what routes, rewrites, endpoint and log see; the report tells the one that came"
    )
    func path() async throws {
        let folder = try TemporaryFolder()
        let format = "%ROUTE_NAME% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %REQ(:PATH)%\n"
        let log = AccessLogConfiguration(path: folder.path("log"), format: format)
        let routes = [
            DirectiveProxy.route("second", "/v2", DirectiveProxy.forward(2, prefixRewrite: "/new")),
            DirectiveProxy.route("first", "/", DirectiveProxy.forward(1)),
        ]
        var engine: TestEngine?
        try await DirectiveProxy.run(
            DirectiveProxy.answer(DirectiveProxy.line(target: "/v2/x?a=b")),
            routes,
            reports: true,
            accessLogs: [log]
        ) { proxy, parties in
            engine = parties.engine
            let client = try await proxy.connect()
            client.send("GET /a HTTP/1.1\r\nHost: x.test\r\n\r\n")
            let endpoint = await parties.second.connection(0)
            let head = await endpoint.waitFor("\r\n\r\n")
            #expect(head.hasPrefix("GET /new/x?a=b HTTP/1.1\r\nhost: x.test\r\n"))
            #expect(head.contains("x-envoy-original-path: /v2/x?a=b\r\n"))
            endpoint.send(DirectiveProxy.ok)
            await client.waitFor("\r\n\r\nok")
            _ = await proxy.waitForStatistics { $0.http["test"]?.requestsActive == 0 }
        }
        // The proxy has written its logs when it has stopped.
        #expect(
            try String(contentsOfFile: folder.path("log"), encoding: .utf8) == "second /v2/x?a=b /new/x?a=b\n"
        )
        try folder.remove()
        var told = try #require(engine).reports.makeAsyncIterator()
        let values = try #require(await told.next()?.first).attributes
        #expect(values["request.path"] == .text("/a"))
        #expect(values["response.code"] == .number(200))
    }

    @Test("A path that the engine sets is normalized as a client's")
    func normalizes() async throws {
        let answer = DirectiveProxy.answer(DirectiveProxy.line(target: "/a/../b"))
        try await DirectiveProxy.run(answer, DirectiveProxy.versions, normalizesPath: true) { proxy, parties in
            let client = try await proxy.connect()
            client.send("GET /a HTTP/1.1\r\nHost: x.test\r\n\r\n")
            let endpoint = await parties.first.connection(0)
            #expect(await endpoint.waitFor("\r\n\r\n") == "GET /b HTTP/1.1\r\nhost: x.test\r\n\r\n")
        }
    }

    @Test("Authority and method are changed, too, and bodies go along, whether they came early or late")
    func authorityAndMethod() async throws {
        let routes = [
            DirectiveProxy.route("second", "/", DirectiveProxy.forward(2), header: (":authority", "other.test:81")),
            DirectiveProxy.route("first", "/", DirectiveProxy.forward(1)),
        ]
        let answer = DirectiveProxy.answer(DirectiveProxy.line(method: "POST", authority: "other.test:81"))
        try await DirectiveProxy.run(answer, routes) { proxy, parties in
            let client = try await proxy.connect()
            // The second one is answered from the cache, with its body in the same read.
            for round in 1...2 {
                client.send("PUT http://x.test/a HTTP/1.1\r\nHost: x.test\r\nContent-Length: 4\r\n\r\nbod\(round)")
                let endpoint = await parties.second.connection(0)
                await endpoint.waitFor("bod\(round)")
                endpoint.send(DirectiveProxy.ok)
                await client.wait { $0.components("\r\n\r\nok").count == round + 1 }
            }
            let head = "POST /a HTTP/1.1\r\nhost: other.test:81\r\nContent-Length: 4\r\n\r\n"
            #expect(await parties.second.connection(0).received == head + "bod1" + head + "bod2")
            #expect(parties.first.connectionCount == 0)
        }
    }

    @Test(
        "What makes no request that can be served is refused, also where the way is open without the engine",
        arguments: [
            ("HEAD", DirectiveProxy.line(method: "GET")), ("GET", DirectiveProxy.line(method: "HEAD")),
            ("GET", DirectiveProxy.line(method: "CONNECT")),
            ("GET", DirectiveProxy.line(target: "*")),
            ("GET", DirectiveProxy.line(target: "/" + String(repeating: "a", count: 70_000))),
        ]
    )
    func unusable(_ method: String, _ line: RequestLineEdits) async throws {
        try await DirectiveProxy.run(DirectiveProxy.answer(line), DirectiveProxy.versions, failsOpen: true) {
            proxy,
            parties in
            let client = try await proxy.connect()
            client.send("\(method) /a HTTP/1.1\r\nHost: x.test\r\n\r\n")
            #expect(await client.waitFor("\r\n\r\n").hasPrefix("HTTP/1.1 503 "))
            #expect(parties.first.connectionCount == 0)
        }
    }

    @Test("OPTIONS may be made to mean the server as a whole")
    func asterisk() async throws {
        let answer = DirectiveProxy.answer(DirectiveProxy.line(method: "OPTIONS", target: "*"))
        try await DirectiveProxy.run(
            answer,
            [DirectiveProxy.route("first", "*", DirectiveProxy.forward(1))] + DirectiveProxy.versions
        ) { proxy, parties in
            let client = try await proxy.connect()
            client.send("GET /a HTTP/1.1\r\nHost: x.test\r\n\r\n")
            let endpoint = await parties.first.connection(0)
            #expect(await endpoint.waitFor("\r\n\r\n").hasPrefix("OPTIONS * HTTP/1.1\r\n"))
        }
    }

    @Test("A request of HTTP/2 is changed as one of HTTP/1, on its way to either", arguments: [false, true])
    func http2(_ isUpstreamHTTP2: Bool) async throws {
        let answer = DirectiveProxy.answer(
            DirectiveProxy.line(target: "/b", authority: "other.test"),
            request: DirectiveProxy.versionTwo
        )
        try await DirectiveProxy.run(answer, DirectiveProxy.versions, version: isUpstreamHTTP2 ? .http2 : .http1) {
            proxy,
            parties in
            let client = try await HTTP2Peer.client(proxy)
            client.request(1, "/a", method: "POST", ends: false, [("x-a", "1")])
            client.data(1, "body", ends: true)
            if isUpstreamHTTP2 {
                let upstream = await HTTP2Peer.server(await parties.second.connection(0))
                let head = await upstream.nextHead()
                #expect(head.fields[":method"] == "POST" && head.fields[":path"] == "/b")
                #expect(head.fields[":authority"] == "other.test" && head.fields["host"] == nil)
                #expect(head.fields["x-version"] == "2" && head.fields["x-a"] == "1")
                #expect(await upstream.nextBody(head.stream).text == "body")
                upstream.headers(head.stream, [(":status", "200")], ends: true)
            } else {
                let upstream = await parties.second.connection(0)
                let request = await upstream.waitFor("0\r\n\r\n")
                #expect(request.hasPrefix("POST /b HTTP/1.1\r\nhost: other.test\r\nx-a: 1\r\n"))
                #expect(request.contains("x-version: 2\r\n"))
                #expect(request.hasSuffix("4\r\nbody\r\n0\r\n\r\n"))
                upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            }
            #expect(await client.nextHead().fields[":status"] == "200")
            #expect(parties.first.connectionCount == 0)
        }
    }
}
