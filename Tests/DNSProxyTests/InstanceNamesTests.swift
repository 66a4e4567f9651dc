import DNSProxy
import DNSWire
import MeshModel
import Testing

/// Names of single instances of a headless service.
@Suite struct InstanceNamesTests {
    private static let table = DNSTable(
        hosts: [
            DNSHost(
                name: "db.shop.svc.cluster.local",
                addresses: [.v4(0x0a00_0001), .v4(0x0a00_0002)],
                registry: .kubernetes(name: "db", namespace: "shop"),
                ports: [.init(name: "mysql", port: 3306)],
                instances: ["db-0": .v4(0x0a00_0001), "db-1": .v4(0x0a00_0002)]
            ),
            DNSHost(name: "db.outside.test", addresses: [.v4(1)], instances: ["db-0": .v4(2)]),
        ],
        viewpoint: DNSViewpoint(namespace: "shop", search: ["shop.svc.cluster.local", "svc.cluster.local"], ttl: 7)
    )

    private func answer(_ name: String, _ type: DNSType = .a) throws -> DNSTable.Answer {
        Self.table.answer(DNSQuestion(name: try #require(DNSName(name)), type: type))
    }

    @Test(
        "An instance is known by the short names of its service with its own label before them, in any case",
        arguments: ["db-0.db", "DB-0.db.Shop", "db-0.db.shop.svc", "db-0.db.shop.svc.cluster.local"]
    )
    func shortNames(_ name: String) throws {
        guard case .records(let records, _) = try self.answer(name) else {
            Issue.record("\(name) is not known")
            return
        }
        #expect(records.map(\.data) == [.a(0x0a00_0001)])
        #expect(records.map(\.ttl) == [7])
        #expect(records.first?.name == DNSName(name))
        guard case .noData = try self.answer(name, .aaaa) else {
            Issue.record("\(name) has no AAAA, and that is no error")
            return
        }
    }

    @Test("With a search domain behind it the answer is an alias to its whole name")
    func expanded() throws {
        guard case .records(let records, let host) = try self.answer("db-1.db.shop.svc.cluster.local.svc.cluster.local")
        else {
            Issue.record("not known")
            return
        }
        let whole = try #require(DNSName("db-1.db.shop.svc.cluster.local"))
        #expect(records.map(\.data) == [.cname(whole), .a(0x0a00_0002)] && host == whole)
    }

    @Test(
        "No instance, no short name: other namespaces, other labels, services, hosts from outside",
        arguments: [
            "db-2.db", "db-0.db.other", "db-0.db.shop.sv", "db-0.db.outside", "db-0", "a.db-0.db", "_mysql._tcp.db",
        ]
    )
    func strangers(_ name: String) throws {
        #expect(try self.answer(name) == .unknown)
    }
}
