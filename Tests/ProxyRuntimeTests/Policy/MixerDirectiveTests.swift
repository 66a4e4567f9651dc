import Foundation
import MeshModel
import ProxyRuntime
import Testing
import TrafficEngine

/// What the policy engine makes of requests that it lets pass: each is routed once more, as it then is.
@Suite struct MixerDirectiveTests {
    private struct Parties {
        let engine: TestEngine
        /// Behind cluster 1.
        let first: RawServer
        /// Behind cluster 2.
        let second: RawServer
    }

    private static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    private static func line(
        method: String? = nil,
        target: String? = nil,
        authority: String? = nil
    ) -> RequestLineEdits {
        RequestLineEdits(
            method: method.map(self.bytes),
            target: target.map(self.bytes),
            authority: authority.map(self.bytes)
        )
    }

    private static func entry(_ name: String, _ value: String) -> HeaderEdits.Entry {
        HeaderEdits.Entry(name: self.bytes(name), value: self.bytes(value))
    }

    /// One that holds for all requests, for an hour.
    private static func answer(
        _ line: RequestLineEdits = RequestLineEdits(),
        request: HeaderEdits = HeaderEdits(),
        response: HeaderEdits = HeaderEdits()
    ) -> MixerAnswer {
        var answer = CheckAnswer(CheckVerdict(MixerStatus()))
        answer.verdict.requestLine = line
        answer.verdict.requestHeaders = request
        answer.verdict.responseHeaders = response
        answer.validDuration = .seconds(3600)
        answer.validUseCount = -1
        answer.references = []
        return .answered(answer)
    }

    private static func forward(
        _ cluster: Int,
        retry: RetryPolicy? = nil,
        prefixRewrite: String? = nil
    ) -> Route.Action {
        .forward(
            ForwardAction(
                clusters: [WeightedCluster(cluster: ClusterID(index: cluster), name: "\(cluster)")],
                retry: retry,
                prefixRewrite: prefixRewrite.map(self.bytes)
            )
        )
    }

    private static func route(
        _ name: String,
        _ prefix: String,
        _ action: Route.Action,
        header: (name: String, value: String)? = nil,
        crossOrigin: CrossOriginPolicy? = nil
    ) -> Route {
        let headers = header.map { [HeaderMatch(name: self.bytes($0.name), value: .exact(self.bytes($0.value)))] }
        return Route(
            name: name,
            match: RouteMatch(path: .prefix(self.bytes(prefix)), headers: headers ?? []),
            action: action,
            crossOrigin: crossOrigin
        )
    }

    /// All requests go to cluster 1, but those of version 2 to cluster 2.
    private static let versions = [
        Self.route("second", "/", Self.forward(2), header: ("x-version", "2")),
        Self.route("first", "/", Self.forward(1)),
    ]
    private static let versionTwo = HeaderEdits(set: [Self.entry("x-version", "2")])

    private func run(
        _ answer: MixerAnswer,
        _ routes: [Route],
        version: Cluster.HTTPVersion = .http1,
        failsOpen: Bool = false,
        reports: Bool = false,
        normalizesPath: Bool = false,
        accessLogs: [AccessLogConfiguration] = [],
        _ body: (TestProxy, Parties) async throws -> Void
    ) async throws {
        let parties = Parties(
            engine: TestEngine(answer),
            first: try await RawServer.start(),
            second: try await RawServer.start()
        )
        var setup = MixerProxy(engine: parties.engine, failsOpen: failsOpen, reports: reports)
        setup.routes = routes
        setup.normalizesPath = normalizesPath
        setup.accessLogs = accessLogs
        let address = NetworkAddress(ip: TestProxy.loopback, port: parties.second.port)
        setup.furtherClusters = [
            Cluster(
                id: ClusterID(index: 2),
                name: "second",
                discovery: .endpoints([ClusterEndpoint(address: address)]),
                httpVersion: version
            )
        ]
        try await setup.run(ports: [parties.first.port]) { try await body($0, parties) }
        try await parties.first.stop()
        try await parties.second.stop()
    }

    private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    @Test("A header that the engine sets sends the request by another route, from the cache as well, and is sent once")
    func reroutes() async throws {
        try await self.run(Self.answer(request: Self.versionTwo), Self.versions) { proxy, parties in
            let client = try await proxy.connect()
            for round in 1...2 {
                client.send("GET /a HTTP/1.1\r\nHost: x.test\r\nX-Version: 1\r\nX-N: \(round)\r\n\r\n")
                let endpoint = await parties.second.connection(0)
                await endpoint.wait { $0.components("\r\n\r\n").count == round + 1 }
                endpoint.send(Self.ok)
                await client.wait { $0.components("\r\n\r\nok").count == round + 1 }
            }
            let heads = await parties.second.connection(0).received
            let head = { (number: Int) in
                "GET /a HTTP/1.1\r\nhost: x.test\r\nX-N: \(number)\r\nx-version: 2\r\n\r\n"
            }
            #expect(heads == head(1) + head(2))
            #expect(parties.first.connectionCount == 0)
            #expect(parties.engine.questions.count == 1)
        }
    }

