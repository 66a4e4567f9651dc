import MeshModel
import NIOCore
import ProxyRuntime
import Testing
import TrafficEngine

/// TLS between two real proxies on loopback.
@Suite struct MutualTLSTests {
    @Test("Bytes pass both ways, and each side knows who the other is")
    func passesBytes() async throws {
        let pki = try TestPKI()
        let endpoint = try await RawServer.start()
        try await ProxyPair.run(.mesh(pki), endpoint: endpoint) { pair in
            let client = try await pair.connect()
            client.send("question")
            let connection = await endpoint.connection(0)
            await connection.waitFor("question")
            connection.send("answer")
            await client.waitFor("answer")
            client.close()
            await connection.waitForEnd()
            connection.close()
            let line = try await pair.logLine(.server, with: "frontend")
            #expect(
                line == "-|-|-|\(TestPKI.frontend)|\(TestPKI.backend)|TLSv1.3|"
                    + "outbound_.80_._.backend.shop.svc.cluster.local|-"
            )
            let server = await pair.statistics(.server) { $0.listeners["inbound"]?.tls.handshakes == 1 }
            #expect(server.listeners["inbound"]?.tls.connectionErrors == 0)
            let own = await pair.statistics(.client) { $0.clusters["endpoint"]?.counts.tls.handshakes == 1 }
            #expect(own.clusters["endpoint"]?.counts.connectsFailed == 0)
        }
        try await endpoint.stop()
    }

    @Test("A side that has sent all still gets the answer, through TLS")
    func carriesHalfClose() async throws {
        let pki = try TestPKI()
        let endpoint = try await RawServer.start()
        try await ProxyPair.run(.mesh(pki), endpoint: endpoint) { pair in
            let client = try await pair.connect()
            client.send("question")
            client.endOutput()
            let connection = await endpoint.connection(0)
            #expect(await connection.waitForEnd() == "question")
            connection.send("answer")
            connection.endOutput()
            #expect(await client.waitForEnd() == "answer")
        }
        try await endpoint.stop()
    }

    @Test("A server that speaks first is heard")
    func serverFirst() async throws {
        let pki = try TestPKI()
        let endpoint = try await RawServer.start()
        try await ProxyPair.run(.mesh(pki), endpoint: endpoint) { pair in
            let client = try await pair.connect()
            let connection = await endpoint.connection(0)
            connection.send("220 ready")
            await client.waitFor("220 ready")
            #expect(client.end == .open)
        }
        try await endpoint.stop()
    }

    @Test("Megabytes pass whole, both ways")
    func passesMuch() async throws {
        let pki = try TestPKI()
        let endpoint = try await RawServer.start()
        try await ProxyPair.run(.mesh(pki), endpoint: endpoint) { pair in
            let client = try await pair.connect()
            let connection = await endpoint.connection(0)
            let part = ByteBuffer(repeating: UInt8(ascii: "x"), count: 1 << 20)
            for _ in 0..<4 { try await client.send(part) }
            client.endOutput()
            #expect(await connection.waitForEnd().utf8.count == 4 << 20)
            for _ in 0..<4 { try await connection.send(part) }
            connection.endOutput()
            #expect(await client.waitForEnd().utf8.count == 4 << 20)
        }
        try await endpoint.stop()
    }

    @Test("Requests go over one connection, one after the other")
    func passesRequests() async throws {
        let pki = try TestPKI()
        let endpoint = try await RawServer.start()
        var setup = try ProxyPair.Setup.mesh(pki)
        setup.speaksHTTP = true
        setup.serverTLS.applicationProtocols = ["http/1.1"]
        setup.clientTLS.applicationProtocols = ["http/1.1"]
        try await ProxyPair.run(setup, endpoint: endpoint) { pair in
            let client = try await pair.connect()
            let connection = await {
                client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
                return await endpoint.connection(0)
            }()
            await connection.waitFor("\r\n\r\n")
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none")
            await client.waitFor("one")
            client.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
            await connection.waitFor("GET /2")
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo")
            await client.waitFor("two")
            let server = await pair.statistics(.server) { $0.http["test"]?.requests == 2 }
            #expect(server.listeners["inbound"]?.tls.handshakes == 1)
        }
        try await endpoint.stop()
    }

    @Test("New secrets are for new connections; open ones go on")
    func rotates() async throws {
        let old = try TestPKI("old")
        let new = try TestPKI("new")
        let endpoint = try await RawServer.start()
        try await ProxyPair.run(.mesh(old), endpoint: endpoint) { pair in
            let first = try await pair.connect()
            first.send("one")
            let one = await endpoint.connection(0)
            await one.waitFor("one")
            // Both roots count while workloads change over.
            let both = TLSSecret.validation(roots: try old.rootPEM + new.rootPEM, revocationList: [])
            let fresh = TLSSecret.certificate(try new.issue(uris: [TestPKI.backend]))
            await pair.rotateClient([
                TLSSecret.ownCertificate: .certificate(try old.issue(uris: [TestPKI.frontend])),
                TLSSecret.meshRoots: both,
            ])
            await pair.rotateServer([TLSSecret.ownCertificate: fresh, TLSSecret.meshRoots: both])
            let second = try await pair.connect()
            second.send("two")
            let two = await endpoint.connection(1)
            await two.waitFor("two")
            // The old root goes: certificates that it signed are worth nothing any more.
            let only = TLSSecret.validation(roots: try new.rootPEM, revocationList: [])
            await pair.rotateServer([TLSSecret.ownCertificate: fresh, TLSSecret.meshRoots: only])
            // The refusal may come before the application's own connection stands.
            if let third = try? await pair.connect() {
                third.send("three")
                await third.waitForEnd()
            }
            let server = await pair.statistics(.server) { ($0.listeners["inbound"]?.tls.verificationErrors ?? 0) > 0 }
            #expect(server.listeners["inbound"]?.tls.handshakes == 2)
            first.send("still here")
            await one.waitFor("still here")
            #expect(endpoint.connectionCount == 2)
        }
        try await endpoint.stop()
    }

    @Test("Files that change are read again")
    func readsFilesAgain() async throws {
        let folder = try TemporaryFolder()
        let old = try TestPKI("old")
        let new = try TestPKI("new")
        let endpoint = try await RawServer.start()
        var setup = try ProxyPair.Setup.mesh(old)
        let before = try old.issue(uris: [TestPKI.backend])
        try folder.write("chain", before.certificateChain)
        try folder.write("key", before.privateKey)
        setup.serverTLS.certificates = [.files(chain: folder.path("chain"), key: folder.path("key"))]
        try await ProxyPair.run(setup, endpoint: endpoint) { pair in
            let first = try await pair.connect()
            first.send("one")
            await endpoint.connection(0).waitFor("one")
            // A certificate that the client does not trust shows that it is the new one that is used.
            let after = try new.issue(uris: [TestPKI.backend])
            try folder.write("chain", after.certificateChain)
            try folder.write("key", after.privateKey)
            var errors = 0
            let deadline = ContinuousClock.now + .seconds(20)
            while errors == 0, ContinuousClock.now < deadline {
                // Refused before or after the application's own connection stands.
                if let next = try? await pair.connect() { next.close() }
                let statistics = await pair.client.statistics()
                errors = statistics.clusters["endpoint"]?.counts.tls.verificationErrors ?? 0
            }
            #expect(errors > 0)
            first.send("still here")
            await endpoint.connection(0).waitFor("still here")
        }
        try await endpoint.stop()
        try folder.remove()
    }
}
