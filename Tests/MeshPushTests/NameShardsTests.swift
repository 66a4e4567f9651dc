import Foundation
import MeshPush
import MeshTestSupport
import SwiftProtobuf
import Testing
import XDSAPI

@Suite struct NameShardsTests {
    private typealias Table = Istio_Networking_Nds_V1_NameTable

    private static func table(_ count: Int) -> Table {
        var table = Table()
        for number in 0..<count {
            table.table["svc-\(number).ns-\(number % 500).svc.cluster.local"] = .with {
                $0.ips = ["10.\(64 + number >> 16).\(number >> 8 & 255).\(number & 255)"]
                $0.registry = "Kubernetes"
                $0.shortname = "svc-\(number)"
                $0.namespace = "ns-\(number % 500)"
                $0.ports = [.with { ($0.name, $0.port) = ("http", 8080) }]
            }
        }
        return table
    }

    @Test("Shards one behind the other are the whole table, as nodes read it that know no shards")
    func whole() throws {
        var table = Self.table(300)
        table.unaddressed["alias.default.svc.cluster.local"] = .with { $0.alias = "www.outside.test" }

        let shards = NameShards.encoded(table)

        #expect(shards.count > 100)
        #expect(try Table(serializedBytes: NameShards.whole(shards).bytes) == table)
    }

    @Test("An instance of a headless service is in the shard of its service")
    func instances() throws {
        var table = Table()
        for service in (0..<50).map({ "db-\($0).default.svc.cluster.local" }) {
            table.table[service] = .with {
                $0.ips = ["10.213.1.1"]
                $0.instances = ["pod-0"]
            }
            table.table["pod-0.\(service)"] = .with { $0.ips = ["10.213.1.1"] }
        }

        for shard in NameShards.encoded(table) {
            let part = try Table(serializedBytes: shard.bytes).table
            for (name, info) in part where !info.instances.isEmpty { #expect(part["pod-0.\(name)"] != nil) }
            #expect(part.count.isMultiple(of: 2))
        }
    }

    @Test("Shards that are brought up to date equal those made anew", arguments: 1...50)
    func updates(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var table = Table()
        var shards: [EncodedResource] = []
        for _ in 0..<20 {
            let host = "h\(random.number(1...40)).default.svc.cluster.local"
            for label in table.table[host]?.instances ?? [] { table.table["\(label).\(host)"] = nil }
            table.table[host] = nil
            table.unaddressed[host] = nil
            var part = Table()
            switch random.number(1...4) {
            case 1: ()
            case 2: part.unaddressed[host] = .with { $0.alias = "www.outside.test" }
            case 3: part.table[host] = .with { $0.ips = ["10.0.0.\(random.number(1...9))"] }
            default:
                let labels = (0..<random.number(1...3)).map { "pod-\($0)" }
                part.table[host] = .with {
                    $0.ips = ["10.1.0.1"]
                    $0.instances = labels
                }
                for label in labels { part.table["\(label).\(host)"] = .with { $0.ips = ["10.1.0.1"] } }
            }
            table.table.merge(part.table) { $1 }
            table.unaddressed.merge(part.unaddressed) { $1 }

            shards = NameShards.updated(shards, hosts: [host], with: part)
        }

        #expect(ResourceSet([.nameTable: shards]) == ResourceSet([.nameTable: NameShards.encoded(table)]))
    }

    @Test("Of 50,000 hosts a change of one sends less than one part in a hundred")
    func bytes() throws {
        let table = Self.table(50_000)
        let clock = ContinuousClock()
        var shards: [EncodedResource] = []
        let splitting = clock.measure { shards = NameShards.encoded(table) }
        var machine = SubscriptionMachine(
            resources: ResourceSet([.nameTable: shards]),
            version: "1",
            takesNameShards: true
        )
        let first = try #require(machine.requestReceived(.init(kind: .nameTable)).responses.first)
        _ = machine.requestReceived(.init(kind: .nameTable, nonce: first.nonce))
        let host = "svc-7.ns-7.svc.cluster.local"
        var part = Table()
        part.table[host] = table.table[host]
        part.table[host]?.ips = ["10.9.9.9"]

        var responses: [SubscriptionMachine.Response] = []
        let updating = clock.measure {
            let updated = NameShards.updated(shards, hosts: [host], with: part)
            responses = machine.resourcesChanged(ResourceSet([.nameTable: updated]), version: "2")
        }

        let all = first.resources.reduce(0) { $0 + $1.bytes.count }
        let sent = responses.flatMap(\.resources).reduce(0) { $0 + $1.bytes.count }
        print("50,000 hosts: \(all) bytes, split in \(splitting); one host: \(sent) bytes, found in \(updating)")
        #expect(responses.flatMap(\.resources).count == 1)
        #expect(sent * 100 < all)
    }
}

@Suite struct NameTableSubscriptionTests {
    @Test("A node that takes shards gets all at first, then those that changed, and an empty one for one that is gone")
    func shards() {
        var machine = SubscriptionMachine(
            resources: resources(names: ["a": "1", "b": "1"]),
            version: "1",
            takesNameShards: true
        )
        let first = machine.requestReceived(.init(kind: .nameTable)).responses
        _ = machine.requestReceived(.init(kind: .nameTable, nonce: first[0].nonce))

        let second = machine.resourcesChanged(resources(names: ["a": "2", "c": "1"]), version: "2")

        #expect(first[0].resources.map(\.name) == ["a", "b"])
        #expect(second.map(\.resources) == [[resource("a", "2"), resource("c", "1"), resource("b", "")]])
        _ = machine.requestReceived(.init(kind: .nameTable, nonce: second[0].nonce))
        #expect(machine.resourcesChanged(resources(names: ["a": "2", "c": "1"]), version: "3").isEmpty)
    }

    @Test("A node that takes shards is answered also if there is no name")
    func nothing() {
        var machine = SubscriptionMachine(takesNameShards: true)

        #expect(machine.requestReceived(.init(kind: .nameTable)).responses.map(\.resources) == [[]])
    }

    @Test("Any other node gets one table, and again one whole table when a name changes")
    func oneTable() {
        var machine = SubscriptionMachine(resources: resources(names: ["a": "1", "b": "1"]), version: "1")
        let first = machine.requestReceived(.init(kind: .nameTable)).responses
        _ = machine.requestReceived(.init(kind: .nameTable, nonce: first[0].nonce))

        let second = machine.resourcesChanged(resources(names: ["a": "2", "b": "1"]), version: "2")

        #expect(first.map(\.resources) == [[resource("nametable", "11")]])
        #expect(second.map(\.resources) == [[resource("nametable", "21")]])
    }
}
