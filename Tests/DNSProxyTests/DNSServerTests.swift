import DNSProxy
import DNSWire
import Logging
import MeshModel
import NIOCore
import NIOPosix
import Synchronization
import Testing

/// Servers on loopback, each on a free port; the server that is asked in turn is one of ours as well.
@Suite struct DNSServerTests {
    static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    static func host(_ name: String, _ count: Int = 1) -> DNSHost {
        DNSHost(name: name, addresses: (0..<count).map { .v4(0x0a00_0000 + UInt32($0)) })
    }

    /// A running server with all that belongs to it.
    struct Running {
        var forwarder: DNSForwarder
        var server: DNSServer
        var address: SocketAddress
        var names: RecentNames

        var upstream: DNSUpstream { DNSUpstream(address: .v4(0x7f00_0001), port: UInt16(self.address.port ?? 0)) }
    }

    static func start(_ table: DNSTable, upstreams: [DNSUpstream] = []) async throws -> Running {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let forwarder = DNSForwarder(
            eventLoop: loop,
            upstreams: DNSUpstreams(servers: upstreams, attempts: 1)
        )
        let names = RecentNames()
        let server = DNSServer(
            options: DNSServer.Options(port: 0),
            table: table,
            forwarder: forwarder,
            recentNames: names,
            logger: Self.logger
        )
        let address = try #require(try await server.start().first)
        return Running(forwarder: forwarder, server: server, address: address, names: names)
    }

    static func stop(_ running: Running...) async {
        for one in running {
            await one.server.stop()
            await one.forwarder.stop()
        }
    }

