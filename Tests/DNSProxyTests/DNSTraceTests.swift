import DNSProxy
import DNSWire
import Logging
import MeshModel
import NIOCore
import NIOPosix
import Testing

@Suite struct LookupPlanTests {
    private static let pod = ResolvConf(
        text: "search ns1.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.0.0.1\noptions ndots:5\n"
    )

    @Test(
        "Short names are tried with each search domain first, long and final ones as they are",
        arguments: [
            (
                "productpage.ns1.svc.cluster.local",
                [
                    "productpage.ns1.svc.cluster.local.ns1.svc.cluster.local",
                    "productpage.ns1.svc.cluster.local.svc.cluster.local",
                    "productpage.ns1.svc.cluster.local.cluster.local", "productpage.ns1.svc.cluster.local",
                ]
            ),
            ("productpage.", ["productpage"]),
            (
                "a.b.c.d.e.f",
                [
                    "a.b.c.d.e.f", "a.b.c.d.e.f.ns1.svc.cluster.local", "a.b.c.d.e.f.svc.cluster.local",
                    "a.b.c.d.e.f.cluster.local",
                ]
            ),
        ]
    )
    func names(_ text: String, _ expected: [String]) throws {
        #expect(try #require(LookupPlan(of: text, Self.pod)).names.map(\.description) == expected)
    }

    @Test("What is no name has no plan", arguments: ["", ".", "a..b", String(repeating: "a", count: 64)])
    func refused(_ text: String) { #expect(LookupPlan(of: text, Self.pod) == nil) }

    @Test("An expansion that would be too long is left out")
    func tooLong() throws {
        let label = String(repeating: "a", count: 60)
        let long = "\(label).\(label).\(label).\(label)"

        #expect(try #require(LookupPlan(of: long, Self.pod)).names.map(\.description) == [long])
    }
}

@Suite struct DNSTraceTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func server(
        _ table: DNSTable,
        upstreams: [DNSUpstream] = [],
        minted: MintedNames? = nil
    ) -> (DNSServer, DNSForwarder) {
        let forwarder = DNSForwarder(
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            upstreams: DNSUpstreams(servers: upstreams, attempts: 1)
        )
        let server = DNSServer(
            options: DNSServer.Options(port: 0),
            table: table,
            forwarder: forwarder,
            minted: minted,
            logger: Self.logger
        )
        return (server, forwarder)
    }

    private static let table = DNSTable(
        hosts: [
            DNSHost(
                name: "db.ns1.svc.cluster.local",
                addresses: [.v4(1)],
                registry: .kubernetes(name: "db", namespace: "ns1")
            ), DNSHost(name: "*.wild.test", addresses: [.v4(2)]),
        ],
        viewpoint: DNSViewpoint(namespace: "ns1", search: ["ns1.svc.cluster.local", "corp.test"])
    )

    @Test(
        "Each name leads to the host that the control plane knows",
        arguments: [
            ("db.ns1.svc.cluster.local", "db.ns1.svc.cluster.local"), ("DB", "db.ns1.svc.cluster.local"),
            ("db.ns1.corp.test", "db.ns1.svc.cluster.local"), ("a.b.wild.test", "*.wild.test"),
            ("a.wild.test.corp.test", "*.wild.test"), ("wild.test", nil), ("other.test", nil),
        ]
    )
    func host(_ name: String, _ expected: String?) throws {
        #expect(Self.table.host(of: try #require(DNSName(name)))?.description == expected)
    }

    @Test("A lookup ends at the first expansion that the table answers, both types asked")
    func endsAtTable() async throws {
        let (server, _) = Self.server(Self.table)
        let file = ResolvConf(text: "search ns1.svc.cluster.local corp.test\noptions ndots:5\n")
        let plan = try #require(LookupPlan(of: "db.ns1.svc.cluster.local", file))

        let trace = await server.trace(plan)

        #expect(trace.namesAsked == 1 && trace.isFound && trace.steps.map(\.question.type) == [.a, .aaaa])
        let host = try #require(DNSName("db.ns1.svc.cluster.local"))
        #expect(trace.steps.map(\.source) == [.table(host: host), .table(host: host)])
        #expect(trace.steps.map { $0.answers.map(\.data.type) } == [[.cname, .a], [.cname]])
        #expect(trace.steps.map(\.ttl) == [DNSTable.ttl, DNSTable.negativeTTL])
    }

