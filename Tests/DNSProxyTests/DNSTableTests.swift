import DNSProxy
import DNSWire
import MeshModel
import Testing

@Suite struct DNSTableTests {
    private static let cluster = "cluster.local"

    private static func address(_ text: String) -> IPAddress { IPAddress(text) ?? .v4(0) }

    private static func service(_ name: String, _ namespace: String, _ addresses: String...) -> DNSHost {
        DNSHost(
            name: "\(name).\(namespace).svc.cluster.local",
            addresses: addresses.map(Self.address),
            registry: .kubernetes(name: name, namespace: namespace)
        )
    }

    /// As a sidecar in namespace `default` sees it.
    private static let sidecar = DNSTable(
        hosts: [
            service("reviews", "default", "10.214.0.7"),
            service("details", "other", "10.214.0.8", "2001:db8::8"),
            DNSHost(name: "mysqldb.outside.test", addresses: [address("10.215.0.10")]),
            DNSHost(name: "*.wild.test", addresses: [address("10.215.0.20")]),
            DNSHost(name: "*.deep.wild.test", addresses: [address("10.215.0.21")]),
            DNSHost(name: "by-name-only.test", addresses: []),
        ],
        viewpoint: DNSViewpoint(
            namespace: "default",
            search: ["default.svc.cluster.local", "svc.cluster.local", "cluster.local"]
        )
    )

