internal import DNSWire
internal import MeshModel

/// Which names an address leads back to. A changed copy shares what was not touched, as `HostBuckets` does.
struct AddressBuckets: Sendable {
    private struct Slot: BucketSlot {
        var address: IPAddress
        var entry: HostEntry
        /// The instance of the host that the address belongs to; -1: the host itself.
        var instance: Int32

        var hash: UInt32 { AddressBuckets.hash(self.address) }
    }

    private var buckets = BucketPages<Slot>()

    /// The name that an address leads to: one, as clients expect.
    ///
    /// Of several hosts with the address a Service comes before others, and then the last name by its letters: equal
    /// tables give equal answers, whatever the order of changes was.
    func name(of address: IPAddress) -> DNSName? {
        var best: Slot?
        for slot in self.buckets.bucket(Self.hash(address)) where slot.address == address {
            if best.map({ Self.comes(slot, before: $0) }) ?? true { best = slot }
        }
        guard let best else { return nil }
        if best.instance < 0 { return best.entry.name }
        return best.entry.name(below: best.entry.instances[Int(best.instance)].label)
    }

    private static func comes(_ left: Slot, before right: Slot) -> Bool {
        if left.entry !== right.entry {
            if left.entry.isKubernetes != right.entry.isKubernetes { return left.entry.isKubernetes }
            return right.entry.name.wire.lexicographicallyPrecedes(left.entry.name.wire)
        }
        // An instance's own name says more than that of its host.
        return left.instance >= 0 && (right.instance < 0 || left.instance < right.instance)
    }

    mutating func insert(_ entry: HostEntry) {
        for (address, instance) in entry.pointers {
            self.buckets.append(
                Slot(address: address, entry: entry, instance: Int32(truncatingIfNeeded: instance ?? -1))
            )
        }
    }

    mutating func remove(_ entry: HostEntry) {
        for (address, _) in entry.pointers {
            self.buckets.change(Self.hash(address)) { bucket in
                bucket.removeAll { $0.entry === entry && $0.address == address }
            }
        }
    }

    /// Makes room at once for so many more addresses.
    mutating func reserve(_ more: Int) { self.buckets.reserve(more) }

    private static func hash(_ address: IPAddress) -> UInt32 {
        let bits: UInt64 =
            switch address {
            case .v4(let bits): UInt64(bits)
            case .v6(let high, let low): high &* 31 ^ low
            }
        return UInt32(truncatingIfNeeded: (bits &* 0x9e37_79b9_7f4a_7c15) >> 32)
    }
}
