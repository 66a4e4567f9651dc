/// Fields in protobuf's encoding, for messages that are written by the hundred thousand.
struct WireBytes {
    private(set) var bytes: [UInt8] = []

    var count: Int { self.bytes.count }

    mutating func removeAll() { self.bytes.removeAll(keepingCapacity: true) }

    mutating func varint(_ value: UInt64) {
        var value = value
        while value > 0x7F {
            self.bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        self.bytes.append(UInt8(truncatingIfNeeded: value))
    }

    /// Begins a field of so many bytes.
    mutating func open(_ number: UInt64, count: Int) {
        self.varint(number << 3 | 2)
        self.varint(UInt64(count))
    }

    /// Of a field with a number up to 15.
    static func fieldSize(_ value: UInt64) -> Int { 1 + max(1, (UInt64.bitWidth - value.leadingZeroBitCount + 6) / 7) }

    mutating func field(_ number: UInt64, varint value: UInt64) {
        self.varint(number << 3)
        self.varint(value)
    }

    mutating func field(_ number: UInt64, bytes: some Collection<UInt8>) {
        self.open(number, count: bytes.count)
        self.bytes.append(contentsOf: bytes)
    }

    mutating func append(littleEndian bits: UInt64) {
        withUnsafeBytes(of: bits.littleEndian) { self.bytes.append(contentsOf: $0) }
    }

    /// `sint32`.
    static func zigzag(_ value: Int32) -> UInt64 { UInt64(UInt32(bitPattern: value << 1 ^ value >> 31)) }
}
