import MeshModel

/// Addresses within the ranges that people wrote down themselves.
///
/// A block that is wider than a whole range (`0.0.0.0/0`) claims nothing in it: the listener of one address is looked
/// for before that of a block, so that both work.
struct ReservedAddresses: Sendable {
    private var single: Set<IPAddress> = []
    private var blocks: [CIDR] = []

    init(_ written: [CIDR], in ranges: VirtualAddressRanges) {
        let ours = [ranges.allocatedV4, ranges.allocatedV6]
        for block in Set(written) {
            guard ours.contains(where: { $0.contains(block.network) && block.prefixLength >= $0.prefixLength }) else {
                continue
            }
            if block.isSingleAddress { self.single.insert(block.network) } else { self.blocks.append(block) }
        }
    }

    func contains(_ address: IPAddress) -> Bool {
        self.single.contains(address) || self.blocks.contains { $0.contains(address) }
    }
}
