import DNSProxy
import DNSWire
import MeshModel
import MeshTestSupport
import Testing

@Suite struct DNSTableUpdateTests {
    private static let viewpoint = DNSViewpoint(
        namespace: "ns1",
        search: ["ns1.svc.cluster.local", "svc.cluster.local"]
    )

    private static func name(_ number: Int) -> String {
        switch number % 5 {
        case 0: "svc\(number).ns1.svc.cluster.local"
        case 1: "svc\(number).ns2.svc.cluster.local"
        case 2: "*.wild\(number).test"
        default: "host\(number).test"
        }
    }

    /// A host whose kind depends on its number, and whose content on chance.
    private static func host(_ number: Int, _ random: inout SeededGenerator) -> DNSHost {
        let name = Self.name(number)
        let namespace = "ns\(number % 5 + 1)"
        // Few addresses, so that hosts share some.
        let addresses = (0..<random.number(0...3)).map { _ -> IPAddress in
            random.chance(1, outOf: 4)
                ? .v6(high: 1, low: UInt64(random.number(0...9))) : .v4(UInt32(random.number(1...40)))
        }
        guard number % 5 < 2 else { return DNSHost(name: name, addresses: addresses) }
        return DNSHost(
            name: name,
            addresses: addresses,
            registry: .kubernetes(name: "svc\(number)", namespace: namespace),
            ports: random.chance(1, outOf: 3) ? [DNSHost.NamedPort(name: "http", port: 80)] : [],
            instances: random.chance(1, outOf: 3) ? ["i-0": .v4(UInt32(random.number(1...40)))] : [:]
        )
    }

    /// Everything that may be asked about the hosts of these tests.
    private static let questions: [DNSQuestion] = {
        var names = (0..<40).flatMap { number -> [String] in
            let name = Self.name(number)
            let whole = name.hasPrefix("*") ? "x" + name.dropFirst() : name
            let short = name.split(separator: ".").prefix(2).joined(separator: ".")
            return [whole, whole + ".svc.cluster.local", short, "svc\(number)", "i-0." + whole, "_http._tcp." + whole]
        }
        names += (1...40).map { DNSTable.reverseName(of: .v4(UInt32($0))) }
        names += (0...9).map { DNSTable.reverseName(of: .v6(high: 1, low: UInt64($0))) }
        names += ["ns1.svc.cluster.local", "nothing.ns1.svc.cluster.local", "cluster.local", "0.0.in-addr.arpa"]
        return names.compactMap { DNSName($0) }.flatMap { name in
            [DNSType.a, .aaaa, .srv, .ptr].map { DNSQuestion(name: name, type: $0) }
        }
    }()

    @Test("However a table came to its hosts, it answers as one made of them at once", arguments: [UInt64](1...8))
    func sameAsWhole(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let zones = seed % 2 == 0 ? [] : ["cluster.local", "in-addr.arpa"]
        var hosts: [String: DNSHost] = [:]
        var table = DNSTable(hosts: [], viewpoint: Self.viewpoint, zones: zones)
        for _ in 0..<60 {
            let changed = (0..<random.number(0...3)).map { _ in Self.host(random.number(0...39), &random) }
            let removed = (0..<random.number(0...2)).map { _ in Self.name(random.number(0...39)) }
                .filter { name in !changed.contains { $0.name == name } }
            // Of two hosts of one name in a change, the tests want one.
            let unique = Dictionary(changed.map { ($0.name, $0) }) { $1 }
            for name in removed { hosts[name] = nil }
            hosts.merge(unique) { $1 }
            table = table.updating(changed: Array(unique.values), removed: removed)
        }

        let whole = DNSTable(hosts: Array(hosts.values), viewpoint: Self.viewpoint, zones: zones)

        #expect(table.count == whole.count)
        for question in Self.questions {
            #expect(table.answer(question, rotation: 5) == whole.answer(question, rotation: 5), "\(question)")
        }
    }

