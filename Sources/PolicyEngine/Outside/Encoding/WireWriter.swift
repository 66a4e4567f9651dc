/// Writes fields of a message (protobuf's binary form).
struct WireWriter {
    private(set) var bytes: [UInt8] = []

    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            self.bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        self.bytes.append(UInt8(rest))
    }

    mutating func tag(_ number: Int, _ wireType: UInt64) { self.varint(UInt64(number) << 3 | wireType) }

    /// A text, a message or whatever else has a length.
    mutating func field(_ number: Int, _ content: some Collection<UInt8>) {
        self.tag(number, 2)
        self.varint(UInt64(content.count))
        self.bytes += content
    }

    /// A text that is left out if it is empty.
    mutating func text(_ number: Int, _ text: String) {
        if !text.isEmpty { self.field(number, text.utf8) }
    }

    /// What is encoded already, tag and all.
    mutating func raw(_ encoded: some Collection<UInt8>) { self.bytes += encoded }

    mutating func little(_ value: UInt64, count: Int) {
        for place in 0..<count { self.bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * place))) }
    }
}
