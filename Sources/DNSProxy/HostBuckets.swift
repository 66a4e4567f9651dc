internal import DNSWire
internal import Glibc
internal import MeshModel

/// Hosts by name, found by the bytes of a name in lower case without allocating anything.
///
/// Hosts lie in small buckets by the hash of their name. A changed copy shares all buckets but those that were
/// touched: changing one host of 50,000 copies some hundred kilobytes of references and no host.
struct HostBuckets: Sendable {
    private struct Slot: BucketSlot {
        var hash: UInt32
        var entry: HostEntry
    }

    private var buckets = BucketPages<Slot>()

    var count: Int { self.buckets.count }

    /// The host of a name, in lower case and with the root's zero at its end.
    func find(_ name: UnsafeRawBufferPointer) -> HostEntry? {
        let hash = NameHash.of(name)
        let bucket = self.buckets.bucket(hash)
        for index in bucket.indices where bucket[index].hash == hash {
            let entry = bucket[index].entry
            if Self.equals(entry, name) { return entry }
        }
        return nil
    }

    /// Puts a host in the place of the one with its name, which is returned.
    mutating func insert(_ entry: HostEntry) -> HostEntry? {
        let hash = entry.name.wire.withUnsafeBytes { NameHash.of($0) }
        let old = self.buckets.change(hash) { bucket -> HostEntry? in
            guard let index = bucket.firstIndex(where: { $0.hash == hash && $0.entry.name == entry.name }) else {
                return nil
            }
            defer { bucket[index].entry = entry }
            return bucket[index].entry
        }
        if old == nil { self.buckets.append(Slot(hash: hash, entry: entry)) }
        return old
    }

    /// Takes a host out; `nil` if there is none of this name.
    mutating func remove(_ name: DNSName) -> HostEntry? {
        let hash = name.wire.withUnsafeBytes { NameHash.of($0) }
        return self.buckets.change(hash) { bucket in
            bucket.firstIndex { $0.hash == hash && $0.entry.name == name }.map { bucket.remove(at: $0).entry }
        }
    }

    /// Makes room at once for so many more hosts.
    mutating func reserve(_ more: Int) { self.buckets.reserve(more) }

    private static func equals(_ entry: HostEntry, _ name: UnsafeRawBufferPointer) -> Bool {
        entry.name.wire.withUnsafeBytes { own in
            guard own.count == name.count, let left = own.baseAddress, let right = name.baseAddress else {
                return false
            }
            return memcmp(left, right, own.count) == 0
        }
    }
}

/// The hash of a name's bytes in lower case.
///
/// Tables come from the control plane, so that nobody outside can choose names that fall into one bucket; the seed
/// differs from process to process all the same.
enum NameHash {
    private static let seed = UInt64.random(in: .min ... .max)
    private static let factor: UInt64 = 0x9e37_79b9_7f4a_7c15

    static func of(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        var state = Self.seed ^ UInt64(truncatingIfNeeded: bytes.count)
        var index = 0
        while index + 8 <= bytes.count {
            state = Self.mixed(state ^ bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            index += 8
        }
        var rest: UInt64 = 0
        while index < bytes.count {
            rest = rest << 8 | UInt64(bytes[index])
            index += 1
        }
        state = Self.mixed(state ^ rest)
        return UInt32(truncatingIfNeeded: state ^ state >> 32)
    }

    private static func mixed(_ value: UInt64) -> UInt64 {
        let product = value.multipliedFullWidth(by: Self.factor)
        return product.high ^ product.low
    }
}