    @Test("An update leaves the table that it was made from as it was")
    func snapshots() {
        var random = SeededGenerator(seed: 1)
        let before = DNSTable(hosts: (0..<40).map { Self.host($0, &random) }, viewpoint: Self.viewpoint)
        let answers = Self.questions.map { before.answer($0) }

        let after = before.updating(
            changed: (0..<20).map { Self.host($0, &random) },
            removed: (20..<30).map(Self.name)
        )

        #expect(Self.questions.map { before.answer($0) } == answers)
        #expect(Self.questions.map { after.answer($0) } != answers)
    }

    @Test("An update makes a table ready")
    func ready() throws {
        let name = try #require(DNSName("db.test"))
        let table = DNSTable.notReady(clusterDomain: ".")
        #expect(table.answer(DNSQuestion(name: name, type: .a)) == .notReady)

        let updated = table.updating(changed: [DNSHost(name: "db.test", addresses: [.v4(1)])])

        #expect(updated.answer(DNSQuestion(name: name, type: .mx)) != .notReady)
        #expect(updated.answer(DNSQuestion(name: .root, type: .a)) == .unknown)
    }

    @Test("A table that waits may wait for fewer names; one that is there does not wait")
    func stopsWaiting() throws {
        let outside = DNSQuestion(name: try #require(DNSName("db.test")), type: .a)
        let inside = DNSQuestion(name: try #require(DNSName("db.default.svc.cluster.local")), type: .a)
        let table = DNSTable.notReady(clusterDomain: ".")

        let narrowed = try #require(table.waiting(below: "cluster.local"))

        #expect(table.answer(outside) == .notReady && table.answer(inside) == .notReady)
        #expect(narrowed.answer(outside) == .unknown && narrowed.answer(inside) == .notReady)
        #expect(DNSTable(hosts: []).waiting(below: "cluster.local") == nil)
    }

    @Test("Another viewpoint sees the same hosts by other short names, with another time")
    func viewpoint() throws {
        var random = SeededGenerator(seed: 1)
        let table = DNSTable(hosts: (0..<2).map { Self.host($0, &random) }, viewpoint: Self.viewpoint)
        let own = DNSQuestion(name: try #require(DNSName("svc0")), type: .mx)
        let other = DNSQuestion(name: try #require(DNSName("svc1")), type: .mx)
        #expect(table.answer(own) != .unknown && table.answer(other) == .unknown)

        let moved = table.seen(from: DNSViewpoint(namespace: "ns2", ttl: 7))

        #expect(moved.answer(own) == .unknown && moved.answer(other) != .unknown)
        let host = DNSHost(name: "db.test", addresses: [.v4(1)])
        let question = DNSQuestion(name: try #require(DNSName("db.test")), type: .a)
        guard case .records(let records, _) = moved.updating(changed: [host]).answer(question) else {
            Issue.record("no records")
            return
        }
        #expect(records.map(\.ttl) == [7])
    }
}

@Suite struct AddressOrderTests {
    @Test("Each address comes once, each is the first equally often, and neighbours change", arguments: 1...9)
    func orders(_ count: Int) {
        var firsts: [UInt32: Int] = [:]
        var orders: Set<[IPAddress]> = []
        let table = DNSTable(hosts: [DNSHost(name: "db.test", addresses: (1...UInt32(count)).map { .v4($0) })])
        let question = DNSQuestion(name: DNSName("db.test") ?? .root, type: .a)

        for rotation in 0..<UInt32(count * 40) {
            guard case .records(let records, _) = table.answer(question, rotation: rotation) else { return }
            let order = records.compactMap { record -> UInt32? in
                if case .a(let bits) = record.data { bits } else { nil }
            }
            #expect(order.sorted() == Array(1...UInt32(count)))
            firsts[order.first ?? 0, default: 0] += 1
            orders.insert(order.map { .v4($0) })
        }

        #expect(Set(firsts.values) == [40])
        #expect(orders.count >= (count < 3 ? count : 2 * count))
    }
}
