import Logging
import MeshModel
import NIOCore
import ProxyRuntime
import Testing
import TrafficEngine

/// Chains and clusters that are chosen by what a hello says.
@Suite struct TLSRoutingTests {
    /// TLS of the mesh is taken off; what else comes is passed on as it is (PERMISSIVE).
    private func permissive(_ pki: TestPKI) throws -> ProxyPair.Setup {
        var setup = try ProxyPair.Setup.mesh(pki)
        setup.match.transportProtocol = "tls"
        setup.match.applicationProtocols = MeshALPN.meshNames
        setup.otherChain = FilterChain(name: "other", terminal: .tcp())
        return setup
    }

    @Test("TLS that names the mesh's protocols is taken off")
    func takesOff() async throws {
        let endpoint = try await RawServer.start()
        try await ProxyPair.run(self.permissive(TestPKI()), endpoint: endpoint) { pair in
            let client = try await pair.connect()
            client.send("hello")
            await endpoint.connection(0).waitFor("hello")
        }
        try await endpoint.stop()
    }

    @Test("An application's own TLS is passed on untouched")
    func passesApplicationTLS() async throws {
        let endpoint = try await RawServer.start()
        var setup = try self.permissive(TestPKI())
        setup.clientTLS.applicationProtocols = ["h2", "http/1.1"]
        try await ProxyPair.run(setup, endpoint: endpoint) { pair in
            let client = try await pair.connect()
            client.send("hello")
            // The first byte of a TLS record with a handshake message.
            let received = await endpoint.connection(0).wait { !$0.isEmpty }
            #expect(received.utf8.first == 22)
            let server = await pair.server.statistics()
            #expect(server.listeners["inbound"]?.tls.handshakes == 0)
        }
        try await endpoint.stop()
    }

    @Test("Plain text passes as it is")
    func passesPlain() async throws {
        let endpoint = try await RawServer.start()
        try await ProxyPair.run(self.permissive(TestPKI()), endpoint: endpoint) { pair in
            let client = try await RawConnection.connect(port: pair.securePort)
            client.send("PING\r\n")
            await endpoint.connection(0).waitFor("PING")
        }
        try await endpoint.stop()
    }

    @Test("A hello that is larger than any real one is refused and counted")
    func refusesLargeHello() async throws {
        let endpoint = try await RawServer.start()
        try await ProxyPair.run(self.permissive(TestPKI()), endpoint: endpoint) { pair in
            let client = try await RawConnection.connect(port: pair.securePort)
            // A record with the head of a hello of 2^24 - 1 bytes.
            try await client.send(ByteBuffer(bytes: [22, 3, 1, 0, 4, 1, 255, 255, 255]))
            await client.waitForEnd()
            _ = await pair.statistics(.server) { $0.listeners["inbound"]?.hellosTooLarge == 1 }
            #expect(endpoint.connectionCount == 0)
        }
        try await endpoint.stop()
    }

    @Test("The server name spells the cluster, and TLS goes through it untouched", arguments: [true, false])
    func routesByServerName(_ isKnown: Bool) async throws {
        let pki = try TestPKI()
        let endpoint = try await RawServer.start()
        // In front of the proxy that takes TLS off stands one that only looks at the name.
        var setup = try ProxyPair.Setup.mesh(pki)
        setup.clientTLS.serverName = isKnown ? "outbound_.80_._.Backend" : "outbound_.80_._.nobody"
        try await ProxyPair.run(setup, endpoint: endpoint) { pair in
            let proxy = TCPProxy(
                statPrefix: "gateway",
                clusters: [],
                usesServerNameAsCluster: true
            )
            let gateway = ProxyRuntime(
                options: ProxyRuntimeOptions(),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            )
            try await gateway.start()
            let listener = Listener(
                name: "gateway",
                address: NetworkAddress(ip: TestProxy.loopback, port: 0),
                chains: [FilterChain(name: "by name", terminal: .tcp(proxy))],
                inspectsTLS: true
            )
            _ = await gateway.apply(
                ProxyState(
                    revision: 1,
                    listeners: [listener],
                    clusters: [.test(ports: pair.securePort, name: "outbound_.80_._.backend")]
                )
            )
            let port = try #require(gateway.boundAddresses()["gateway"]?.port)
            await pair.useServer(port: port, tls: setup.clientTLS)
            let client = try await pair.connect()
            if isKnown {
                client.send("hello")
                await endpoint.connection(0).waitFor("hello")
                let server = await pair.server.statistics()
                #expect(server.listeners["inbound"]?.tls.handshakes == 1)
            } else {
                await client.waitForEnd()
                let statistics = await gateway.statistics()
                #expect(statistics.tcp["gateway"]?.noCluster == 1)
                #expect(endpoint.connectionCount == 0)
            }
            await gateway.stop()
        }
        try await endpoint.stop()
    }
}
