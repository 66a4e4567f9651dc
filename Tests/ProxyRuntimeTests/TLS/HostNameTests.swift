import MeshModel
import ProxyRuntime
import Testing
import TrafficEngine

/// TLS towards servers that are known by a host name.
@Suite struct HostNameTests {
    @Test(
        "A certificate's name stands for a host",
        arguments: [
            ("edition.cnn.com", "edition.cnn.com"), ("*.cnn.com", "edition.cnn.com"), ("*.CNN.com", "Edition.cnn.COM"),
            ("cnn.com", "cnn.com."), ("*.a.b", "x.a.b"),
        ]
    )
    func matches(_ presented: String, _ host: String) { #expect(DNSIdentity.matches(presented, host)) }

    @Test(
        "A certificate's name does not stand for another host",
        arguments: [
            ("*.cnn.com", "cnn.com"), ("*.cnn.com", "a.b.cnn.com"), ("*.com", "cnn.com"), ("*", "com"),
            ("e*.cnn.com", "edition.cnn.com"), ("*.*.com", "a.b.com"), ("edition.*.com", "edition.cnn.com"),
            ("", ""), ("a..b", "a..b"), ("*.cnn.com", "*.cnn.com"), ("cnn.com", "cnn.com.evil"),
            ("*.cnn.com", ".cnn.com"),
        ]
    )
    func refuses(_ presented: String, _ host: String) { #expect(!DNSIdentity.matches(presented, host)) }

    private func setup(certified names: [String], asked: String?, usesHost: Bool = false) throws -> ProxyPair.Setup {
        let pki = try TestPKI()
        var setup = try ProxyPair.Setup(pki: pki, server: pki.issue(dns: names), client: pki.issue())
        setup.serverTLS = ServerTLS(certificates: [.secret(TLSSecret.ownCertificate)])
        setup.clientTLS = ClientTLS(
            validation: PeerValidation(roots: .inline(try pki.rootPEM), verifiesHostName: true),
            serverName: asked,
            usesHostAsServerName: usesHost
        )
        return setup
    }

    @Test("A wildcard certificate is good for a host that it covers")
    func acceptsWildcard() async throws {
        let endpoint = try await RawServer.start()
        let setup = try self.setup(certified: ["*.cnn.com"], asked: "edition.cnn.com")
        try await ProxyPair.run(setup, endpoint: endpoint) { pair in
            let client = try await pair.connect()
            client.send("hello")
            let connection = await endpoint.connection(0)
            await connection.waitFor("hello")
            client.close()
            connection.close()
            _ = try await pair.logLine(.server, with: "|edition.cnn.com|")
        }
        try await endpoint.stop()
    }

    @Test("A certificate for another host is refused, whoever signed it")
    func refusesOtherHost() async throws {
        let endpoint = try await RawServer.start()
        let setup = try self.setup(certified: ["*.cnn.com"], asked: "cnn.com")
        try await ProxyPair.run(setup, endpoint: endpoint) { pair in
            // The refusal may come before the application's own connection stands.
            if let client = try? await pair.connect() { await client.waitForEnd() }
            let line = try await pair.logLine(.client, with: "TLS_error")
            #expect(line.contains("expected_a_certificate_for_cnn.com;_peer_presented_DNS:*.cnn.com"))
            let own = await pair.statistics(.client) { $0.clusters["endpoint"]?.counts.tls.nameErrors == 1 }
            #expect(own.clusters["endpoint"]?.counts.tls.handshakes == 0)
        }
        try await endpoint.stop()
    }

    @Test("Several certificates are chosen among by the name that is asked for")
    func choosesCertificate() async throws {
        let endpoint = try await RawServer.start()
        var setup = try self.setup(certified: ["first.test"], asked: "second.test")
        let pki = try TestPKI()
        setup.serverTLS.certificates.append(.inline(try pki.issue(dns: ["second.test"])))
        setup.clientTLS.validation.roots = .inline(try pki.rootPEM)
        try await ProxyPair.run(setup, endpoint: endpoint) { pair in
            let client = try await pair.connect()
            client.send("hello")
            await endpoint.connection(0).waitFor("hello")
        }
        try await endpoint.stop()
    }

    @Test("A pinned certificate needs no root, and no other will do", arguments: [true, false])
    func pins(_ isRight: Bool) async throws {
        let endpoint = try await RawServer.start()
        var setup = try self.setup(certified: ["a.test"], asked: "a.test")
        setup.clientTLS.validation = PeerValidation(
            roots: .none,
            certificateHashes: [String(repeating: "0", count: 64)]
        )
        if isRight { setup.clientTLS.validation.certificateHashes = [] }
        try await ProxyPair.run(setup, endpoint: endpoint) { pair in
            let client = try await pair.connect()
            if isRight {
                client.send("hello")
                await endpoint.connection(0).waitFor("hello")
            } else {
                await client.waitForEnd()
                _ = await pair.statistics(.client) { $0.clusters["endpoint"]?.counts.tls.hashErrors == 1 }
            }
        }
        try await endpoint.stop()
    }
}
