import DNSProxy
import DNSWire
import MeshModel
import MeshTestSupport
import NIOCore
import Testing

/// Answers from bytes to bytes must be those that the event loop would give.
@Suite struct QuickAnswererTests {
    private static let search = ["ns1.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp.test"]

    private static func service(_ name: String, _ namespace: String, _ addresses: [IPAddress]) -> DNSHost {
        DNSHost(
            name: "\(name).\(namespace).svc.cluster.local",
            addresses: addresses,
            registry: .kubernetes(name: name, namespace: namespace),
            ports: [DNSHost.NamedPort(name: "http", port: 80)],
            instances: name == "db" ? ["db-0": .v4(77)] : [:]
        )
    }

    private static let table = DNSTable(
        hosts: [
            Self.service("reviews", "ns1", [.v4(1)]),
            Self.service("details", "ns2", [.v4(2), .v4(3), .v6(high: 1, low: 2)]),
            Self.service("db", "ns1", [.v4(77)]),
            Self.service("empty", "ns1", []),
            Self.service("many", "ns1", (0..<60).map { .v4($0) } + (0..<60).map { .v6(high: 9, low: $0) }),
            DNSHost(name: "mysqldb.outside.test", addresses: [.v4(4)]),
            DNSHost(name: "six.outside.test", addresses: [.v6(high: 3, low: 4), .v6(high: 3, low: 5)]),
            DNSHost(name: "*.wild.test", addresses: [.v4(5)]),
            DNSHost(name: "alias.test", addresses: [], alias: "mysqldb.outside.test"),
            DNSHost(name: "local.cluster.local.cluster.local", addresses: [.v4(6)]),
            DNSHost(name: "x.corp.test", addresses: [.v4(7)]),
            DNSHost(name: String(repeating: "long-label-of-30-characters-xy.", count: 7) + "test", addresses: [.v4(8)]),
        ],
        viewpoint: DNSViewpoint(namespace: "ns1", search: Self.search)
    )

    private static let names = [
        "reviews.ns1.svc.cluster.local", "details.ns2.svc.cluster.local", "db.ns1.svc.cluster.local",
        "db-0.db.ns1.svc.cluster.local", "_http._tcp.db.ns1.svc.cluster.local", "empty.ns1.svc.cluster.local",
        "many.ns1.svc.cluster.local", "many.ns1.svc", "many", "reviews", "reviews.ns1", "details.ns2.svc", "details",
        "mysqldb.outside.test", "six.outside.test", "a.wild.test", "b.a.wild.test", "wild.test", "alias.test",
        "local.cluster.local.cluster.local", "x.corp.test", "nothing.test", "1.0.0.0.in-addr.arpa", ".",
        String(repeating: "long-label-of-30-characters-xy.", count: 7) + "test",
        String(repeating: "a.", count: 60) + "test",
    ]

    private static let types: [DNSType] = [.a, .aaaa, .a, .aaaa, .https, .srv, .any, .cname, .mx, .ptr, .soa, .txt]

    /// What the event loop says to a datagram; `nil`: nothing.
    private static func general(_ bytes: [UInt8], _ rotation: UInt32) -> [UInt8]? {
        var found: [UInt8]?
        let core = AnsweringCore(
            table: Self.table,
            recentNames: nil,
            nextRotation: { rotation },
            forward: { _, done in done(.failed) }
        )
        core.handle(ByteBuffer(bytes: bytes), .udp(from: nil)) { found = Array($0.readableBytesView) }
        return found
    }

