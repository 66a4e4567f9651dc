import KubernetesAPI
import MeshModel

/// Finds slices by service and by address, and pods by address, without going through all of them.
struct EndpointIndex: Sendable {
    private var slicesByService: [ObjectKey: Set<ObjectKey>] = [:]
    private var slicesByAddress: [IPAddress: Set<ObjectKey>] = [:]
    private var podsByAddress: [IPAddress: Set<ObjectKey>] = [:]

    /// Slices of a service, in order of their names.
    func slices(of service: ObjectKey) -> [ObjectKey] { (self.slicesByService[service] ?? []).sorted() }

    func slices(at address: IPAddress) -> Set<ObjectKey> { self.slicesByAddress[address] ?? [] }

    /// More than one where an address has been given away again, or where pods share their node's.
    func pods(at address: IPAddress) -> Set<ObjectKey> { self.podsByAddress[address] ?? [] }

    var podAddresses: some Collection<IPAddress> { self.podsByAddress.keys }

    mutating func replace(slice key: ObjectKey, old: SliceFacts?, new: SliceFacts?) {
        if let old {
            Self.remove(key, at: old.service, from: &self.slicesByService)
            for case .ip(let address) in old.entries.map(\.address) {
                Self.remove(key, at: address, from: &self.slicesByAddress)
            }
        }
        if let new {
            self.slicesByService[new.service, default: []].insert(key)
            for case .ip(let address) in new.entries.map(\.address) {
                self.slicesByAddress[address, default: []].insert(key)
            }
        }
    }

    mutating func replace(pod key: ObjectKey, old: IPAddress?, new: IPAddress?) {
        if let old { Self.remove(key, at: old, from: &self.podsByAddress) }
        if let new { self.podsByAddress[new, default: []].insert(key) }
    }

    private static func remove<Key: Hashable>(
        _ value: ObjectKey,
        at key: Key,
        from table: inout [Key: Set<ObjectKey>]
    ) {
        table[key]?.remove(value)
        if table[key]?.isEmpty == true { table[key] = nil }
    }
}