    @Test("A request whose route stays goes on with its changes")
    func stays() async throws {
        let edits = HeaderEdits(
            remove: [Self.bytes("x-secret")],
            set: [Self.entry("x-version", "1")],
            add: [Self.entry("x-tag", "b")]
        )
        try await self.run(Self.answer(request: edits), Self.versions) { proxy, parties in
            let client = try await proxy.connect()
            client.send("GET /a HTTP/1.1\r\nHost: x.test\r\nX-Secret: s\r\nX-Tag: a\r\n\r\n")
            let endpoint = await parties.first.connection(0)
            let head = await endpoint.waitFor("\r\n\r\n")
            #expect(head == "GET /a HTTP/1.1\r\nhost: x.test\r\nX-Tag: a\r\nx-version: 1\r\nx-tag: b\r\n\r\n")
        }
    }

    @Test("While the route stays, so does the cluster that the engine was told of")
    func keepsCluster() async throws {
        func service(_ host: String) -> MixerService {
            MixerService(host: host, attributes: ["destination.service.host": .text(host)])
        }
        // One that is asked about each request.
        var answer = CheckAnswer(CheckVerdict(MixerStatus()))
        answer.verdict.requestHeaders = Self.versionTwo
        let engine = TestEngine(.answered(answer))
        var setup = MixerProxy(engine: engine, side: .outbound, service: service("first.test"))
        // Nobody listens there.
        let nobody = NetworkAddress(ip: TestProxy.loopback, port: 1)
        setup.furtherClusters = [
            Cluster(
                id: ClusterID(index: 2),
                name: "second",
                discovery: .endpoints([ClusterEndpoint(address: nobody)]),
                service: service("second.test")
            )
        ]
        let clusters = (1...2).map { WeightedCluster(cluster: ClusterID(index: $0), name: "\($0)") }
        setup.routes = [Self.route("split", "/", .forward(ForwardAction(clusters: clusters)))]
        try await setup.run(ports: [nobody.port]) { proxy in
            let client = try await proxy.connect()
            for round in 1...16 {
                client.send("GET /a HTTP/1.1\r\nHost: x.test\r\n\r\n")
                await client.wait { $0.components("no connection could be made").count == round + 1 }
            }
            let told = engine.questions.map { $0.attributes["destination.service.host"] }
            let counts = await proxy.runtime.statistics().clusters
            #expect(told.count == 16)
            #expect(counts["target"]?.counts.requests == told.count { $0 == .text("first.test") })
            #expect(counts["second"]?.counts.requests == told.count { $0 == .text("second.test") })
        }
    }

