import MeshModel
import MeshSubscribe
import SwiftProtobuf
import Testing
import XDSAPI

/// The name table in shards, as a proxy puts it together.
@Suite struct NameTableTests {
    private typealias Table = Istio_Networking_Nds_V1_NameTable
    private typealias Response = Envoy_Service_Discovery_V3_DiscoveryResponse

    private func table(_ hosts: [String: String]) -> Table {
        .with { table in
            for (host, ip) in hosts { table.table[host] = .with { $0.ips = [ip] } }
        }
    }

    private func response(_ version: Int, _ shards: [String: Table]) throws -> Response {
        try .with {
            $0.typeURL = ResourceKind.nameTable.typeURL
            $0.versionInfo = "\(version)"
            $0.nonce = "n\(version)"
            $0.resources = try shards.sorted { $0.key < $1.key }.map { name, table in
                let shard = try Envoy_Service_Discovery_V3_Resource.with {
                    $0.name = name
                    $0.resource = try Google_Protobuf_Any(message: table)
                }
                return try Google_Protobuf_Any(message: shard)
            }
        }
    }

    private func connected() -> Session {
        var session = Session()
        _ = session.connected()
        return session
    }

    @Test("The first response is the whole table, later ones change what they hold")
    func updates() throws {
        var session = self.connected()
        let first = session.received(
            try self.response(
                1,
                [
                    "0": self.table(["a.test": "10.0.0.1", "b.test": "10.0.0.2"]),
                    "1": self.table(["c.test": "10.0.0.3"]),
                ]
            )
        )
        let second = session.received(
            try self.response(2, ["0": self.table(["a.test": "10.0.0.9", "d.test": "10.0.0.4"])])
        )

        #expect(first.names?.changed.keys.sorted() == ["a.test", "b.test", "c.test"])
        #expect(first.names?.removed == [])
        #expect(second.names?.changed.keys.sorted() == ["a.test", "d.test"])
        #expect(second.names?.removed == ["b.test"])
        #expect(second.requests.map(\.version) == ["2"])
    }

    @Test("An empty shard takes its names away, one that did not change says nothing")
    func empty() throws {
        var session = self.connected()
        let shard = self.table(["a.test": "10.0.0.1"])
        _ = session.received(try self.response(1, ["0": shard, "1": self.table(["b.test": "10.0.0.1"])]))

        let actions = session.received(try self.response(2, ["0": shard, "1": Table()]))
        let nothing = session.received(try self.response(3, [:]))

        #expect(actions.names == NameTableUpdate(removed: ["b.test"]))
        #expect(nothing.names == nil)
    }

    @Test("On a new stream the first response says all: what is not in it is gone")
    func reconnect() throws {
        var session = self.connected()
        let shard = self.table(["a.test": "10.0.0.1"])
        _ = session.received(try self.response(1, ["0": shard, "1": self.table(["b.test": "10.0.0.1"])]))
        session.disconnected()
        _ = session.connected()

        let actions = session.received(try self.response(7, ["0": shard]))

        #expect(actions.names == NameTableUpdate(removed: ["b.test"]))
    }

    @Test("An empty first answer after a reconnect is doubted; what follows it is the whole table")
    func doubt() throws {
        var session = self.connected()
        _ = session.received(
            try self.response(1, ["0": self.table(["a.test": "10.0.0.1"]), "1": self.table(["b.test": "10.0.0.1"])])
        )
        session.disconnected()
        _ = session.connected()

        let empty = session.received(try self.response(7, [:]))
        let full = session.received(try self.response(8, ["1": self.table(["b.test": "10.0.0.1"])]))

        #expect(empty.names == nil)
        #expect(full.names == NameTableUpdate(removed: ["a.test"]))
    }

    @Test("An emptiness that lasts is believed")
    func lastingEmptiness() throws {
        var session = self.connected()
        _ = session.received(try self.response(1, ["0": self.table(["a.test": "10.0.0.1"])]))
        session.disconnected()
        _ = session.connected()
        _ = session.received(try self.response(7, [:]))

        #expect(session.emptinessLasted().names == NameTableUpdate(removed: ["a.test"]))
    }

