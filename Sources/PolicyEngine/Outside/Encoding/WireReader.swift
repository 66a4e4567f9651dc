/// Walks the fields of an encoded message, one level deep.
///
/// It ends at the first byte that cannot be read; ``isBroken`` tells that from the end of the message.
struct WireReader {
    enum Value: Equatable {
        /// Wire type 0.
        case number(UInt64)
        /// Wire type 1.
        case fixed64(UInt64)
        /// Wire type 2.
        case bytes(ArraySlice<UInt8>)
        /// Wire type 5.
        case fixed32(UInt32)
    }

    private var rest: ArraySlice<UInt8>
    private(set) var isBroken = false

    init(_ bytes: [UInt8]) { self.rest = bytes[...] }

    init(_ bytes: ArraySlice<UInt8>) { self.rest = bytes }

    mutating func next() -> (number: Int, value: Value)? {
        guard !self.rest.isEmpty, !self.isBroken else { return nil }
        if let tag = self.varint(), tag >> 3 > 0, tag >> 3 <= 536_870_911, let value = self.value(tag & 7) {
            return (Int(tag >> 3), value)
        }
        self.isBroken = true
        return nil
    }

    private mutating func value(_ wireType: UInt64) -> Value? {
        switch wireType {
        case 0: return self.varint().map(Value.number)
        case 1: return self.fixed(8).map(Value.fixed64)
        case 2:
            guard let count = self.varint(), count <= UInt64(self.rest.count) else { return nil }
            let bytes = self.rest.prefix(Int(count))
            self.rest = self.rest.dropFirst(Int(count))
            return .bytes(bytes)
        case 5: return self.fixed(4).map { .fixed32(UInt32(truncatingIfNeeded: $0)) }
        default: return nil
        }
    }

    /// 10 bytes at most; bits beyond 64 are lost, as in every decoder.
    private mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        for place in 0..<10 {
            guard let byte = self.rest.popFirst() else { return nil }
            value |= UInt64(byte & 0x7f) << UInt64(7 * place)
            if byte < 0x80 { return value }
        }
        return nil
    }

    private mutating func fixed(_ count: Int) -> UInt64? {
        guard self.rest.count >= count else { return nil }
        let value = self.rest.prefix(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
        self.rest = self.rest.dropFirst(count)
        return value
    }
}