    /// A query in which anything may be unusual, and rarely wrong.
    private static func query(_ random: inout SeededGenerator) -> [UInt8] {
        var name = Self.names[random.number(0...Self.names.count - 1)]
        if random.chance(1, outOf: 3), name != "." {
            name += "." + Self.search[random.number(0...Self.search.count - 1)]
        }
        var wire = (DNSName(name) ?? .root).wire
        for index in wire.indices where random.chance(1, outOf: 4) && (97...122).contains(wire[index]) {
            wire[index] -= 32
        }
        let hasEDNS = random.chance(1, outOf: 2)
        var bytes = random.bytes(count: 2)
        // RD, AD and CD in most, anything in some.
        bytes +=
            random.chance(1, outOf: 10)
            ? random.bytes(count: 2) : [UInt8(random.number(0...1)), random.chance(1, outOf: 3) ? 0x30 : 0]
        bytes += [0, random.chance(1, outOf: 30) ? UInt8(random.number(0...2)) : 1, 0, 0, 0, 0, 0, hasEDNS ? 1 : 0]
        let type = Self.types[random.number(0...Self.types.count - 1)].rawValue
        bytes += wire + [UInt8(type >> 8), UInt8(type & 255), 0, random.chance(1, outOf: 30) ? 3 : 1]
        if hasEDNS {
            let payload = UInt16([0, 511, 512, 600, 1232, 1400, 4096, 5000, 65_535][random.number(0...8)])
            let options: [UInt8] = random.chance(1, outOf: 3) ? [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8] : []
            bytes += [0, 0, 41, UInt8(payload >> 8), UInt8(payload & 255), 0]
            bytes += [
                random.chance(1, outOf: 30) ? 1 : 0, random.chance(1, outOf: 2) ? 0x80 : 0, 0, 0, UInt8(options.count),
            ]
            bytes += options
        }
        if random.chance(1, outOf: 8) {
            // One thing is wrong.
            switch random.number(0...3) {
            case 0: bytes.removeLast(random.number(1...bytes.count))
            case 1: bytes += random.bytes(count: random.number(1...20))
            case 2: bytes[random.number(0...bytes.count - 1)] = random.bytes(count: 1)[0]
            default: bytes[random.number(2...11)] ^= 1 << UInt8(random.number(0...7))
            }
        }
        return bytes
    }

    @Test("Byte for byte the same as the event loop's answers", arguments: [UInt64](1...20))
    func sameAsGeneral(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let answerer = QuickAnswerer()
        var answered = 0
        for _ in 0..<2000 {
            let bytes = Self.query(&random)
            let rotation = UInt32(truncatingIfNeeded: random.next())
            guard let quick = answerer.answer(bytes, from: Self.table, rotation: rotation) else { continue }
            answered += 1
            let general = Self.general(bytes, rotation)
            #expect(quick == general, "query \(bytes)\nquick \(quick)\ngeneral \(general ?? [])")
        }
        // It is there for what most clients ask.
        #expect(answered > 600)
    }

    @Test(
        "Addresses and their absence are answered here, and anything else is left to others",
        arguments: [
            ("reviews.ns1.svc.cluster.local", DNSType.a, true),
            ("REVIEWS", .aaaa, true),
            ("reviews.ns1.svc.cluster.local.ns1.svc.cluster.local", .a, true),
            ("mysqldb.outside.test.cluster.local", .https, true),
            ("reviews", .any, false),
            ("a.wild.test", .a, false),
            ("alias.test", .a, false),
            ("db-0.db.ns1.svc.cluster.local", .a, false),
            ("nothing.test", .a, false),
        ]
    )
    func scope(_ name: String, _ type: DNSType, _ isHere: Bool) throws {
        let question = DNSQuestion(name: try #require(DNSName(name)), type: type)
        var buffer = ByteBuffer()
        DNSMessage(header: DNSHeader(id: 1, flags: 0x0100), questions: [question]).encode(into: &buffer, limit: 512)

        let answer = QuickAnswerer().answer(Array(buffer.readableBytesView), from: Self.table, rotation: 0)

        #expect((answer != nil) == isHere)
    }

    @Test("No bytes make it trap or write too much", arguments: [UInt64](1...5))
    func hostile(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let answerer = QuickAnswerer()
        for _ in 0..<2000 {
            var bytes = Self.query(&random)
            for _ in 0..<random.number(0...4) where !bytes.isEmpty {
                bytes[random.number(0...bytes.count - 1)] = random.bytes(count: 1)[0]
            }
            let answer = answerer.answer(bytes, from: Self.table, rotation: 1)
            #expect(
                answer.map { $0.count <= QuickAnswerer.datagramMax && (try? DNSMessage(decoding: $0)) != nil } ?? true
            )
        }
    }
}