    private static func ask(_ table: DNSTable, _ name: String, _ type: DNSType = .a) throws -> DNSTable.Answer {
        table.answer(DNSQuestion(name: try #require(DNSName(name)), type: type))
    }

    /// The records as text: `name type data`.
    private static func texts(_ answer: DNSTable.Answer) -> [String] {
        switch answer {
        case .records(let records, _): records.map(Self.text)
        case .noData(let aliases, let authority): aliases.map(Self.text) + ["NODATA \(authority.name)"]
        case .noName(let authority): ["NXDOMAIN \(authority.name)"]
        case .notReady: ["SERVFAIL"]
        case .unknown: ["forward"]
        }
    }

    private static func text(_ record: DNSRecord) -> String {
        switch record.data {
        case .a(let bits): "\(record.name) A \(IPAddress.v4(bits))"
        case .aaaa(let high, let low): "\(record.name) AAAA \(IPAddress.v6(high: high, low: low))"
        case .cname(let target): "\(record.name) CNAME \(target)"
        case .ptr(let target): "\(record.name) PTR \(target)"
        case .srv(_, _, let port, let target): "\(record.name) SRV \(port) \(target)"
        case .soa, .opaque: "\(record.name) \(record.data.type)"
        }
    }

    @Test(
        "A sidecar's questions",
        arguments: [
            // Whole and short names, in any case.
            ("reviews.default.svc.cluster.local", "reviews.default.svc.cluster.local A 10.214.0.7"),
            ("ReViews.Default", "ReViews.Default A 10.214.0.7"),
            ("reviews.default.svc", "reviews.default.svc A 10.214.0.7"),
            ("reviews", "reviews A 10.214.0.7"),
            ("details.other", "details.other A 10.214.0.8"),
            // A short name without namespace belongs to the own one only.
            ("details", "forward"),
            ("mysqldb.outside.test", "mysqldb.outside.test A 10.215.0.10"),
            // Wildcards stand for all below and not for the name itself; the longest wins.
            ("a.wild.test", "a.wild.test A 10.215.0.20"),
            ("a.b.wild.test", "a.b.wild.test A 10.215.0.20"),
            ("x.deep.wild.test", "x.deep.wild.test A 10.215.0.21"),
            ("wild.test", "forward"),
            // What is not ours, or has no address, is for others.
            ("by-name-only.test", "forward"),
            ("nothing.default.svc.cluster.local", "forward"),
            ("example.com", "forward"),
            ("example.com.default.svc.cluster.local", "forward"),
        ]
    )
    func sidecarQuestions(_ name: String, _ expected: String) throws {
        #expect(Self.texts(try Self.ask(Self.sidecar, name)) == [expected])
    }

    @Test("A name with a search domain behind it gets an alias and the address in one answer")
    func searchDomains() throws {
        #expect(
            Self.texts(try Self.ask(Self.sidecar, "reviews.default.svc.cluster.local.default.svc.cluster.local")) == [
                "reviews.default.svc.cluster.local.default.svc.cluster.local CNAME reviews.default.svc.cluster.local",
                "reviews.default.svc.cluster.local A 10.214.0.7",
            ]
        )
        #expect(
            Self.texts(try Self.ask(Self.sidecar, "mysqldb.outside.test.svc.cluster.local")) == [
                "mysqldb.outside.test.svc.cluster.local CNAME mysqldb.outside.test",
                "mysqldb.outside.test A 10.215.0.10",
            ]
        )
        // The star itself is never shown.
        #expect(
            Self.texts(try Self.ask(Self.sidecar, "a.wild.test.cluster.local")) == [
                "a.wild.test.cluster.local CNAME a.wild.test", "a.wild.test A 10.215.0.20",
            ]
        )
        #expect(
            Self.texts(try Self.ask(Self.sidecar, "mysqldb.outside.test.cluster.local", .aaaa)) == [
                "mysqldb.outside.test.cluster.local CNAME mysqldb.outside.test", "NODATA mysqldb.outside.test",
            ]
        )
    }

    @Test("Of two search domains the first in the client's list is the one that it appended")
    func searchOrder() throws {
        func table(_ search: [String]) -> DNSTable {
            DNSTable(
                hosts: [
                    DNSHost(name: "db.test", addresses: [Self.address("10.0.0.1")]),
                    DNSHost(name: "db.test.eu", addresses: [Self.address("10.0.0.2")]),
                ],
                viewpoint: DNSViewpoint(namespace: "default", search: search)
            )
        }
        let name = "db.test.eu.corp"

        #expect(Self.texts(try Self.ask(table(["eu.corp", "corp"]), name)).first == "\(name) CNAME db.test")
        #expect(Self.texts(try Self.ask(table(["corp", "eu.corp"]), name)).first == "\(name) CNAME db.test.eu")
    }

    @Test(
        "A known name without a record of the type exists all the same",
        arguments: [DNSType.aaaa, .mx, .https, .srv]
    )
    func noData(_ type: DNSType) throws {
        #expect(Self.texts(try Self.ask(Self.sidecar, "reviews", type)) == ["NODATA cluster.local"])
    }

    @Test("Both families, and addresses back to names")
    func families() throws {
        let name = "details.other.svc.cluster.local"
        #expect(Self.texts(try Self.ask(Self.sidecar, name, .aaaa)) == ["\(name) AAAA 2001:db8::8"])
        #expect(
            Self.texts(try Self.ask(Self.sidecar, "7.0.214.10.in-addr.arpa", .ptr)) == [
                "7.0.214.10.in-addr.arpa PTR reviews.default.svc.cluster.local"
            ]
        )
        let reverse = DNSTable.reverseName(of: Self.address("2001:db8::8"))
        #expect(reverse == "8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa")
        #expect(Self.texts(try Self.ask(Self.sidecar, reverse, .ptr)) == ["\(reverse) PTR \(name)"])
    }

    @Test("A real host that equals a name with a search domain wins")
    func realHostWins() throws {
        let expanded = "mysqldb.outside.test.svc.cluster.local"
        let table = DNSTable(
            hosts: [
                DNSHost(name: "mysqldb.outside.test", addresses: [Self.address("10.0.0.1")]),
                DNSHost(name: expanded, addresses: [Self.address("10.0.0.2")]),
            ],
            viewpoint: DNSViewpoint(namespace: "default", search: ["svc.cluster.local"])
        )

        #expect(Self.texts(try Self.ask(table, expanded)) == ["\(expanded) A 10.0.0.2"])
    }

    @Test("A Service wins over an external host of its name; external hosts are merged")
    func conflicts() throws {
        let name = "reviews.default.svc.cluster.local"
        let table = DNSTable(hosts: [
            DNSHost(name: name, addresses: [Self.address("10.0.0.9")]),
            Self.service("reviews", "default", "10.214.0.7"),
            DNSHost(name: "two.test", addresses: [Self.address("10.0.0.1")]),
            DNSHost(name: "Two.test", addresses: [Self.address("10.0.0.1"), Self.address("10.0.0.2")]),
        ])

        #expect(Self.texts(try Self.ask(table, name)) == ["\(name) A 10.214.0.7"])
        #expect(Self.texts(try Self.ask(table, "two.test")) == ["two.test A 10.0.0.1", "two.test A 10.0.0.2"])
    }

    @Test("Short names are made for Services of the own cluster domain only")
    func foreignDomain() throws {
        let table = DNSTable(
            hosts: [
                DNSHost(
                    name: "reviews.default.svc.remote.test",
                    addresses: [Self.address("10.0.0.1")],
                    registry: .kubernetes(name: "reviews", namespace: "default")
                )
            ],
            viewpoint: DNSViewpoint(namespace: "default")
        )

        #expect(Self.texts(try Self.ask(table, "reviews.default")) == ["forward"])
        #expect(Self.texts(try Self.ask(table, "reviews")) == ["forward"])
    }

    @Test("Addresses take turns to be the first")
    func rotation() throws {
        let table = DNSTable(hosts: [
            DNSHost(name: "many.test", addresses: (1...3).map { Self.address("10.0.0.\($0)") })
        ])
        let question = DNSQuestion(name: try #require(DNSName("many.test")), type: .a)

        let firsts = (0..<3).compactMap { Self.texts(table.answer(question, rotation: $0)).first }

        #expect(firsts == (1...3).map { "many.test A 10.0.0.\($0)" })
        #expect(Self.texts(table.answer(question, rotation: .max)).count == 3)
    }

    @Test("Before the table has come, names of the cluster are neither there nor missing")
    func notReady() throws {
        let table = DNSTable.notReady()

        #expect(Self.texts(try Self.ask(table, "reviews.default.svc.cluster.local")) == ["SERVFAIL"])
        #expect(Self.texts(try Self.ask(table, "example.com")) == ["forward"])
    }

    /// As the server of a cluster sees it.
    private static let server = DNSTable(
        hosts: [
            service("reviews", "default", "10.214.0.7"),
            DNSHost(
                name: "db.default.svc.cluster.local",
                addresses: [address("10.213.1.1"), address("10.213.1.2")],
                registry: .kubernetes(name: "db", namespace: "default"),
                ports: [DNSHost.NamedPort(name: "mysql", port: 3306)],
                instances: ["db-0": address("10.213.1.1"), "db-1": address("10.213.1.2")]
            ),
            service("empty", "default"),
            DNSHost(
                name: "ext.default.svc.cluster.local",
                addresses: [],
                registry: .kubernetes(name: "ext", namespace: "default"),
                alias: "www.outside.test"
            ),
            DNSHost(name: "www.outside.test", addresses: [address("10.215.0.20")]),
        ],
        zones: ["cluster.local", "outside.test", "214.10.in-addr.arpa"]
    )

    @Test(
        "A cluster's own server owns its zones",
        arguments: [
            ("db.default.svc.cluster.local", DNSType.a, 2),
            ("_mysql._tcp.db.default.svc.cluster.local", .srv, 2),
            ("db-1.db.default.svc.cluster.local", .a, 1),
            ("ext.default.svc.cluster.local", .a, 2),
            ("ext.default.svc.cluster.local", .cname, 1),
            ("7.0.214.10.in-addr.arpa", .ptr, 1),
        ]
    )
    func serverRecords(_ name: String, _ type: DNSType, _ count: Int) throws {
        guard case .records(let records, _) = try Self.ask(Self.server, name, type) else {
            Issue.record("no records for \(name) \(type)")
            return
        }
        #expect(records.count == count)
    }

    @Test(
        "What is not in an own zone is said not to be there",
        arguments: [
            ("nothing.default.svc.cluster.local", "NXDOMAIN cluster.local"),
            // Nobody searches on a server: short names are none of its.
            ("reviews.default", "forward"),
            ("reviews.default.svc.cluster.local.default.svc.cluster.local", "NXDOMAIN cluster.local"),
            ("other.outside.test", "NXDOMAIN outside.test"),
            ("9.0.214.10.in-addr.arpa", "NXDOMAIN 214.10.in-addr.arpa"),
            // Names in between are there, without a record.
            ("default.svc.cluster.local", "NODATA cluster.local"),
            ("cluster.local", "NODATA cluster.local"),
            ("_tcp.db.default.svc.cluster.local", "NODATA cluster.local"),
            ("empty.default.svc.cluster.local", "NODATA cluster.local"),
            ("example.com", "forward"),
        ]
    )
    func zones(_ name: String, _ expected: String) throws {
        #expect(Self.texts(try Self.ask(Self.server, name)) == [expected])
    }

    @Test("Negative answers say for how long")
    func authority() throws {
        guard case .noName(let authority) = try Self.ask(Self.server, "no.cluster.local"),
            case .soa(let start) = authority.data
        else {
            Issue.record("no SOA")
            return
        }
        #expect(authority.ttl == DNSTable.negativeTTL && start.minimum == DNSTable.negativeTTL)
    }
}
