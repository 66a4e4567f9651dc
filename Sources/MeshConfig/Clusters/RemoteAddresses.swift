import MeshModel

/// Addresses of services that other clusters alone have.
///
/// Clients here dial the address that the service has there: it is as good as any, as long as nothing here has it. Where
/// something has, the service gets one of a block of its own, found by its name, so that it stays the same.
struct RemoteAddresses {
    private let slots: AddressSlots
    private var taken: Set<IPAddress>

    /// How many addresses of the block are tried for one service.
    private static let triesMax = 1024

    /// - Parameters:
    ///   - services: addresses that services here have.
    ///   - pods: addresses that pods here have.
    ///   - block: where other addresses come from.
    init(services: [CIDR], pods: some Sequence<IPAddress>, block: CIDR) {
        self.slots = AddressSlots(block)
        self.taken = Set(services.lazy.filter(\.isSingleAddress).map(\.network)).union(pods)
    }

    /// The services with addresses that nobody else has, oldest first.
    func settled(_ services: [Service]) -> [Service] {
        var taken = self.taken
        let ordered = services.sorted {
            ($0.createdAt, $0.source.id, $0.cluster) < ($1.createdAt, $1.source.id, $1.cluster)
        }
        return ordered.map { service in
            var service = service
            if service.addresses.allSatisfy({ !$0.isSingleAddress || !taken.contains($0.network) }) {
                taken.formUnion(service.addresses.filter(\.isSingleAddress).map(\.network))
                return service
            }
            // A block in which so many addresses are taken is too small for the mesh.
            for slot in self.slots.slots(for: service.host.text).prefix(Self.triesMax) {
                let address = self.slots.address(slot)
                if taken.insert(address).inserted {
                    service.addresses = [CIDR(address)]
                    return service
                }
            }
            service.addresses = []
            return service
        }
    }
}
