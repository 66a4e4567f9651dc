import KubernetesAPI
import MeshModel

/// Finds slices by service and by address, pods by address, and pods and services by revision, without going through all
/// of them.
struct EndpointIndex: Sendable {
    private var slicesByService: [ObjectKey: Set<ObjectKey>] = [:]
    private var slicesByAddress: [IPAddress: Set<ObjectKey>] = [:]
    private var podsByAddress: [IPAddress: Set<ObjectKey>] = [:]
    private var podsByRevision: [ObjectID: Set<ObjectKey>] = [:]
    /// Those whose callers ask pods themselves.
    private var servicesByRevision: [ObjectID: Set<ObjectKey>] = [:]

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

    /// Pods of a revision that say so themselves, in order of their names.
    func pods(of revision: ObjectID) -> [ObjectKey] { (self.podsByRevision[revision] ?? []).sorted() }

    /// Services of a revision whose callers ask pods themselves.
    func services(of revision: ObjectID) -> Set<ObjectKey> { self.servicesByRevision[revision] ?? [] }

    mutating func replace(pod key: ObjectKey, old: Workload?, new: Workload?) {
        if let old { Self.remove(key, at: old.address, from: &self.podsByAddress) }
        if let new { self.podsByAddress[new.address, default: []].insert(key) }
        if let revision = old?.activation?.revision { Self.remove(key, at: revision, from: &self.podsByRevision) }
        if let revision = new?.activation?.revision { self.podsByRevision[revision, default: []].insert(key) }
    }

    mutating func replace(service key: ObjectKey, old: RevisionActivation?, new: RevisionActivation?) {
        if let old { Self.remove(key, at: old.revision, from: &self.servicesByRevision) }
        if let new, new.asksPods { self.servicesByRevision[new.revision, default: []].insert(key) }
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
