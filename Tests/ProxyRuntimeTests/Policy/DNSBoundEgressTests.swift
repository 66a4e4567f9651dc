import MeshModel
import NIOCore
import ProxyRuntime
import Testing
import TrafficEngine

/// DNS-bound egress through a real proxy on loopback; what was looked up is told by the options.
@Suite struct DNSBoundEgressTests {
    private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    private static let cluster = "outbound|80||web.test"

    private static func binding(_ mode: DNSBoundEgress.Mode) -> DNSBoundEgress {
        var binding = DNSBoundEgress()
        binding.mode = mode
        return binding
    }

    private static func options(_ names: [String]) -> ProxyRuntimeOptions {
        var options = ProxyRuntimeOptions()
        options.namesGiven = { address, _ in address == TestProxy.loopback ? names : [] }
        return options
    }

    private static func get(_ host: String) -> String { "GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n" }

    @Test("Requests for the host that was looked up pass, those for another are answered with what to do, and counted")
    func requests() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(
            .http(),
            clusters: [.test(ports: server.port, name: Self.cluster)],
            options: Self.options(["web.test"]),
            dnsBoundEgress: Self.binding(.enforce)
        ) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get("web.test"))
            let endpoint = await server.connection(0)
            await endpoint.waitFor("Host: web.test")
            endpoint.send(Self.ok)
            await client.waitFor("ok")
            client.send(Self.get("spoofed.test"))

            let answer = await client.waitFor("spoofed.test\n")

            #expect(answer.contains("HTTP/1.1 403 Forbidden\r\n") && answer.contains("look this name up"))
            let blocked = await proxy.runtime.statistics().blocked
            #expect(
                blocked.map { ($0.key.name, $0.key.reason) }.map { "\($0.0) \($0.1.rawValue)" } == [
                    "spoofed.test blocked_name_not_of_address"
                ]
            )
            #expect(!endpoint.received.contains("spoofed.test"))
        }
        try await server.stop()
    }

    @Test("A connection to an address that no lookup gave ends before an endpoint hears of it")
    func connections() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(
            .tcp(),
            clusters: [.test(ports: server.port, name: Self.cluster)],
            options: Self.options([]),
            dnsBoundEgress: Self.binding(.enforce)
        ) { proxy in
            let client = try await proxy.connect()
            client.send("login")

            #expect(await client.waitForEnd() == "")

            let statistics = await proxy.waitForStatistics { $0.tcp["test"]?.connectionsActive == 0 }
            #expect(statistics.blocked.map(\.key.reason) == [.blockedUnresolvedAddress])
            #expect(server.connectionCount == 0)
        }
        try await server.stop()
    }

    @Test("Who only watches lets everything through, and counts what would be blocked")
    func audits() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(
            .http(),
            clusters: [.test(ports: server.port, name: Self.cluster)],
            options: Self.options(["web.test"]),
            dnsBoundEgress: Self.binding(.audit)
        ) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get("spoofed.test"))
            let endpoint = await server.connection(0)
            await endpoint.waitFor("Host: spoofed.test")
            endpoint.send(Self.ok)
            await client.waitFor("ok")

            let blocked = await proxy.runtime.statistics().blocked
            #expect(blocked.map(\.key.isAudit) == [true])
        }
        try await server.stop()
    }

    /// Sends a request through a proxy whose policy engine makes of it what `change` says.
    private func run(
        _ mode: DNSBoundEgress.Mode,
        host: String,
        _ change: (inout CheckVerdict) -> Void,
        _ body: (TestProxy, RawConnection, RawServer) async throws -> Void
    ) async throws {
        var answer = CheckAnswer(CheckVerdict(MixerStatus()))
        change(&answer.verdict)
        let setup = MixerProxy(engine: TestEngine(.answered(answer)), side: .outbound)
        var options = Self.options(["web.test"])
        options.requestMixing = setup.engine
        let server = try await RawServer.start()
        let clusters = [
            Cluster.test(ports: server.port, name: Self.cluster),
            Cluster.test(ports: server.port, index: 1, name: "target"),
        ]
        try await TestProxy.run(
            setup.terminal,
            clusters: clusters,
            options: options,
            dnsBoundEgress: Self.binding(mode)
        ) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get(host))
            try await body(proxy, client, server)
        }
        try await server.stop()
    }

    @Test("A host that the policy engine gives a request is judged as a client's")
    func changedHosts() async throws {
        let change = { (verdict: inout CheckVerdict) in verdict.requestLine.authority = Array("other.test".utf8) }
        try await self.run(.enforce, host: "web.test", change) { _, client, server in
            #expect(await client.waitFor("other.test\n").hasPrefix("HTTP/1.1 403 "))
            #expect(server.connectionCount == 0)
        }
    }

    @Test("A request that the policy engine changes otherwise is judged and counted once")
    func changedRequests() async throws {
        let entry = HeaderEdits.Entry(name: Array("x-a".utf8), value: Array("1".utf8))
        let change = { (verdict: inout CheckVerdict) in verdict.requestHeaders = HeaderEdits(set: [entry]) }
        try await self.run(.audit, host: "spoofed.test", change) { proxy, client, server in
            let endpoint = await server.connection(0)
            await endpoint.waitFor("x-a: 1\r\n\r\n")
            endpoint.send(Self.ok)
            await client.waitFor("ok")
            #expect(await proxy.runtime.statistics().blocked.map(\.value) == [1])
        }
    }

    @Test("A workload's own choice counts more than the mesh's, and without either nobody is asked for names")
    func ownChoice() async throws {
        let server = try await RawServer.start()
        var options = Self.options([])
        options.dnsBoundEgressMode = .off
        try await TestProxy.run(
            .tcp(),
            clusters: [.test(ports: server.port, name: Self.cluster)],
            options: options,
            dnsBoundEgress: Self.binding(.enforce)
        ) { proxy in
            let client = try await proxy.connect()
            client.send("login")
            await server.connection(0).waitFor("login")
            client.close()
        }
        try await server.stop()
    }

    /// A TLS hello that asks for `name`, in one record (RFC 8446 section 4.1.2, RFC 6066 section 3).
    private static func hello(_ name: String) -> ByteBuffer {
        func sixteen(_ count: Int) -> [UInt8] { [UInt8(count >> 8), UInt8(count & 0xff)] }
        let host = Array(name.utf8)
        let list = [0] + sixteen(host.count) + host
        let serverName = [0, 0] + sixteen(list.count + 2) + sixteen(list.count) + list
        var body: [UInt8] = [3, 3] + [UInt8](repeating: 7, count: 32) + [0]
        body += [0, 2, 0x13, 0x01, 1, 0] + sixteen(serverName.count) + serverName
        let handshake = [1, 0] + sixteen(body.count) + body
        return ByteBuffer(bytes: [0x16, 3, 1] + sixteen(handshake.count) + handshake)
    }

    @Test("A hello for the name that was looked up passes whole, also in parts, and the server may speak before it")
    func helloOfItsOwn() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(
            .tcp(),
            clusters: [.test(ports: server.port, name: Self.cluster)],
            options: Self.options(["web.test"]),
            dnsBoundEgress: Self.binding(.enforce)
        ) { proxy in
            let client = try await proxy.connect()
            let endpoint = await server.connection(0)
            endpoint.send("greeting")
            await client.waitFor("greeting")
            let hello = Self.hello("web.test")
            try await client.send(try #require(hello.getSlice(at: 0, length: 20)))
            try await client.send(try #require(hello.getSlice(at: 20, length: hello.readableBytes - 20)))

            await endpoint.waitFor("web.test")

            #expect(endpoint.bytes == Array(Self.hello("web.test").readableBytesView))
        }
        try await server.stop()
    }

    @Test("A hello for another name ends the connection before the endpoint sees it, and is counted")
    func helloOfAnother() async throws {
        let server = try await RawServer.start()
        try await TestProxy.run(
            .tcp(),
            clusters: [.test(ports: server.port, name: Self.cluster)],
            options: Self.options(["web.test"]),
            dnsBoundEgress: Self.binding(.enforce)
        ) { proxy in
            let client = try await proxy.connect()
            try await client.send(Self.hello("spoofed.test"))

            #expect(await client.waitForEnd() == "")

            let statistics = await proxy.waitForStatistics { $0.tcp["test"]?.connectionsActive == 0 }
            #expect(statistics.blocked.map(\.key.reason) == [.blockedUnresolvedName])
            #expect(statistics.blocked.map(\.key.name) == ["spoofed.test"])
            #expect(await server.connection(0).waitForEnd() == "")
        }
        try await server.stop()
    }
}
