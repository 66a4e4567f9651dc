/// Writes header blocks (RFC 7541).
///
/// A field enters the dynamic table when it is seen for the second time, so that what differs in every message never
/// pushes out what repeats. What enters the table is Huffman coded, once; other values are written as they are, for
/// inside a mesh processor time is dearer than a few bytes.
package struct HPACKEncoder {
    package private(set) var table = HPACKTable()
    private let huffman = HuffmanCode.standard
    /// By a part of the hash: number + 1 of the insertion that holds name and value; 0: none.
    private var places = [UInt32](repeating: 0, count: 256)
    /// Fields seen once, by hash; a newer one takes the place of an older one.
    private var seen = [UInt32](repeating: 0, count: 256)
    /// Told to the peer with the next block.
    private var pendingLimits: [Int] = []
    private var lowered: [UInt8] = []

    package init() {}

    /// The peer's SETTINGS_HEADER_TABLE_SIZE; a larger one than ours is not used.
    package mutating func peerLimit(_ limit: Int) {
        let limit = min(limit, HPACKTable.sizeMax)
        guard limit != self.pendingLimits.last ?? self.table.sizeLimit else { return }
        // RFC 7541 4.2: the smallest one in between has to be told, too.
        self.pendingLimits = self.pendingLimits.filter { $0 < limit }.suffix(1) + [limit]
        self.table.resize(to: min(limit, self.table.sizeLimit))
    }

    /// The room that a field needs at most.
    package static func room(_ nameCount: Int, _ valueCount: Int) -> Int { nameCount + valueCount + 16 }

    /// The room that `begin` needs at most.
    package static let beginRoom = 16

    /// Must come before the fields of each block.
    package mutating func begin(_ writer: inout ByteWriter) {
        guard !self.pendingLimits.isEmpty else { return }
        for limit in self.pendingLimits {
            self.table.resize(to: limit)
            Self.put(limit, prefix: 5, pattern: 0x20, to: &writer)
        }
        self.pendingLimits.removeAll()
    }

    /// Writes one field; the name may have letters of either case and is written in lower case.
    package mutating func put(
        _ name: UnsafeRawBufferPointer,
        _ value: UnsafeRawBufferPointer,
        to writer: inout ByteWriter
    ) {
        guard name.contains(where: { $0 &- 65 < 26 }) else {
            self.putLower(name, value, to: &writer)
            return
        }
        var lowered: [UInt8] = []
        swap(&lowered, &self.lowered)
        lowered.removeAll(keepingCapacity: true)
        for byte in name { lowered.append(Bytes.lowered(byte)) }
        lowered.withUnsafeBytes { self.putLower($0, value, to: &writer) }
        swap(&lowered, &self.lowered)
    }

    mutating func put(_ name: StaticString, _ value: UnsafeRawBufferPointer, to writer: inout ByteWriter) {
        self.putLower(
            UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount),
            value,
            to: &writer
        )
    }

    private mutating func putLower(
        _ name: UnsafeRawBufferPointer,
        _ value: UnsafeRawBufferPointer,
        to writer: inout ByteWriter
    ) {
        let nameHash = Self.hash(name, seed: 0x9E37_79B9_7F4A_7C15)
        let hash = Self.hash(value, seed: nameHash)
        let slot = Int(hash >> 56)
        if let index = self.dynamicIndex(slot, hash, name, value) {
            Self.put(index, prefix: 7, pattern: 0x80, to: &writer)
            return
        }
        let place = StaticNames.shared.find(nameHash, name, value)
        if place.isWhole {
            Self.put(place.index, prefix: 7, pattern: 0x80, to: &writer)
            return
        }
        if Self.isSecret(name, value) {
            // Never indexed, by nobody on the way (RFC 7541 7.1.3).
            self.putLiteral(place.index, prefix: 4, pattern: 0x10, name, value, usesHuffman: false, to: &writer)
            return
        }
        let mark = UInt32(truncatingIfNeeded: hash) | 1
        guard self.seen[slot] == mark, name.count + value.count + 32 <= self.table.sizeLimit / 4 else {
            self.seen[slot] = mark
            self.putLiteral(place.index, prefix: 4, pattern: 0, name, value, usesHuffman: false, to: &writer)
            return
        }
        self.putLiteral(place.index, prefix: 6, pattern: 0x40, name, value, usesHuffman: true, to: &writer)
        self.table.insert(name, value, hash: hash)
        self.places[slot] = UInt32(truncatingIfNeeded: self.table.insertions)
    }

    private func dynamicIndex(
        _ slot: Int,
        _ hash: UInt64,
        _ name: UnsafeRawBufferPointer,
        _ value: UnsafeRawBufferPointer
    ) -> Int? {
        let number = self.places[slot]
        guard number > 0 else { return nil }
        // The low bits are enough to tell how old it is; the table knows whether that is still there.
        let age = UInt32(truncatingIfNeeded: self.table.insertions) &- number
        guard let index = self.table.index(ofInsertion: self.table.insertions - Int(age) - 1),
            self.table.hash(at: index) == hash
        else { return nil }
        let isSame = self.table.withEntry(index) { entryName, entryValue in
            entryName.count == name.count && entryValue.count == value.count && Self.equal(entryName, name)
                && Self.equal(entryValue, value)
        }
        return isSame == true ? index : nil
    }

    private func putLiteral(
        _ index: Int,
        prefix: UInt8,
        pattern: UInt8,
        _ name: UnsafeRawBufferPointer,
        _ value: UnsafeRawBufferPointer,
        usesHuffman: Bool,
        to writer: inout ByteWriter
    ) {
        Self.put(index, prefix: prefix, pattern: pattern, to: &writer)
        if index == 0 { self.putString(name, usesHuffman, to: &writer) }
        self.putString(value, usesHuffman, to: &writer)
    }

    private func putString(_ bytes: UnsafeRawBufferPointer, _ usesHuffman: Bool, to writer: inout ByteWriter) {
        if usesHuffman {
            let count = self.huffman.encodedCount(bytes)
            if count < bytes.count {
                Self.put(count, prefix: 7, pattern: 0x80, to: &writer)
                self.huffman.encode(bytes, to: &writer)
                return
            }
        }
        Self.put(bytes.count, prefix: 7, pattern: 0, to: &writer)
        writer.put(bytes)
    }

    /// RFC 7541 5.1.
    private static func put(_ value: Int, prefix: UInt8, pattern: UInt8, to writer: inout ByteWriter) {
        let mask = 1 << Int(prefix) - 1
        if value < mask {
            writer.put(pattern | UInt8(truncatingIfNeeded: value))
            return
        }
        writer.put(pattern | UInt8(truncatingIfNeeded: mask))
        var rest = value - mask
        while rest >= 128 {
            writer.put(UInt8(truncatingIfNeeded: rest & 0x7F | 0x80))
            rest >>= 7
        }
        writer.put(UInt8(truncatingIfNeeded: rest))
    }

    /// Values that could be guessed byte by byte if they were compressed: credentials, and cookies that are short.
    private static func isSecret(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool {
        switch name.count {
        case 6: value.count < 20 && Bytes.equal(name, "cookie")
        case 13: Bytes.equal(name, "authorization")
        case 19: Bytes.equal(name, "proxy-authorization")
        default: false
        }
    }

    @inline(__always)
    static func equal(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        left.count == right.count && left.elementsEqual(right)
    }

    /// Eight bytes at a time; it only has to spread, every hit is compared.
    @inline(__always)
    static func hash(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
        var hash = seed ^ UInt64(truncatingIfNeeded: bytes.count) &* 0xFF51_AFD7_ED55_8CCD
        var index = 0
        while index &+ 8 <= bytes.count {
            hash = (hash ^ bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)) &* 0x9FB2_1C65_1E98_DF25
            hash ^= hash >> 32
            index &+= 8
        }
        var tail: UInt64 = 0
        while index < bytes.count {
            tail = tail << 8 | UInt64(bytes[index])
            index &+= 1
        }
        hash = (hash ^ tail) &* 0x9FB2_1C65_1E98_DF25
        return hash ^ hash >> 29
    }
}