    @Test(
        "A path that the engine sets is what routes, rewrites, endpoint and log see; the report tells the one that came"
    )
    func path() async throws {
        let folder = try TemporaryFolder()
        let format = "%ROUTE_NAME% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %REQ(:PATH)%\n"
        let log = AccessLogConfiguration(path: folder.path("log"), format: format)
        let routes = [
            Self.route("second", "/v2", Self.forward(2, prefixRewrite: "/new")),
            Self.route("first", "/", Self.forward(1)),
        ]
        var engine: TestEngine?
        try await self.run(
            Self.answer(Self.line(target: "/v2/x?a=b")),
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
            endpoint.send(Self.ok)
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
        let answer = Self.answer(Self.line(target: "/a/../b"))
        try await self.run(answer, Self.versions, normalizesPath: true) { proxy, parties in
            let client = try await proxy.connect()
            client.send("GET /a HTTP/1.1\r\nHost: x.test\r\n\r\n")
            let endpoint = await parties.first.connection(0)
            #expect(await endpoint.waitFor("\r\n\r\n") == "GET /b HTTP/1.1\r\nhost: x.test\r\n\r\n")
        }
    }

    @Test("Authority and method are changed, too, and bodies go along, whether they came early or late")
    func authorityAndMethod() async throws {
        let routes = [
            Self.route("second", "/", Self.forward(2), header: (":authority", "other.test:81")),
            Self.route("first", "/", Self.forward(1)),
        ]
        let answer = Self.answer(Self.line(method: "POST", authority: "other.test:81"))
        try await self.run(answer, routes) { proxy, parties in
            let client = try await proxy.connect()
            // The second one is answered from the cache, with its body in the same read.
            for round in 1...2 {
                client.send("PUT http://x.test/a HTTP/1.1\r\nHost: x.test\r\nContent-Length: 4\r\n\r\nbod\(round)")
                let endpoint = await parties.second.connection(0)
                await endpoint.waitFor("bod\(round)")
                endpoint.send(Self.ok)
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
            ("HEAD", Self.line(method: "GET")), ("GET", Self.line(method: "HEAD")),
            ("GET", Self.line(method: "CONNECT")),
            ("GET", Self.line(target: "*")), ("GET", Self.line(target: "/" + String(repeating: "a", count: 70_000))),
        ]
    )
    func unusable(_ method: String, _ line: RequestLineEdits) async throws {
        try await self.run(Self.answer(line), Self.versions, failsOpen: true) { proxy, parties in
            let client = try await proxy.connect()
            client.send("\(method) /a HTTP/1.1\r\nHost: x.test\r\n\r\n")
            #expect(await client.waitFor("\r\n\r\n").hasPrefix("HTTP/1.1 503 "))
            #expect(parties.first.connectionCount == 0)
        }
    }

    @Test("OPTIONS may be made to mean the server as a whole")
    func asterisk() async throws {
        let answer = Self.answer(Self.line(method: "OPTIONS", target: "*"))
        try await self.run(answer, [Self.route("first", "*", Self.forward(1))] + Self.versions) { proxy, parties in
            let client = try await proxy.connect()
            client.send("GET /a HTTP/1.1\r\nHost: x.test\r\n\r\n")
            let endpoint = await parties.first.connection(0)
            #expect(await endpoint.waitFor("\r\n\r\n").hasPrefix("OPTIONS * HTTP/1.1\r\n"))
        }
    }

    @Test("A request of HTTP/2 is changed as one of HTTP/1, on its way to either", arguments: [false, true])
    func http2(_ isUpstreamHTTP2: Bool) async throws {
        let answer = Self.answer(Self.line(target: "/b", authority: "other.test"), request: Self.versionTwo)
        try await self.run(answer, Self.versions, version: isUpstreamHTTP2 ? .http2 : .http1) { proxy, parties in
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

    @Test("The retries are those of the new route, each with the changes")
    func retries() async throws {
        let retry = RetryPolicy(
            retriesMax: 1,
            causes: [.retriableStatusCodes],
            statusCodes: [503],
            backOffBase: .milliseconds(1)
        )
        let routes = [
            Self.route("second", "/", Self.forward(2, retry: retry), header: ("x-version", "2")),
            Self.route("first", "/", Self.forward(1)),
        ]
        try await self.run(Self.answer(request: Self.versionTwo), routes) { proxy, parties in
            let client = try await proxy.connect()
            client.send("GET /a HTTP/1.1\r\nHost: x.test\r\n\r\n")
            var heads: [String] = []
            for (number, status) in ["503 No", "200 OK"].enumerated() {
                let endpoint = await parties.second.connection(number)
                heads.append(await endpoint.waitFor("\r\n\r\n"))
                endpoint.send("HTTP/1.1 \(status)\r\nContent-Length: 0\r\n\r\n")
            }
            #expect(await client.waitFor("\r\n\r\n").hasPrefix("HTTP/1.1 200 "))
            #expect(heads[0] == "GET /a HTTP/1.1\r\nhost: x.test\r\nx-version: 2\r\n\r\n" && heads[1] == heads[0])
        }
    }

    @Test("The new route may answer by itself, or be none")
    func answers() async throws {
        let redirect = RedirectAction(host: Self.bytes("new.test"))
        let routes = [
            Self.route("tea", "/tea", .respond(status: 418, body: Self.bytes("short and stout"))),
            Self.route("moved", "/moved", .redirect(redirect)), Self.route("first", "/a", Self.forward(1)),
        ]
        let cases = [
            ("/tea", "418 ", "short and stout"), ("/moved/x", "301 ", "location: http://new.test/moved/x\r\n"),
            ("/nowhere", "404 ", "no route for x.test"),
        ]
        for (target, status, part) in cases {
            try await self.run(Self.answer(Self.line(target: target)), routes) { proxy, parties in
                let client = try await proxy.connect()
                // The second one is answered from the cache.
                for round in 1...2 {
                    client.send("GET /a HTTP/1.1\r\nHost: x.test\r\n\r\n")
                    let answer = await client.wait { $0.components(part).count == round + 1 }
                    #expect(answer.components("HTTP/1.1 \(status)").count == round + 1)
                }
                #expect(parties.first.connectionCount == 0)
                #expect(parties.engine.questions.count == 1)
            }
        }
    }

    @Test("What the first route says to scripts of other origins is not said for the second; the engine's words are")
    func crossOrigin() async throws {
        let routes = [
            Self.route("second", "/", Self.forward(2), header: ("x-version", "2")),
            Self.route(
                "first",
                "/",
                Self.forward(1),
                crossOrigin: CrossOriginPolicy(origins: [.exact(Self.bytes("https://good.test"))])
            ),
        ]
        let response = HeaderEdits(set: [Self.entry("x-by", "engine")])
        try await self.run(Self.answer(request: Self.versionTwo, response: response), routes) { proxy, parties in
            let client = try await proxy.connect()
            client.send("GET /a HTTP/1.1\r\nHost: x.test\r\nOrigin: https://good.test\r\n\r\n")
            let endpoint = await parties.second.connection(0)
            await endpoint.waitFor("\r\n\r\n")
            endpoint.send(Self.ok)
            let answer = await client.waitFor("\r\n\r\nok")
            #expect(answer.contains("x-by: engine\r\n"))
            #expect(!answer.contains("access-control-allow-origin"))
        }
    }
}