    @Test("A name that no server answers is asked for with each expansion, and says so")
    func nobody() async throws {
        let (server, _) = Self.server(Self.table)
        let plan = try #require(LookupPlan(of: "gone.test", ResolvConf(text: "search corp.test\noptions ndots:5\n")))

        let trace = await server.trace(plan, types: [.a])

        #expect(trace.namesAsked == 2 && !trace.isFound)
        #expect(trace.steps.map(\.source) == [.nobody, .nobody])
        #expect(trace.steps.map(\.code) == [.serverFailure, .serverFailure])
    }

    @Test("An answer of another server names it, and is neither counted nor remembered")
    func upstream() async throws {
        let (far, farForwarder) = Self.server(DNSTable(hosts: [DNSHost(name: "far.test", addresses: [.v4(7)])]))
        let address = try #require(try await far.start().first)
        let upstream = DNSUpstream(address: .v4(0x7f00_0001), port: UInt16(address.port ?? 0))
        let (server, forwarder) = Self.server(DNSTable(), upstreams: [upstream])

        let step = await server.trace(DNSQuestion(name: try #require(DNSName("far.test")), type: .a))

        #expect(step.source == .upstream(upstream) && step.answers.map(\.data) == [.a(7)] && step.ttl == DNSTable.ttl)
        #expect(await server.statistics().requests == 0)
        for one in [forwarder, farForwarder] { await one.stop() }
        await far.stop()
    }

    @Test("An alias that leads under a wildcard is shown with the address that clients get")
    func mintedAlias() async throws {
        let (far, farForwarder) = Self.server(DNSTable(hosts: [DNSHost(name: "db.rds.test", addresses: [.v4(7)])]))
        let address = try #require(try await far.start().first)
        let upstream = DNSUpstream(address: .v4(0x7f00_0001), port: UInt16(address.port ?? 0))
        let minted = MintedNames()
        let table = DNSTable(hosts: [DNSHost(name: "alias.test", addresses: [], alias: "db.rds.test")])
        let (server, forwarder) = Self.server(table, upstreams: [upstream], minted: minted)
        server.use(wildcards: ["*.rds.test"], v4: CIDR("240.241.0.0/16"), v6: nil)
        let own = try #require(try await server.start().first)
        let client = DNSForwarder(
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            upstreams: DNSUpstreams(
                servers: [DNSUpstream(address: .v4(0x7f00_0001), port: UInt16(own.port ?? 0))],
                attempts: 1
            )
        )
        let question = DNSQuestion(name: try #require(DNSName("alias.test")), type: .a)

        let answer = await client.ask(question)
        let step = await server.trace(question)

        #expect(step.source == .minted(host: try #require(DNSName("db.rds.test"))) && step.answers.count == 2)
        #expect(step.answers.map(\.data) == answer?.answers.map(\.data))
        for one in [client, forwarder, farForwarder] { await one.stop() }
        for one in [server, far] { await one.stop() }
    }

    @Test("What is asked again is shown to come out of the cache")
    func cached() async throws {
        let (far, farForwarder) = Self.server(DNSTable(hosts: [DNSHost(name: "far.test", addresses: [.v4(7)])]))
        let address = try #require(try await far.start().first)
        let upstream = DNSUpstream(address: .v4(0x7f00_0001), port: UInt16(address.port ?? 0))
        let (server, forwarder) = Self.server(DNSTable(), upstreams: [upstream])
        let question = DNSQuestion(name: try #require(DNSName("far.test")), type: .a)

        let steps = [await server.trace(question), await server.trace(question)]

        #expect(steps.map(\.source) == [.upstream(upstream), .cached(upstream, isStale: false)])
        #expect(steps.map(\.isFound) == [true, true])
        for one in [forwarder, farForwarder] { await one.stop() }
        await far.stop()
    }

    @Test("Before the table has come, names that may be in it are not answered")
    func notReady() async throws {
        let (server, _) = Self.server(.notReady())

        let step = await server.trace(DNSQuestion(name: try #require(DNSName("a.cluster.local")), type: .a))

        #expect(step.source == .notReady && step.code == .serverFailure && step.ttl == nil)
        #expect(!server.table.sizes.isReady)
    }
}
