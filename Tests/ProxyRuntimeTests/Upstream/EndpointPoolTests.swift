import Foundation
import MeshModel
import NIOCore
import NIOSSL
import ProxyRuntime
import Synchronization
import Testing
import TrafficEngine

/// Connections that requests wait for, and which request each of them is for.
@Suite struct EndpointPoolTests {
    private static func get(_ host: String) -> String { "GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n" }

    /// Secured by TLS whose hello names the host of the request.
    private static func cluster(
        _ port: UInt16,
        roots: [UInt8],
        version: Cluster.HTTPVersion = .http1
    ) -> Cluster {
        Cluster(
            id: ClusterID(index: 0),
            name: "endpoint",
            discovery: .endpoints([ClusterEndpoint(address: NetworkAddress(ip: TestProxy.loopback, port: port))]),
            connectTimeout: .seconds(20),
            httpVersion: version,
            transports: [
                ClientTLS(
                    validation: PeerValidation(roots: .inline(roots), verifiesHostName: true),
                    usesHostAsServerName: true,
                    applicationProtocols: version == .negotiated ? ["h2", "http/1.1"] : []
                )
            ]
        )
    }

    @Test("A connection that is being made for one host is none for another")
    func connectsForEachHost() async throws {
        let server = try await RawServer.start()
        let cluster = Self.cluster(server.port, roots: try TestPKI().rootPEM)
        try await TestProxy.run(.http(), clusters: [cluster]) { proxy in
            let first = try await proxy.connect()
            first.send(Self.get("a.test"))
            // A hello, which nobody answers.
            await server.connection(0).waitFor("a.test")
            try await first.reset()
            _ = await proxy.waitForStatistics { $0.http["test"]?.requestsActive == 0 }

            let second = try await proxy.connect()
            second.send(Self.get("b.test"))

            await server.connection(1).waitFor("b.test")
        }
        try await server.stop()
    }

    @Test("A connection that does not come about ends a request for its own host")
    func failsRequestsOfItsHost() async throws {
        let server = try await RawServer.start()
        let cluster = Self.cluster(server.port, roots: try TestPKI().rootPEM)
        try await TestProxy.run(.http(), clusters: [cluster]) { proxy in
            let clients = [try await proxy.connect(), try await proxy.connect()]
            clients[0].send(Self.get("a.test"))
            await server.connection(0).waitFor("a.test")
            clients[1].send(Self.get("b.test"))
            await server.connection(1).waitFor("b.test")

            await server.connection(1).close()

            #expect(await clients[1].waitFor("b.test\n").hasPrefix("HTTP/1.1 503 "))
            #expect(clients[0].received.isEmpty)
            await server.connection(0).close()
            #expect(await clients[0].waitFor("a.test\n").hasPrefix("HTTP/1.1 503 "))
        }
        try await server.stop()
    }

    @Test("A connection of HTTP/2 that does not come about ends all requests that wait for it")
    func failsAllStreams() async throws {
        let server = try await RawServer.start()
        let cluster = Self.cluster(server.port, roots: try TestPKI().rootPEM, version: .http2)
        try await TestProxy.run(.http(), clusters: [cluster]) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            for stream in [1, 3, 5] as [UInt32] { client.request(stream) }
            _ = await proxy.waitForStatistics { $0.clusters["endpoint"]?.counts.requestsPendingActive == 3 }

            await server.connection(0).close()

            var failed: [UInt32: String?] = [:]
            for _ in 1...3 {
                let head = await client.nextHead()
                failed[head.stream] = head.fields[":status"]
            }
            #expect(failed == [1: "503", 3: "503", 5: "503"])
            let statistics = await proxy.waitForStatistics { $0.http["test"]?.requestsActive == 0 }
            #expect(statistics.clusters["endpoint"]?.counts.connections == 1)
            #expect(statistics.clusters["endpoint"]?.counts.requestsPendingActive == 0)
            #expect(server.connectionCount == 1)
        }
        try await server.stop()
    }

    @Test("Where ALPN settles on less than last time, requests that hoped for the same connection get others")
    func connectsForTheRest() async throws {
        let pki = try TestPKI()
        let credential = try pki.issue(dns: ["a.test"])
        let offered = Mutex("h2")
        let server = try await RawServer.start { channel in
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: try NIOSSLCertificate.fromPEMBytes(credential.certificateChain)
                    .map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(bytes: credential.privateKey, format: .pem))
            )
            configuration.applicationProtocols = [offered.withLock { $0 }]
            let handler = NIOSSLServerHandler(context: try NIOSSLContext(configuration: configuration))
            try channel.pipeline.syncOperations.addHandler(handler)
        }
        let cluster = Self.cluster(server.port, roots: try pki.rootPEM, version: .negotiated)
        try await TestProxy.run(.http(), clusters: [cluster]) { proxy in
            let client = try await HTTP2Peer.client(proxy)
            client.request(1)
            let multiplexed = await HTTP2Peer.server(await server.connection(0))
            let head = await multiplexed.nextHead()
            multiplexed.headers(head.stream, [(":status", "204")], ends: true)
            #expect(await client.nextHead().stream == 1)
            multiplexed.connection.close()
            _ = await proxy.waitForStatistics { $0.clusters["endpoint"]?.counts.connectionsActive == 0 }
            offered.withLock { $0 = "http/1.1" }

            client.request(3)
            client.request(5)

            for index in 1...2 {
                let connection = await server.connection(index)
                await connection.waitFor("\r\n\r\n")
            }
            for index in 1...2 { await server.connection(index).send("HTTP/1.1 204 No Content\r\n\r\n") }
            var streams: Set<UInt32> = []
            for _ in 1...2 { streams.insert(await client.nextHead().stream) }
            #expect(streams == [3, 5])
        }
        try await server.stop()
    }
}
