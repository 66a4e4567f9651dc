import DNSProxy
import DNSWire
import Logging
import MeshModel
import NIOCore
import NIOPosix
import Testing

/// Servers on loopback, each on a free port; the server that is asked in turn is one of ours as well.
@Suite struct DNSServerTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func host(_ name: String, _ count: Int = 1) -> DNSHost {
        DNSHost(name: name, addresses: (0..<count).map { .v4(0x0a00_0000 + UInt32($0)) })
    }

    /// A running server with all that belongs to it.
    private struct Running {
        var forwarder: DNSForwarder
        var server: DNSServer
        var address: SocketAddress
        var names: RecentNames

        var upstream: DNSUpstream { DNSUpstream(address: .v4(0x7f00_0001), port: UInt16(self.address.port ?? 0)) }
    }

    private static func start(_ table: DNSTable, upstreams: [DNSUpstream] = []) async throws -> Running {
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

    private static func stop(_ running: Running...) async {
        for one in running {
            await one.server.stop()
            await one.forwarder.stop()
        }
    }

    /// A client is a forwarder that knows one server.
    private static func ask(_ running: Running, _ name: String, _ type: DNSType = .a) async throws -> DNSMessage? {
        let client = DNSForwarder(
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            upstreams: DNSUpstreams(servers: [running.upstream], attempts: 1)
        )
        let answer = await client.ask(DNSQuestion(name: try #require(DNSName(name)), type: type))
        await client.stop()
        return answer
    }

    @Test("Names of the table are answered with authority, with the question's case")
    func table() async throws {
        let running = try await Self.start(DNSTable(hosts: [Self.host("db.test")]))

        let answer = try #require(try await Self.ask(running, "DB.test"))

        #expect(answer.header.isAuthoritative && answer.answers.map(\.data) == [.a(0x0a00_0000)])
        #expect(answer.answers.first?.name.description == "DB.test")
        #expect(running.names.name(of: .v4(0x0a00_0000)) == "db.test")
        let counters = await running.server.statistics()
        #expect(counters.requests == 1 && counters.answeredLocally == 1 && counters.upstreamRequests == 0)
        await Self.stop(running)
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
        // Once for the client's question over UDP, once for that over TCP: nothing is kept in between.
        #expect(await upstream.server.statistics().truncated == 2)
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

        await running.forwarder.update(DNSUpstreams(servers: [upstream.upstream], attempts: 1))

        #expect(try await Self.ask(running, "far.test")?.answers.count == 1)
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

    @Test("A port that is taken is named, and nothing is left behind")
    func portTaken() async throws {
        let running = try await Self.start(DNSTable())
        let port = UInt16(running.address.port ?? 0)
        let second = DNSServer(
            options: DNSServer.Options(port: port),
            table: DNSTable(),
            forwarder: running.forwarder,
            logger: Self.logger
        )

        let error = await #expect(throws: DNSServer.BindError.self) { try await second.start() }

        #expect(error?.description.contains("127.0.0.1:\(port)") == true)
        await Self.stop(running)
    }
}