    /// A client is a forwarder that knows one server.
    static func ask(_ running: Running, _ name: String, _ type: DNSType = .a) async throws -> DNSMessage? {
        let client = DNSForwarder(
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            upstreams: DNSUpstreams(servers: [running.upstream], attempts: 1)
        )
        let answer = await client.ask(DNSQuestion(name: try #require(DNSName(name)), type: type))
        await client.stop()
        return answer
    }

    @Test("Names of the table are answered with the question's case")
    func table() async throws {
        let running = try await Self.start(DNSTable(hosts: [Self.host("db.test")]))

        let answer = try #require(try await Self.ask(running, "DB.test"))

        #expect(answer.answers.map(\.data) == [.a(0x0a00_0000)])
        #expect(answer.answers.first?.name.description == "DB.test")
        #expect(running.names.name(of: .v4(0x0a00_0000)) == "db.test")
        let counters = await running.server.statistics()
        #expect(counters.requests == 1 && counters.answeredLocally == 1 && counters.upstreamRequests == 0)
        await Self.stop(running)
    }

    @Test("An address is bound to the host of the mesh that it was given for, over UDP and TCP, by short names as well")
    func bindsNames() async throws {
        let host = DNSHost(
            name: "db.ns1.svc.cluster.local",
            addresses: [.v4(0x0a00_0001)],
            registry: .kubernetes(name: "db", namespace: "ns1"),
            instances: ["db-0": .v4(0x0a00_0002)]
        )
        let search = ["ns1.svc.cluster.local", "svc.cluster.local"]
        let viewpoint = DNSViewpoint(namespace: "ns1", search: search)
        let running = try await Self.start(DNSTable(hosts: [host], viewpoint: viewpoint))
        func given(_ address: IPAddress) -> [String] {
            // Whoever asks may write names in letters of any case.
            running.names.given(address, grace: .zero, now: .now).map(\.name.lowercased.description)
        }

        _ = try await Self.ask(running, "db.ns1.svc.cluster.local.ns1.svc.cluster.local")
        #expect(given(.v4(0x0a00_0001)) == ["db.ns1.svc.cluster.local"])
        _ = try await Self.ask(running, "db-0.db.ns1.svc.cluster.local")
        #expect(given(.v4(0x0a00_0002)) == ["db.ns1.svc.cluster.local", "db-0.db.ns1.svc.cluster.local"])
        #expect(given(.v4(0x0a00_0003)) == [])
        await Self.stop(running)
    }

    @Test("What another server answered binds for as long as its records hold, by the name that was asked for alone")
    func bindsForwarded() async throws {
        let upstream = try await Self.start(DNSTable(hosts: [Self.host("far.test")], zones: ["test"]))
        let running = try await Self.start(DNSTable(), upstreams: [upstream.upstream])

        for _ in 1...2 { _ = try await Self.ask(running, "Far.test") }

        let now = ContinuousClock.now
        let given = running.names.given(.v4(0x0a00_0000), grace: .zero, now: now)
        #expect(given.map(\.name.lowercased.description) == ["far.test"] && given.map(\.isLocal) == [false])
        let far = running.names.given(.v4(0x0a00_0000), grace: .zero, now: now + .seconds(Int64(DNSTable.ttl)))
        #expect(far.isEmpty)
        await Self.stop(running, upstream)
    }

    @Test("A new table is in force for the next question")
    func update() async throws {
        let running = try await Self.start(DNSTable.notReady(clusterDomain: "test"))
        // A failure of the server shows as no answer.
        #expect(try await Self.ask(running, "db.test") == nil)

        await running.server.update(DNSTable(hosts: [Self.host("db.test")]))

        #expect(try await Self.ask(running, "db.test")?.answers.count == 1)
        await Self.stop(running)
    }

    @Test("While no table has come nobody is asked; after a while others are, for names outside of the cluster")
    func stopsWaiting() async throws {
        let upstream = try await Self.start(DNSTable(hosts: [Self.host("far.test")], zones: ["test"]))
        let running = try await Self.start(DNSTable.notReady(clusterDomain: "."), upstreams: [upstream.upstream])
        #expect(try await Self.ask(running, "far.test") == nil)

        #expect(running.server.stopWaiting(below: "cluster.local"))

        #expect(try await Self.ask(running, "far.test")?.answers.count == 1)
        #expect(try await Self.ask(running, "db.default.svc.cluster.local") == nil)
        await running.server.update(DNSTable(hosts: [Self.host("db.test")]))
        #expect(!running.server.stopWaiting(below: "cluster.local"))
        #expect(try await Self.ask(running, "db.test")?.answers.count == 1)
        await Self.stop(running, upstream)
    }

    @Test("What is not in the table is asked elsewhere and handed on unchanged")
    func forwards() async throws {
        let upstream = try await Self.start(DNSTable(hosts: [Self.host("far.test")], zones: ["test"]))
        let running = try await Self.start(DNSTable(), upstreams: [upstream.upstream])

        let found = try #require(try await Self.ask(running, "Far.test"))
        let missing = try #require(try await Self.ask(running, "none.test"))

        #expect(found.answers.map(\.data) == [.a(0x0a00_0000)] && found.questions.first?.name.description == "Far.test")
        #expect(missing.responseCode == .nameError && missing.authorities.first?.data.type == .soa)
        #expect(running.names.name(of: .v4(0x0a00_0000)) == "far.test")
        let counters = await running.server.statistics()
        #expect(counters.upstreamRequests == 2 && counters.upstreamDuration.count == 2)
        await Self.stop(running, upstream)
    }

    @Test("An answer that is too long for UDP comes over TCP, through both servers")
    func truncated() async throws {
        let upstream = try await Self.start(DNSTable(hosts: [Self.host("many.test", 500)]))
        let running = try await Self.start(DNSTable(), upstreams: [upstream.upstream])

        let answer = try #require(try await Self.ask(running, "many.test"))

        #expect(answer.answers.count == 500 && !answer.header.isTruncated)
        // The client's second question, over TCP, finds what the first one has brought.
        #expect(await upstream.server.statistics().truncated == 1)
        #expect(await running.server.statistics().truncated == 1)
        await Self.stop(running, upstream)
    }

    @Test("When nobody answers, the client hears so before it gives up")
    func nobody() async throws {
        let gone = try await Self.start(DNSTable())
        await Self.stop(gone)
        let running = try await Self.start(DNSTable(), upstreams: [gone.upstream])

        #expect(try await Self.ask(running, "far.test") == nil)
        // The client's own first question was answered: with a failure.
        let counters = await running.server.statistics()
        #expect(counters.requests == 1 && counters.upstreamFailures == 1)
        await Self.stop(running)
    }

    @Test("Servers are changed while running")
    func changesServers() async throws {
        let upstream = try await Self.start(DNSTable(hosts: [Self.host("far.test")]))
        let running = try await Self.start(DNSTable())
        #expect(try await Self.ask(running, "far.test") == nil)

        #expect(await running.forwarder.servers() == [])
        await running.forwarder.update(DNSUpstreams(servers: [upstream.upstream], attempts: 1))

        #expect(try await Self.ask(running, "far.test")?.answers.count == 1)
        #expect(await running.forwarder.servers() == [upstream.upstream])
        await Self.stop(running, upstream)
    }

    @Test("An alias of the table into somebody else's zone is followed")
    func alias() async throws {
        let upstream = try await Self.start(DNSTable(hosts: [Self.host("far.test")]))
        let table = DNSTable(hosts: [DNSHost(name: "near.test", addresses: [], alias: "far.test")])
        let running = try await Self.start(table, upstreams: [upstream.upstream])

        let answer = try #require(try await Self.ask(running, "near.test"))

        #expect(answer.answers.map(\.data.type) == [.cname, .a])
        await Self.stop(running, upstream)
    }

    @Test("Addresses of a name come from both families, with the shortest time")
    func addresses() async throws {
        let table = DNSTable(
            hosts: [
                DNSHost(name: "both.test", addresses: [.v4(1), .v6(high: 2, low: 3)]),
                DNSHost(name: "alias.test", addresses: [], alias: "both.test"),
            ],
            zones: ["test"]
        )
        let upstream = try await Self.start(table)
        let resolver = DNSForwarder(
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            upstreams: DNSUpstreams(servers: [upstream.upstream], attempts: 1)
        )

        let found = try await resolver.addresses(of: "alias.test")

        #expect(found.addresses == [.v4(1), .v6(high: 2, low: 3)])
        #expect(found.ttl == .seconds(Int64(DNSTable.ttl)))
        #expect(try await resolver.addresses(of: "127.0.0.9").addresses == [.v4(0x7f00_0009)])
        await #expect(throws: DNSForwarder.LookupError.notFound(ttl: .seconds(Int64(DNSTable.negativeTTL)))) {
            try await resolver.addresses(of: "none.test")
        }
        await #expect(throws: DNSForwarder.LookupError.badName) { try await resolver.addresses(of: "a..b") }
        await resolver.stop()
        await #expect(throws: DNSForwarder.LookupError.failed) { try await resolver.addresses(of: "both.test") }
        await Self.stop(upstream)
    }

    @Test("An answer is kept for the next client and for the proxy's own clusters")
    func cached() async throws {
        let upstream = try await Self.start(DNSTable(hosts: [Self.host("far.test")], zones: ["test"]))
        let running = try await Self.start(DNSTable(), upstreams: [upstream.upstream])
        _ = try await Self.ask(running, "far.test")
        _ = try await Self.ask(running, "far.test", .aaaa)

        let again = try #require(try await Self.ask(running, "FAR.test"))
        let found = await HostResolver(forwarder: running.forwarder).addresses(of: "far.test")

        #expect(again.answers.map(\.data) == [.a(0x0a00_0000)] && found.addresses == [.v4(0x0a00_0000)])
        let counters = await running.server.statistics()
        #expect(counters.upstreamRequests == 2 && counters.cacheHits == 2 && counters.cacheNegativeHits == 1)
        #expect(counters.upstreams[upstream.upstream]?.answers == 2)
        await Self.stop(running, upstream)
    }

    @Test("What another server said counts until the table knows better, or there are other servers")
    func outdated() async throws {
        let far = try await Self.start(DNSTable(hosts: [Self.host("far.test")], zones: ["test"]))
        let other = try await Self.start(DNSTable(hosts: [Self.host("far.test", 3)], zones: ["test"]))
        let running = try await Self.start(DNSTable(), upstreams: [far.upstream])
        for _ in 0..<3 { #expect(try await Self.ask(running, "far.test")?.answers.count == 1) }
        #expect(await running.server.statistics().cacheHits == 2)

        await running.server.update(DNSTable(hosts: [Self.host("far.test", 2)]))
        #expect(try await Self.ask(running, "far.test")?.answers.count == 2)
        await running.server.update(DNSTable())
        #expect(try await Self.ask(running, "far.test")?.answers.count == 1)
        await running.forwarder.update(DNSUpstreams(servers: [other.upstream], attempts: 1))
        #expect(try await Self.ask(running, "far.test")?.answers.count == 3)
        await Self.stop(running, far, other)
    }
}