    @Test("A mesh without names is known to have none")
    func noNames() throws {
        var session = self.connected()

        #expect(session.received(try self.response(1, [:])).names == NameTableUpdate())
        #expect(session.received(try self.response(2, [:])).names == nil)
    }

    @Test("A name that moves from one shard to another is never gone", arguments: [("0", "1"), ("1", "0")])
    func moves(_ from: String, _ to: String) throws {
        var session = self.connected()
        _ = session.received(try self.response(1, [from: self.table(["a.test": "10.0.0.1"])]))

        let actions = session.received(try self.response(2, [from: Table(), to: self.table(["a.test": "10.0.0.1"])]))

        #expect(actions.names?.removed == [])
    }

    @Test("A shard that cannot be read is refused by its name; it stays as it was, and the others are taken")
    func broken() throws {
        var session = self.connected()
        _ = session.received(try self.response(1, ["0": self.table(["a.test": "10.0.0.1"])]))
        var response = try self.response(2, ["1": self.table(["b.test": "10.0.0.2"])])
        let shard = Envoy_Service_Discovery_V3_Resource.with {
            $0.name = "0"
            $0.resource.typeURL = TypeURL.nameTable
            $0.resource.value = .init([0x0a, 0xff])
        }
        response.resources.append(try Google_Protobuf_Any(message: shard))

        let actions = session.received(response)

        #expect(actions.names?.changed.keys.sorted() == ["b.test"] && actions.names?.removed == [])
        #expect(actions.requests.first?.error?.contains("shard 0") == true)
    }

    @Test("A shard that is cut off anywhere, or has any bit turned, is read or refused, and the next good one is taken")
    func damaged() throws {
        var table = Table()
        table.table["db.default.svc.cluster.local"] = .with {
            $0.ips = ["10.0.0.1", "::1"]
            $0.registry = "Kubernetes"
            $0.instances = ["db-0"]
            $0.ports = [.with { ($0.name, $0.transport, $0.port) = ("mysql", "tcp", 3306) }]
        }
        table.table["db-0.db.default.svc.cluster.local"] = .with { $0.ips = ["10.0.0.1"] }
        table.unaddressed["www.default.svc.cluster.local"] = .with { $0.alias = "www.outside.test" }
        let good = try self.response(2, ["0": table])
        let bytes: [UInt8] = try good.resources[0].serializedBytes()
        var damaged = (0..<bytes.count).map { Array(bytes[..<$0]) }
        for index in bytes.indices {
            for bit in 0..<8 {
                var other = bytes
                other[index] ^= 1 << bit
                damaged.append(other)
            }
        }

        for bytes in damaged {
            // What is no Any at all does not get as far as the table.
            guard let resource = try? Google_Protobuf_Any(serializedBytes: bytes) else { continue }
            var session = self.connected()
            var bad = good
            bad.versionInfo = "1"
            bad.resources = [resource]
            let first = session.received(bad)
            #expect(first.requests.count == 1)

            #expect(session.received(good).requests.map(\.error) == [nil])
        }
    }

