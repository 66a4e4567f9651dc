import Logging
import MeshModel
import NIOCore
import ProxyRuntime
import Testing
import TrafficEngine

/// Peers that are not who they should be, over real connections.
@Suite struct RefusalTests {
    /// What is wrong with a client, and what is said of it.
    struct Case: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var uris: [String] = [TestPKI.frontend]
        var start: Double = -60
        var end: Double = 3600
        var isUnknownRoot = false
        var isMissing = false
        var counter: @Sendable (TLSStatistics) -> Int
        var text: String
    }

    static let clients = [
        Case(
            testDescription: "expired",
            start: -7200,
            end: -3600,
            counter: { $0.verificationErrors },
            text: "certificate_has_expired"
        ),
        Case(
            testDescription: "not yet valid",
            start: 3600,
            end: 7200,
            counter: { $0.verificationErrors },
            text: "certificate_is_not_yet_valid"
        ),
        Case(
            testDescription: "of another trust domain",
            uris: ["spiffe://elsewhere/ns/shop/sa/frontend"],
            counter: { $0.nameErrors },
            text: "expected_spiffe://cluster.local/*;_peer_presented_URI:spiffe://elsewhere/ns/shop/sa/frontend"
        ),
        Case(
            testDescription: "with two identities",
            uris: [TestPKI.frontend, TestPKI.backend],
            counter: { $0.nameErrors },
            text: "expected_exactly_one_URI_name"
        ),
        Case(
            testDescription: "without an identity",
            uris: [],
            counter: { $0.nameErrors },
            text: "peer_presented_no_alternative_names"
        ),
        Case(
            testDescription: "of an unknown root",
            isUnknownRoot: true,
            counter: { $0.verificationErrors },
            text: "does_not_lead_to_a_trusted_root"
        ),
        Case(
            testDescription: "without a certificate",
            isMissing: true,
            counter: { $0.missingCertificates },
            text: "peer_showed_no_certificate"
        ),
    ]

    @Test("A client is refused that is", arguments: Self.clients)
    func refusesClient(_ wrong: Case) async throws {
        let pki = try TestPKI()
        let signer = wrong.isUnknownRoot ? try TestPKI() : pki
        let endpoint = try await RawServer.start()
        var setup = try ProxyPair.Setup(
            pki: pki,
            server: pki.issue(uris: [TestPKI.backend]),
            client: signer.issue(uris: wrong.uris, from: wrong.start, to: wrong.end)
        )
        if wrong.isMissing { setup.clientTLS.certificate = nil }
        try await ProxyPair.run(setup, endpoint: endpoint) { pair in
            // The refusal may come before the application's own connection stands.
            if let client = try? await pair.connect() {
                client.send("let me in")
                await client.waitForEnd()
            }
            let server = await pair.statistics(.server) { statistics in
                statistics.listeners["inbound"].map { wrong.counter($0.tls) } == 1
            }
            #expect(server.listeners["inbound"]?.tls.connectionErrors == 1)
            #expect(endpoint.connectionCount == 0)
            let line = try await pair.logLine(.server, with: wrong.text)
            #expect(line.hasPrefix("-|-|TLS_error:|268435581:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:"))
        }
        try await endpoint.stop()
    }

    @Test("A server is refused, with 503 and the reason, that is", arguments: Self.clients.filter { !$0.isMissing })
    func refusesServer(_ wrong: Case) async throws {
        let pki = try TestPKI()
        let signer = wrong.isUnknownRoot ? try TestPKI() : pki
        let endpoint = try await RawServer.start()
        var setup = try ProxyPair.Setup(
            pki: pki,
            server: signer.issue(uris: wrong.uris, from: wrong.start, to: wrong.end),
            client: pki.issue(uris: [TestPKI.frontend])
        )
        setup.speaksHTTP = true
        try await ProxyPair.run(setup, endpoint: endpoint) { pair in
            let client = try await pair.connect()
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(await client.waitFor("\r\n\r\n").hasPrefix("HTTP/1.1 503 "))
            let own = await pair.statistics(.client) { statistics in
                (statistics.clusters["endpoint"].map { wrong.counter($0.counts.tls) } ?? 0) > 0
            }
            #expect((own.clusters["endpoint"]?.counts.connectsFailed ?? 0) > 0)
            #expect(endpoint.connectionCount == 0)
            let line = try await pair.logLine(.client, with: wrong.text)
            #expect(line.hasPrefix("UF"))
            #expect(line.contains("|TLS_error:|"))
        }
        try await endpoint.stop()
    }

    @Test("An account of the same mesh that is not the expected one is refused, and the log has both names")
    func refusesOtherAccount() async throws {
        let other = "spiffe://cluster.local/ns/shop/sa/other"
        let pki = try TestPKI()
        let endpoint = try await RawServer.start()
        var setup = try ProxyPair.Setup(
            pki: pki,
            server: pki.issue(uris: [other]),
            client: pki.issue(uris: [TestPKI.frontend])
        )
        setup.speaksHTTP = true
        setup.clientTLS.validation.names = [PeerValidation.Name(kind: .uri, match: .exact(TestPKI.backend))]
        try await ProxyPair.run(setup, endpoint: endpoint) { pair in
            let client = try await pair.connect()
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(await client.waitFor("\r\n\r\n").hasPrefix("HTTP/1.1 503 "))
            _ = await pair.statistics(.client) { ($0.clusters["endpoint"]?.counts.tls.nameErrors ?? 0) > 0 }
            #expect(endpoint.connectionCount == 0)
            let line = try await pair.logLine(
                .client,
                with: "expected_\(TestPKI.backend);_peer_presented_URI:\(other)"
            )
            #expect(line.hasPrefix("UF"))
        }
        try await endpoint.stop()
    }

    @Test("Who begins a hello and does not end it is cut off where only TLS is taken, and counted")
    func refusesHalfHellos() async throws {
        let pki = try TestPKI()
        let endpoint = try await RawServer.start()
        var setup = try ProxyPair.Setup.mesh(pki)
        setup.match.transportProtocol = "tls"
        setup.inspectionTimeout = .milliseconds(100)
        try await ProxyPair.run(setup, endpoint: endpoint) { pair in
            let client = try await RawConnection.connect(port: pair.securePort)
            // A record of 512 bytes (RFC 8446 section 5.1), of which the first come.
            try await client.send(ByteBuffer(bytes: [0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3]))

            await client.waitForEnd()

            let server = await pair.statistics(.server) { $0.listeners["inbound"]?.inspectionTimedOut == 1 }
            #expect(server.listeners["inbound"]?.noFilterChainMatch == 1)
            #expect(endpoint.connectionCount == 0)
        }
        try await endpoint.stop()
    }

    @Test("A server that does not answer a hello is given up after the time to connect, and counted")
    func givesUpHandshakes() async throws {
        let silent = try await RawServer.start()
        let cluster = Cluster(
            id: ClusterID(index: 0),
            name: "endpoint",
            discovery: .endpoints([ClusterEndpoint(address: NetworkAddress(ip: TestProxy.loopback, port: silent.port))]
            ),
            connectTimeout: .milliseconds(100),
            transports: [ClientTLS(validation: PeerValidation(roots: .inline(try TestPKI().rootPEM)))]
        )
        try await TestProxy.run(.http(), clusters: [cluster]) { proxy in
            let client = try await proxy.connect()
            client.send(ForwardingTests.get)
            #expect(await client.waitFor("\r\n\r\n").hasPrefix("HTTP/1.1 503 "))
            let statistics = await proxy.waitForStatistics { $0.clusters["endpoint"]?.counts.tls.timeouts == 1 }
            #expect(statistics.clusters["endpoint"]?.counts.connectsTimedOut == 1)
            await silent.connection(0).waitForEnd()
        }
        try await silent.stop()
    }

    @Test("A client that speaks TLS 1.0 only is refused and counted")
    func refusesOldVersions() async throws {
        let pki = try TestPKI()
        let endpoint = try await RawServer.start()
        var setup = try ProxyPair.Setup.mesh(pki)
        setup.clientTLS.versionMin = .v1_0
        setup.clientTLS.versionMax = .v1_0
        try await ProxyPair.run(setup, endpoint: endpoint) { pair in
            // The refusal may come before the application's own connection stands.
            if let client = try? await pair.connect() { await client.waitForEnd() }
            let server = await pair.statistics(.server) { $0.listeners["inbound"]?.tls.connectionErrors == 1 }
            #expect(server.listeners["inbound"]?.tls.handshakes == 0)
            #expect(endpoint.connectionCount == 0)
        }
        try await endpoint.stop()
    }

    @Test("What is no TLS at all is refused and counted")
    func refusesGarbage() async throws {
        let pki = try TestPKI()
        let endpoint = try await RawServer.start()
        try await ProxyPair.run(.mesh(pki), endpoint: endpoint) { pair in
            let client = try await RawConnection.connect(port: pair.securePort)
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await client.waitForEnd()
            _ = await pair.statistics(.server) { $0.listeners["inbound"]?.tls.connectionErrors == 1 }
            #expect(endpoint.connectionCount == 0)
        }
        try await endpoint.stop()
    }

    @Test("Without its secret a chain takes no connections, until the secret comes")
    func waitsForSecrets() async throws {
        let pki = try TestPKI()
        let endpoint = try await RawServer.start()
        var setup = try ProxyPair.Setup.mesh(pki)
        let secrets = setup.serverSecrets
        setup.serverSecrets = [:]
        try await ProxyPair.run(setup, endpoint: endpoint) { pair in
            // The refusal may come before the application's own connection stands.
            if let early = try? await pair.connect() { await early.waitForEnd() }
            _ = try await pair.logLine(.server, with: "secret_default_has_not_been_received")
            _ = await pair.statistics(.server) { $0.listeners["inbound"]?.tls.noSecret == 1 }
            await pair.rotateServer(secrets)
            let client = try await pair.connect()
            client.send("now")
            await endpoint.connection(0).waitFor("now")
        }
        try await endpoint.stop()
    }

    @Test("Without its secret a cluster answers 503 and names the secret")
    func answersWithoutSecret() async throws {
        let pki = try TestPKI()
        let endpoint = try await RawServer.start()
        var setup = try ProxyPair.Setup.mesh(pki)
        setup.speaksHTTP = true
        setup.clientSecrets[TLSSecret.ownCertificate] = nil
        try await ProxyPair.run(setup, endpoint: endpoint) { pair in
            let client = try await pair.connect()
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(await client.waitFor("\r\n\r\n").hasPrefix("HTTP/1.1 503 "))
            _ = try await pair.logLine(.client, with: "secret_default_has_not_been_received")
        }
        try await endpoint.stop()
    }

    @Test("A broken secret is reported without its key, and the other listeners work")
    func reportsBrokenSecrets() async throws {
        let pki = try TestPKI()
        let endpoint = try await RawServer.start()
        let good = try pki.issue(uris: [TestPKI.backend])
        let broken = TLSCredential(certificateChain: good.certificateChain, privateKey: Array("hush hush".utf8))
        let runtime = ProxyRuntime(
            options: ProxyRuntimeOptions(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        try await runtime.start()
        func listener(_ name: String, _ tls: ServerTLS?) -> Listener {
            Listener(
                name: name,
                address: NetworkAddress(ip: name == "a" ? TestProxy.loopback : .v4(0x7f00_0002), port: 0),
                chains: [FilterChain(name: "chain", tls: tls, terminal: .tcp())]
            )
        }
        let failures = await runtime.apply(
            ProxyState(
                revision: 1,
                listeners: [listener("a", ServerTLS(certificates: [.secret("site")])), listener("b", nil)],
                clusters: [.test(ports: endpoint.port)],
                secrets: ["site": .certificate(broken)]
            )
        )
        #expect(failures.count == 1)
        #expect(failures.first?.message.contains("secret site: the private key cannot be read") == true)
        #expect(failures.first?.message.contains("hush") == false)
        #expect(runtime.boundAddresses()["b"] != nil)
        await runtime.stop()
        try await endpoint.stop()
    }
}
