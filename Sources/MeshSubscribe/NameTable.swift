internal import Foundation
internal import MeshModel
internal import SwiftProtobuf
internal import XDSAPI

/// The name table as it came: shards in their encoded form, which is the smallest, and is what is stored.
///
/// What a response changes is worked out from the shards that differ; all others are not even decoded.
struct NameTable: Sendable {
    private typealias Message = Istio_Networking_Nds_V1_NameTable

    /// By name. A table that came as a whole is one shard without a name.
    private var shards: [String: Data] = [:]
    /// Whether the control plane sends shards.
    private var isSharded = false

    var isEmpty: Bool { self.shards.isEmpty }

    /// Takes a response.
    ///
    /// - Parameters:
    ///   - resources: shards, or the one whole table.
    ///   - isComplete: what is not among them is gone; a table without shards is always complete.
    ///   - errors: gets what is wrong; the good parts are taken.
    /// - Returns: the hosts that are not as they were.
    mutating func take(
        _ resources: [Google_Protobuf_Any],
        isComplete: Bool,
        _ errors: inout [String]
    ) -> NameTableUpdate {
        var received: [String: Data] = [:]
        if !resources.isEmpty { self.isSharded = false }
        for resource in resources {
            guard resource.typeURL == TypeURL.resource else {
                received["", default: Data()] += resource.value  // messages one behind the other are read as one
                continue
            }
            self.isSharded = true
            do {
                let shard = try Envoy_Service_Discovery_V3_Resource(unpackingAny: resource)
                received[shard.name] = shard.resource.value
            } catch {
                errors.append("a shard of the name table: cannot be read")
            }
        }
        var update = NameTableUpdate()
        // Without its name a shard that cannot be read may be any.
        if isComplete || !self.isSharded, errors.isEmpty {
            for name in self.shards.keys where received[name] == nil {
                update.append(self.replace(name, Data(), &errors))
            }
        }
        // What moves from one shard to another is first gone, then there.
        for (name, bytes) in received.sorted(by: { $0.key < $1.key }) {
            var change = self.replace(name, bytes, &errors)
            change.removed.subtract(update.changed.keys)
            update.append(change)
        }
        return update
    }

    private mutating func replace(_ name: String, _ bytes: Data, _ errors: inout [String]) -> NameTableUpdate {
        let old = self.shards[name] ?? Data()
        guard old != bytes else { return NameTableUpdate() }
        let what = name.isEmpty ? "the name table" : "shard \(name) of the name table"
        guard let new = try? Message(serializedBytes: bytes) else {  // what else is wrong cannot be told
            errors.append("\(what): is no valid NameTable")
            return NameTableUpdate()
        }
        var ignored: [String] = []
        // It was read before, when it came.
        let before = (try? Message(serializedBytes: old)).map { Self.entries($0, &ignored) } ?? [:]
        let after = Self.entries(new, &errors)
        self.shards[name] = bytes.isEmpty ? nil : Data(bytes)
        return NameTableUpdate(
            changed: after.filter { before[$0.key] != $0.value },
            removed: Set(before.keys).subtracting(after.keys)
        )
    }

    private static func entries(_ table: Message, _ errors: inout [String]) -> [String: NameTableEntry] {
        var instances: Set<String> = []
        var result: [String: NameTableEntry] = [:]
        for (name, info) in table.table { result[name] = self.entry(name, info, &errors) }
        for (name, info) in table.unaddressed { result[name] = self.entry(name, info, &errors) }
        for (name, info) in table.table {
            for label in info.instances {
                // It is told once: as a part of what it is an instance of.
                guard let own = result["\(label).\(name)"] else { continue }
                result[name]?.instances[label] = own.addresses
                instances.insert(own.name)
            }
        }
        return instances.isEmpty ? result : result.filter { !instances.contains($0.key) }
    }

    private static func entry(_ name: String, _ info: Message.NameInfo, _ errors: inout [String]) -> NameTableEntry {
        let addresses = info.ips.compactMap(IPAddress.init)
        if addresses.count != info.ips.count { errors.append("\(name): has an address that is none") }
        var entry = NameTableEntry(
            name: name,
            addresses: addresses,
            registry: info.registry,
            namespace: info.namespace,
            shortName: info.shortname
        )
        if !info.alias.isEmpty { entry.alias = info.alias }
        entry.ports = info.ports.compactMap { port in
            UInt16(exactly: port.port).map {
                NameTableEntry.NamedPort(
                    name: port.name,
                    transport: port.transport.isEmpty ? "tcp" : port.transport,
                    port: $0
                )
            }
        }
        return entry
    }

    /// As it came, to be stored.
    var stored: [Google_Protobuf_Any] {
        self.shards.sorted { $0.key < $1.key }.compactMap { name, bytes in
            let table = Google_Protobuf_Any.with {
                $0.typeURL = TypeURL.nameTable
                $0.value = bytes
            }
            if name.isEmpty { return table }
            let shard = Envoy_Service_Discovery_V3_Resource.with {
                $0.name = name
                $0.resource = table
            }
            // A shard that cannot be packed is not stored; names come again with the control plane.
            return try? Google_Protobuf_Any(message: shard)
        }
    }
}
