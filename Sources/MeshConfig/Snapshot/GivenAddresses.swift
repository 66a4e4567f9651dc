import MeshModel

/// Puts the addresses that the ledger gave into the services that have none.
///
/// The ledger may contradict itself for a moment, when two control planes write at once or somebody edits a status:
/// until that is settled, the older entry is right, and what people wrote comes before all.
struct GivenAddresses {
    private let ranges: VirtualAddressRanges
    private let reserved: ReservedAddresses
    private let claims: [ObjectID: AddressClaim]
    private var owners: [IPAddress: HostName] = [:]

    init(_ claims: [AddressClaim], services: [Service], ranges: VirtualAddressRanges) {
        self.ranges = ranges
        self.reserved = ReservedAddresses(services.flatMap(\.addresses), in: ranges)
        self.claims = Dictionary(claims.map { ($0.entry, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Services come oldest first.
    mutating func added(to services: [Service]) -> [Service] {
        services.map { service in
            guard !service.isKubernetes, let claim = self.claims[service.source.id], !claim.held.isEmpty else {
                return service
            }
            var service = service
            let addresses = claim.held.filter { $0.host == service.host && self.takes($0) }.map(\.address).sorted()
            if claim.wanting.contains(service.host) {
                service.addresses = addresses.map { CIDR($0) }
                service.hasGivenAddresses = !addresses.isEmpty
            } else {
                service.formerAddresses = addresses
            }
            return service
        }
    }

    private mutating func takes(_ grant: AddressGrant) -> Bool {
        guard self.ranges.allocates(grant.address), !self.reserved.contains(grant.address) else { return false }
        if let owner = self.owners[grant.address] { return owner == grant.host }
        self.owners[grant.address] = grant.host
        return true
    }
}
