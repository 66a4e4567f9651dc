import Foundation
import SwiftProtobuf
package import XDSAPI

/// Cuts the name table into shards by a hash of the host, so that a change of one host sends few others along.
///
/// The number of shards and the hash may change from one version to another: a proxy goes by the shards' names, and
/// the first response on a stream holds all of them. With 50,000 hosts a shard has some 200 of them, 0.4 % of all.
package enum NameShards {
    package typealias Table = Istio_Networking_Nds_V1_NameTable

    package static let count = 256

    /// `nametable/7f`
    static func name(_ index: Int) -> String {
        (index < 16 ? "nametable/0" : "nametable/") + String(index, radix: 16)
    }

    /// FNV-1a with 64 bits, as it is the same in every process.
    static func index(of host: String) -> Int {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in host.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        return Int(hash % UInt64(Self.count))
    }

    /// The shards that have a name in them.
    package static func encoded(_ table: Table) -> [EncodedResource] {
        self.split(table).map { EncodedResource(self.name($0.key), $0.value) }
    }

    /// An instance of a headless service is where the service is: readers need both at once.
    private static func split(_ table: Table) -> [Int: Table] {
        var shards: [Int: Table] = [:]
        var placed: Set<String> = []
        for (host, info) in table.table where !info.instances.isEmpty {
            let index = self.index(of: host)
            for label in info.instances {
                let name = "\(label).\(host)"
                guard let own = table.table[name] else { continue }
                shards[index, default: Table()].table[name] = own
                placed.insert(name)
            }
        }
        for (host, info) in table.table where !placed.contains(host) {
            shards[self.index(of: host), default: Table()].table[host] = info
        }
        for (host, info) in table.unaddressed {
            shards[self.index(of: host), default: Table()].unaddressed[host] = info
        }
        return shards
    }

    /// The shards after a change of single hosts.
    ///
    /// - Parameters:
    ///   - shards: as they were.
    ///   - hosts: which have changed or gone; with them go their instances.
    ///   - table: what there is of them now.
    /// - Returns: all shards that have a name in them.
    package static func updated(_ shards: [EncodedResource], hosts: Set<String>, with table: Table) -> [EncodedResource]
    {
        var byName = Dictionary(shards.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let added = self.split(table)
        for index in Set(hosts.map(self.index)).union(added.keys) {
            let name = self.name(index)
            var shard = byName[name].map { self.decoded($0.bytes) } ?? Table()
            for host in hosts where self.index(of: host) == index {
                for label in shard.table[host]?.instances ?? [] { shard.table["\(label).\(host)"] = nil }
                shard.table[host] = nil
                shard.unaddressed[host] = nil
            }
            if let new = added[index] {
                shard.table.merge(new.table) { $1 }
                shard.unaddressed.merge(new.unaddressed) { $1 }
            }
            byName[name] = shard == Table() ? nil : EncodedResource(name, shard)
        }
        return Array(byName.values)
    }

    private static func decoded(_ bytes: Data) -> Table {
        do { return try Table(serializedBytes: bytes) } catch {
            preconditionFailure("a shard that we encoded cannot be decoded: \(error)")
        }
    }

    /// One table, for nodes that know no shards: messages one behind the other are read as one (proto3's maps merge).
    package static func whole(_ shards: [EncodedResource]) -> EncodedResource {
        EncodedResource(name: "nametable", bytes: shards.reduce(into: Data()) { $0 += $1.bytes })
    }

    /// A shard as it goes over the wire: with its name, so that it replaces the one before it, and an empty one says
    /// that nothing is left there. The version tells contents apart.
    static func wrapped(_ shard: EncodedResource) -> Google_Protobuf_Any {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in shard.bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        let resource = Envoy_Service_Discovery_V3_Resource.with {
            $0.name = shard.name
            $0.version = String(hash, radix: 16)
            $0.resource.typeURL = ResourceKind.nameTable.typeURL
            $0.resource.value = shard.bytes
        }
        return .with {
            $0.typeURL = TypeURL.resource
            $0.value = EncodedResource(shard.name, resource).bytes
        }
    }
}
