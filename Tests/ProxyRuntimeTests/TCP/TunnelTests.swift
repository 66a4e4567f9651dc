import MeshModel
import NIOCore
import ProxyRuntime
import Testing
import TrafficEngine

/// Byte forwarding through a real proxy on loopback.
@Suite struct TunnelTests {
    @Test("A server that speaks first is heard at once")
    func forwardsServerFirst() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.tcp(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            let endpoint = await server.connection(0)
            endpoint.send("5.5.5-MariaDB")
            await client.waitFor("MariaDB")
            client.send("login")
            await endpoint.waitFor("login")
            client.close()
            await endpoint.waitForEnd()
            endpoint.close()
            let statistics = await proxy.waitForStatistics { $0.tcp["test"]?.connectionsActive == 0 }
            #expect(statistics.tcp["test"]?.bytesReceived == 5)
            #expect(statistics.tcp["test"]?.bytesSent == 13)
            #expect(statistics.clusters["endpoint"]?.counts.connections == 1)
            #expect(statistics.clusters["endpoint"]?.counts.connectionsActive == 0)
        }
        try await server.stop()
    }

    @Test("A client that has sent all still gets its answer")
    func carriesClientHalfClose() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.tcp(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            client.send("question")
            client.endOutput()
            let endpoint = await server.connection(0)
            #expect(await endpoint.waitForEnd() == "question")
            endpoint.send("answer")
            endpoint.endOutput()
            #expect(await client.waitForEnd() == "answer")
        }
        try await server.stop()
    }

    @Test("An endpoint that has sent all still hears its client")
    func carriesServerHalfClose() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.tcp(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            let endpoint = await server.connection(0)
            endpoint.send("hello")
            endpoint.endOutput()
            #expect(await client.waitForEnd() == "hello")
            client.send("bye")
            await endpoint.waitFor("bye")
            client.endOutput()
            await endpoint.waitForEnd()
        }
        try await server.stop()
    }

    @Test("Large transfers arrive whole, with an end right behind them")
    func transfersMuch() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.tcp(), clusters: [.test(ports: server.port)]) { proxy in
            let size = 8 << 20
            let client = try await proxy.connect()
            let endpoint = await server.connection(0)
            try await endpoint.send(ByteBuffer(repeating: UInt8(ascii: "r"), count: size))
            endpoint.close()
            #expect(await client.waitForEnd().utf8.count == size)
        }
        try await server.stop()
    }

    @Test("A reset at one side is a reset at the other")
    func passesReset() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.tcp(), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            let endpoint = await server.connection(0)
            client.send("x")
            await endpoint.waitFor("x")
            try await endpoint.reset()
            await client.waitForEnd()
            #expect(client.end == .reset)
        }
        try await server.stop()
    }

    @Test("Nothing either way for too long closes both sides")
    func closesIdle() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.tcp(idleTimeout: .milliseconds(50)), clusters: [.test(ports: server.port)]) { proxy in
            let client = try await proxy.connect()
            await client.waitForEnd()
            await server.connection(0).waitForEnd()
            let statistics = await proxy.waitForStatistics { $0.tcp["test"]?.connectionsActive == 0 }
            #expect(statistics.tcp["test"]?.idleTimeouts == 1)
        }
        try await server.stop()
    }

    @Test("An address that the registry does not know is closed, and counted with the name it was looked up by")
    func blocksUnknownAddresses() async throws {
        let options = ProxyRuntimeOptions(nameOfAddress: { $0.isLoopback ? "looked.up.test" : nil })
        let hole = Cluster.test(name: "BlackHoleCluster")
        try await TestProxy.run(.tcp(name: "BlackHoleCluster"), clusters: [hole], options: options) { proxy in
            let client = try await proxy.connect()
            await client.waitForEnd()
            let statistics = await proxy.waitForStatistics { !$0.blocked.isEmpty }
            let key = BlockedKey(
                name: "looked.up.test",
                address: NetworkAddress(ip: TestProxy.loopback, port: proxy.port),
                reason: .blockedAddress
            )
            #expect(statistics.blocked == [key: 1])
        }
    }

    @Test("Inspection chooses on the first bytes and loses none of them")
    func inspects() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(.tcp(), clusters: [.test(ports: server.port)], inspects: true) { proxy in
            let client = try await proxy.connect()
            client.send("GE")
            client.send("T / HTTP/1.1\r\n\r\n")
            let endpoint = await server.connection(0)
            await endpoint.waitFor("GET / HTTP/1.1\r\n\r\n")
            endpoint.send("fine")
            await client.waitFor("fine")
        }
        try await server.stop()
    }

    @Test("Inspection of a silent client ends, and a server that speaks first is heard then")
    func endsInspection() async throws {
        let server = try await RawServer.start()
        let timeout = Duration.milliseconds(50)
        try await TestProxy.run(
            .tcp(),
            clusters: [.test(ports: server.port)],
            inspects: true,
            inspectionTimeout: timeout
        ) { proxy in
            let client = try await proxy.connect()
            await server.connection(0).send("hello")
            await client.waitFor("hello")
            client.send("x")
            await server.connection(0).waitFor("x")
            #expect(await proxy.runtime.statistics().listeners["test"]?.inspectionTimedOut == 1)
        }
        try await server.stop()
    }
}