/// Finds names in the static table.
struct StaticNames: Sendable {
    static let shared = StaticNames()

    /// By a part of the name's hash: first index of that name; 0: none. Names that fall together are in `others`.
    private var slots = [UInt8](repeating: 0, count: 512)

    private init() {
        for (index, entry) in HPACKTable.StaticEntries.all.enumerated() {
            let name = UnsafeRawBufferPointer(start: entry.name.utf8Start, count: entry.name.utf8CodeUnitCount)
            var slot = Self.slot(HPACKEncoder.hash(name, seed: 0x9E37_79B9_7F4A_7C15))
            while self.slots[slot] != 0, !Self.isNamed(Int(self.slots[slot]), name) { slot = (slot + 1) & 511 }
            if self.slots[slot] == 0 { self.slots[slot] = UInt8(index + 1) }
        }
    }

    private static func slot(_ hash: UInt64) -> Int { Int(hash >> 20 & 511) }

    private static func isNamed(_ index: Int, _ name: UnsafeRawBufferPointer) -> Bool {
        let entry = HPACKTable.StaticEntries.all[index - 1].name
        return HPACKEncoder.equal(UnsafeRawBufferPointer(start: entry.utf8Start, count: entry.utf8CodeUnitCount), name)
    }

    /// The entry with that name, best the one with that value; index 0: none.
    func find(
        _ hash: UInt64,
        _ name: UnsafeRawBufferPointer,
        _ value: UnsafeRawBufferPointer
    ) -> (index: Int, isWhole: Bool) {
        var slot = Self.slot(hash)
        while true {
            let first = Int(self.slots[slot])
            if first == 0 { return (0, false) }
            guard Self.isNamed(first, name) else {
                slot = (slot + 1) & 511
                continue
            }
            // Entries of one name follow each other.
            var index = first
            while index <= HPACKTable.staticCount, index == first || Self.isNamed(index, name) {
                let known = HPACKTable.StaticEntries.all[index - 1].value
                let bytes = UnsafeRawBufferPointer(start: known.utf8Start, count: known.utf8CodeUnitCount)
                if !bytes.isEmpty, HPACKEncoder.equal(bytes, value) { return (index, true) }
                index += 1
            }
            return (first, false)
        }
    }
}
