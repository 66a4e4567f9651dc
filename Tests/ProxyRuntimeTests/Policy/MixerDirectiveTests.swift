import MeshModel
import ProxyRuntime
import Testing
import TrafficEngine

/// What the policy engine makes of requests that it lets pass: each is routed once more, as it then is.
@Suite struct MixerDirectiveTests {
    @Test("A header that the engine sets sends the request by another route, from the cache as well, and is sent once")
    func reroutes() async throws {
        try await DirectiveProxy.run(DirectiveProxy.answer(request: DirectiveProxy.versionTwo), DirectiveProxy.versions)
        { proxy, parties in
            let client = try await proxy.connect()
            for round in 1...2 {
                client.send("GET /a HTTP/1.1\r\nHost: x.test\r\nX-Version: 1\r\nX-N: \(round)\r\n\r\n")
                let endpoint = await parties.second.connection(0)
                await endpoint.wait { $0.components("\r\n\r\n").count == round + 1 }
                endpoint.send(DirectiveProxy.ok)
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
            remove: [DirectiveProxy.bytes("x-secret")],
            set: [DirectiveProxy.entry("x-version", "1")],
            add: [DirectiveProxy.entry("x-tag", "b")]
        )
        try await DirectiveProxy.run(DirectiveProxy.answer(request: edits), DirectiveProxy.versions) { proxy, parties in
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
        answer.verdict.requestHeaders = DirectiveProxy.versionTwo
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
        setup.routes = [DirectiveProxy.route("split", "/", .forward(ForwardAction(clusters: clusters)))]
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

    @Test("The retries are those of the new route, each with the changes")
    func retries() async throws {
        let retry = RetryPolicy(
            retriesMax: 1,
            causes: [.retriableStatusCodes],
            statusCodes: [503],
            backOffBase: .milliseconds(1)
        )
        let routes = [
            DirectiveProxy.route("second", "/", DirectiveProxy.forward(2, retry: retry), header: ("x-version", "2")),
            DirectiveProxy.route("first", "/", DirectiveProxy.forward(1)),
        ]
        try await DirectiveProxy.run(DirectiveProxy.answer(request: DirectiveProxy.versionTwo), routes) {
            proxy,
            parties in
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

    @Test("The time that a client gives its call goes on by another route")
    func callTimeout() async throws {
        // Other requests tell the time: deadlines of one connection come in their order. There are seconds between them, as
        // the machine may be busy.
        let routes = [
            DirectiveProxy.route("sooner", "/sooner", DirectiveProxy.forward(1, timeout: .seconds(2))),
            DirectiveProxy.route("later", "/later", DirectiveProxy.forward(1, timeout: .milliseconds(4500))),
        ]
        try await DirectiveProxy.run(
            DirectiveProxy.answer(request: DirectiveProxy.versionTwo),
            routes + DirectiveProxy.versions,
            holds: true
        ) { proxy, parties in
            let client = try await HTTP2Peer.client(proxy)
            client.request(1, "/a", [("content-type", "application/grpc"), ("grpc-timeout", "6S")])
            client.request(3, "/sooner")
            #expect(await client.nextHead().stream == 3)

            parties.engine.release()
            await parties.second.connection(0).waitFor("\r\n\r\n")
            client.request(5, "/later")

            let head = await client.nextHead()
            #expect(head.stream == 1 && head.fields["grpc-status"] == "14")
        }
    }

    @Test("The new route may answer by itself, or be none")
    func answers() async throws {
        let redirect = RedirectAction(host: DirectiveProxy.bytes("new.test"))
        let routes = [
            DirectiveProxy.route("tea", "/tea", .respond(status: 418, body: DirectiveProxy.bytes("short and stout"))),
            DirectiveProxy.route("moved", "/moved", .redirect(redirect)),
            DirectiveProxy.route("first", "/a", DirectiveProxy.forward(1)),
        ]
        let cases = [
            ("/tea", "418 ", "short and stout"), ("/moved/x", "301 ", "location: http://new.test/moved/x\r\n"),
            ("/nowhere", "404 ", "no route for x.test"),
        ]
        for (target, status, part) in cases {
            try await DirectiveProxy.run(DirectiveProxy.answer(DirectiveProxy.line(target: target)), routes) {
                proxy,
                parties in
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
            DirectiveProxy.route("second", "/", DirectiveProxy.forward(2), header: ("x-version", "2")),
            DirectiveProxy.route(
                "first",
                "/",
                DirectiveProxy.forward(1),
                crossOrigin: CrossOriginPolicy(origins: [.exact(DirectiveProxy.bytes("https://good.test"))])
            ),
        ]
        let response = HeaderEdits(set: [DirectiveProxy.entry("x-by", "engine")])
        try await DirectiveProxy.run(
            DirectiveProxy.answer(request: DirectiveProxy.versionTwo, response: response),
            routes
        ) { proxy, parties in
            let client = try await proxy.connect()
            client.send("GET /a HTTP/1.1\r\nHost: x.test\r\nOrigin: https://good.test\r\n\r\n")
            let endpoint = await parties.second.connection(0)
            await endpoint.waitFor("\r\n\r\n")
            endpoint.send(DirectiveProxy.ok)
            let answer = await client.waitFor("\r\n\r\nok")
            #expect(answer.contains("x-by: engine\r\n"))
            #expect(!answer.contains("access-control-allow-origin"))
        }
    }
}
