import MeshModel

/// Addresses of services that other clusters alone have.
///
/// Clients here dial the address that the service has there: it is as good as any, as long as nothing here has it. Where
/// something has, the service gets one of a block of its own, found by its name, so that it stays the same.
struct RemoteAddresses {
    /// 240.242.0.0/16, beside the blocks of ServiceEntries and of names under wildcards.
    private static let first: UInt32 = 0xF0F2_0000
    private static let count: UInt32 = 0xFFFE

    private var taken: Set<IPAddress>

    init(taken: [CIDR]) { self.taken = Set(taken.filter(\.isSingleAddress).map(\.network)) }

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
            var slot = service.host.text.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
            // So many services that all addresses are taken do not fit into a mesh.
            for _ in 0..<1024 {
                let address = IPAddress.v4(Self.first + 1 + slot % Self.count)
                if taken.insert(address).inserted {
                    service.addresses = [CIDR(address)]
                    return service
                }
                slot &+= 1
            }
            service.addresses = []
            return service
        }
    }
}