    @Test("A control plane that sends one table replaces the shards of one that did not, and the other way round")
    func forms() throws {
        var session = self.connected()
        _ = session.received(try self.response(1, ["0": self.table(["a.test": "10.0.0.1"])]))
        var whole = Response.with {
            $0.typeURL = ResourceKind.nameTable.typeURL
            $0.versionInfo = "2"
        }
        whole.resources = [try Google_Protobuf_Any(message: self.table(["b.test": "10.0.0.1"]))]

        #expect(session.received(whole).names?.removed == ["a.test"])
        whole.resources = [try Google_Protobuf_Any(message: self.table(["c.test": "10.0.0.1"]))]
        #expect(session.received(whole).names?.removed == ["b.test"])
        session.disconnected()
        _ = session.connected()
        #expect(
            session.received(try self.response(3, ["0": self.table(["a.test": "10.0.0.1"])])).names?.removed
                == ["c.test"]
        )
    }

    @Test("Ports, aliases and instances are read; an instance is a part of its service")
    func contents() throws {
        var session = self.connected()
        var table = Table()
        table.table["db.default.svc.cluster.local"] = .with {
            $0.ips = ["10.0.0.1", "10.0.0.2"]
            $0.registry = "Kubernetes"
            $0.instances = ["db-0"]
            $0.ports = [
                .with { ($0.name, $0.port) = ("mysql", 3306) },
                .with { ($0.name, $0.transport, $0.port) = ("gossip", "udp", 7000) },
            ]
        }
        table.table["db-0.db.default.svc.cluster.local"] = .with { $0.ips = ["10.0.0.1"] }
        table.unaddressed["www.default.svc.cluster.local"] = .with { $0.alias = "www.outside.test" }

        let names = try #require(session.received(try self.response(1, ["0": table])).names)

        #expect(names.changed.count == 2)
        let service = try #require(names.changed["db.default.svc.cluster.local"])
        #expect(service.instances == ["db-0": [.v4(0x0a00_0001)]])
        #expect(service.ports.map { "\($0.name) \($0.transport) \($0.port)" } == ["mysql tcp 3306", "gossip udp 7000"])
        #expect(names.changed["www.default.svc.cluster.local"]?.alias == "www.outside.test")
    }

    @Test("What is stored is what came, in shards")
    func stored() throws {
        var session = self.connected()
        _ = session.received(try self.response(1, ["0": self.table(["a.test": "10.0.0.1"])]))
        let listeners = try Response.with {
            $0.typeURL = ResourceKind.listeners.typeURL
            $0.resources = [
                try Google_Protobuf_Any(message: Messages.listener("t", port: 1, Messages.tcpFilter("a")))
            ]
        }
        _ = session.received(listeners)

        var other = Session()
        let restored = other.restore(session.lastGood)
        _ = other.connected()
        let next = other.received(try self.response(1, ["0": self.table(["a.test": "10.0.0.1"])]))

        #expect(restored.names?.changed.keys.sorted() == ["a.test"])
        #expect(next.names == nil)
    }

    @Test("Updates that wait are put together")
    func appending() {
        func entry(_ name: String, _ bits: UInt32) -> NameTableEntry {
            NameTableEntry(name: name, addresses: [.v4(bits)], registry: "", namespace: "", shortName: "")
        }
        var update = NameTableUpdate(changed: ["a": entry("a", 1), "b": entry("b", 1)], removed: ["c"])

        update.append(NameTableUpdate(changed: ["c": entry("c", 2), "a": entry("a", 2)], removed: ["b"]))

        #expect(update.changed == ["a": entry("a", 2), "c": entry("c", 2)])
        #expect(update.removed == ["b"])
    }

    @Test("Of 50,000 hosts in shards only the one that changed is passed on")
    func large() throws {
        var session = self.connected()
        var shards = [Table](repeating: Table(), count: 256)
        for number in 0..<50_000 {
            shards[number % 256].table["svc-\(number).ns-\(number % 500).svc.cluster.local"] = .with {
                $0.ips = ["10.\(64 + number >> 16).\(number >> 8 & 255).\(number & 255)"]
                $0.registry = "Kubernetes"
                $0.shortname = "svc-\(number)"
                $0.namespace = "ns-\(number % 500)"
                $0.ports = [.with { ($0.name, $0.port) = ("http", 8080) }]
            }
        }
        let all = Dictionary(uniqueKeysWithValues: shards.enumerated().map { ("\($0.offset)", $0.element) })
        let full = try self.response(1, all)
        shards[7].table["svc-7.ns-7.svc.cluster.local"]?.ips = ["10.9.9.9"]
        let change = try self.response(2, ["7": shards[7]])
        let clock = ContinuousClock()

        var first: NameTableUpdate?
        let taking = clock.measure { first = session.received(full).names }
        var second: NameTableUpdate?
        let updating = clock.measure { second = session.received(change).names }

        print("50,000 hosts taken in \(taking), one of them updated in \(updating)")
        #expect(first?.changed.count == 50_000)
        #expect(second?.changed.keys.sorted() == ["svc-7.ns-7.svc.cluster.local"] && second?.removed == [])
    }
}
