import MeshModel
import ProxyRuntime
import Testing
import TrafficEngine

/// Proxies of the mesh tell each other whose requests they send, and nobody else hears of it.
@Suite struct ForwardedSourceTests {
    private static let uid = "kubernetes://client-1.shop"
    private static let forged = String(
        decoding: ForwardedAttributes.value(sourceUID: "kubernetes://admin-1.shop"),
        as: UTF8.self
    )
    /// A request of an application that speaks for another.
    private static let get = "GET /a HTTP/1.1\r\nHost: x.test\r\nX-Istio-Attributes: \(Self.forged)\r\nX-N: 1\r\n\r\n"

    private func answer(_ client: RawConnection, _ endpoint: RawServer) async -> String {
        client.send(Self.get)
        let connection = await endpoint.connection(0)
        let head = await connection.waitFor("X-N: 1\r\n")
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await client.waitFor("ok")
        return head
    }

    private func sender(_ forwarded: String = Self.uid) -> MixerProxy {
        var sender = MixerProxy(engine: nil, side: .outbound)
        sender.checks = false
        sender.forwarded = ForwardedAttributes.value(sourceUID: forwarded)
        sender.target = 0
        return sender
    }

    @Test("The caller's proxy says who sends a request, whatever the application says, and no application sees it")
    func tells() async throws {
        let engine = TestEngine(.answered(CheckAnswer(CheckVerdict(MixerStatus()))))
        let endpoint = try await RawServer.start()
        var setup = try ProxyPair.Setup.mesh(TestPKI())
        var receiver = MixerProxy(engine: engine)
        receiver.target = 0
        setup.serverTerminal = receiver.terminal
        setup.serverOptions.requestMixing = engine
        setup.clientTerminal = self.sender().terminal
        try await ProxyPair.run(setup, endpoint: endpoint) { pair in
            let head = await self.answer(try await pair.connect(), endpoint)
            #expect(!head.lowercased().contains("x-istio-attributes"))
        }
        let values = try #require(engine.questions.first).attributes
        #expect(values["source.uid"] == .text(Self.uid))
        #expect(values["source.principal"] == .text("cluster.local/ns/shop/sa/frontend"))
        guard case .map(let headers) = values["request.headers"] else {
            Issue.record("no headers")
            return
        }
        #expect(headers["x-n"] == "1" && headers["x-istio-attributes"] == nil)
        try await endpoint.stop()
    }

    @Test("Who claims to be a pod of another namespace than its certificate's is nobody")
    func impostor() async throws {
        let engine = TestEngine(.answered(CheckAnswer(CheckVerdict(MixerStatus()))))
        let endpoint = try await RawServer.start()
        var setup = try ProxyPair.Setup.mesh(TestPKI())
        var receiver = MixerProxy(engine: engine)
        receiver.target = 0
        setup.serverTerminal = receiver.terminal
        setup.serverOptions.requestMixing = engine
        setup.clientTerminal = self.sender("kubernetes://client-1.bank").terminal
        try await ProxyPair.run(setup, endpoint: endpoint) { pair in
            _ = await self.answer(try await pair.connect(), endpoint)
        }
        #expect(try #require(engine.questions.first).attributes["source.uid"] == nil)
        try await endpoint.stop()
    }

    @Test("A client whose certificate another authority has made is believed nothing, whatever that calls it")
    func otherAuthority() async throws {
        let engine = TestEngine(.answered(CheckAnswer(CheckVerdict(MixerStatus()))))
        let endpoint = try await RawServer.start()
        var setup = try ProxyPair.Setup.mesh(TestPKI())
        // As at a gateway whose server is MUTUAL, with roots of its own.
        setup.serverTLS.validation?.roots = .secret("clients")
        setup.serverSecrets["clients"] = setup.serverSecrets[TLSSecret.meshRoots]
        var receiver = MixerProxy(engine: engine)
        receiver.target = 0
        setup.serverTerminal = receiver.terminal
        setup.serverOptions.requestMixing = engine
        setup.clientTerminal = self.sender().terminal
        try await ProxyPair.run(setup, endpoint: endpoint) { pair in
            _ = await self.answer(try await pair.connect(), endpoint)
        }
        let values = try #require(engine.questions.first).attributes
        #expect(values["source.uid"] == nil && values["connection.mtls"] == .truth(true))
        try await endpoint.stop()
    }

    @Test("Without a certificate nothing that is said counts, and it goes no further")
    func stranger() async throws {
        let engine = TestEngine(.answered(CheckAnswer(CheckVerdict(MixerStatus()))))
        try await MixerProxy.run(engine) { _, client, endpoint in
            let head = await self.answer(client, endpoint)
            #expect(!head.lowercased().contains("x-istio-attributes"))
            #expect(engine.questions.first?.attributes["source.uid"] == nil)
        }
    }

    @Test("An endpoint outside the mesh is told nothing, and what the application says does not leave")
    func outside() async throws {
        let endpoint = try await RawServer.start()
        var sender = self.sender()
        sender.target = 1
        try await sender.run(ports: [endpoint.port]) { proxy in
            let head = await self.answer(try await proxy.connect(), endpoint)
            #expect(!head.lowercased().contains("x-istio-attributes"))
            #expect(head.hasPrefix("GET /a HTTP/1.1\r\n") && head.contains("X-N: 1"))
        }
        try await endpoint.stop()
    }

    @Test("An attempt that goes from the mesh to an endpoint outside takes back what it said")
    func retry() async throws {
        let endpoint = try await RawServer.start()
        let gone = try await RawServer.start()
        let closed = gone.port
        try await gone.stop()
        let pki = try TestPKI()
        let setup = try ProxyPair.Setup.mesh(pki)
        var sender = self.sender()
        sender.retry = RetryPolicy(retriesMax: 3, causes: [.connectFailure])
        let endpoints = [(closed, 0), (endpoint.port, 1)].map { port, transport in
            ClusterEndpoint(address: NetworkAddress(ip: TestProxy.loopback, port: port), transport: transport)
        }
        let cluster = Cluster(
            id: ClusterID(index: 0),
            name: "target",
            discovery: .endpoints(endpoints),
            balancing: .roundRobin,
            transports: [setup.clientTLS, nil]
        )
        try await TestProxy.run(sender.terminal, clusters: [cluster]) { proxy in
            // One of two requests begins at the endpoint that is gone.
            for count in 1...2 {
                let client = try await proxy.connect()
                client.send("POST /\(count) HTTP/1.1\r\nHost: x.test\r\nContent-Length: 4\r\n\r\nbod\(count)")
                let connection = await endpoint.connection(0)
                let head = await connection.waitFor("bod\(count)")
                #expect(!head.contains("x-istio-attributes"))
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\(count)")
                await client.waitFor("ok\(count)")
            }
        }
        try await endpoint.stop()
    }
}
