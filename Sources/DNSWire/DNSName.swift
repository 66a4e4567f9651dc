/// A domain name in its uncompressed wire form, with the case it came in.
///
/// Equality and hashing ignore the case of ASCII letters (RFC 4343), while the bytes keep it: a question is echoed
/// exactly as it was asked (facts #4).
package struct DNSName: Hashable, Sendable, CustomStringConvertible {
    /// Labels with their length bytes, and the root's zero at the end: 1 to 255 bytes (RFC 1035 section 2.3.4).
    ///
    /// No length byte is over 63, so none of them looks like a letter: folding the case of all bytes is safe.
    package let wire: [UInt8]

    /// The name of the root: no label at all.
    package static let root = DNSName(unchecked: [0])

    package static let wireLengthMax = 255
    package static let labelLengthMax = 63

    /// - Parameter wire: a name that the caller knows to be well-formed.
    init(unchecked wire: [UInt8]) {
        self.wire = wire
    }

    /// Reads text with or without the root's dot; `nil` if a label or the whole is empty or too long.
    ///
    /// Any byte but the dot and the backslash may be part of a label.
    package init?(_ text: some StringProtocol) {
        if text == "." {
            self = .root
            return
        }
        var wire: [UInt8] = []
        wire.reserveCapacity(text.utf8.count + 2)
        var start = 0
        wire.append(0)
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\\") { return nil }
            if byte == UInt8(ascii: ".") {
                guard let length = Self.labelLength(wire.count - start - 1) else { return nil }
                wire[start] = length
                start = wire.count
                wire.append(0)
            } else {
                wire.append(byte)
            }
            guard wire.count <= Self.wireLengthMax else { return nil }
        }
        // Without the trailing dot the last label is still open; with it, its zero is the root's.
        if wire.count - start > 1 {
            guard let length = Self.labelLength(wire.count - start - 1) else { return nil }
            wire[start] = length
            wire.append(0)
        }
        guard wire.count <= Self.wireLengthMax, wire.count > 1 else { return nil }
        self.wire = wire
    }

    private static func labelLength(_ count: Int) -> UInt8? {
        (1...Self.labelLengthMax).contains(count) ? UInt8(count) : nil
    }

    package var isRoot: Bool { self.wire.count == 1 }

    /// Whether the first label is `*`.
    package var isWildcard: Bool { self.wire.count > 2 && self.wire[0] == 1 && self.wire[1] == UInt8(ascii: "*") }

    /// How many labels there are; 0 for the root.
    package var labelCount: Int {
        var count = 0
        var position = 0
        while self.wire[position] != 0 {
            count += 1
            position += 1 + Int(self.wire[position])
        }
        return count
    }

    /// The labels, first one first, without length bytes.
    package var labels: [ArraySlice<UInt8>] {
        var found: [ArraySlice<UInt8>] = []
        var position = 0
        while self.wire[position] != 0 {
            let end = position + 1 + Int(self.wire[position])
            found.append(self.wire[(position + 1)..<end])
            position = end
        }
        return found
    }

    /// The name without its first label; `nil` for the root.
    package var parent: DNSName? {
        guard !self.isRoot else { return nil }
        return DNSName(unchecked: Array(self.wire[(1 + Int(self.wire[0]))...]))
    }

    /// The same name in lower case.
    package var lowercased: DNSName { DNSName(unchecked: self.wire.map(Self.folded)) }

    /// The same name with each letter in upper or lower case at random: who answers must have seen it.
    package func withRandomCase(using random: inout some RandomNumberGenerator) -> DNSName {
        var bits: UInt64 = 0
        var wire = self.wire
        for index in wire.indices {
            if index % 64 == 0 { bits = random.next() }
            let letter = wire[index] | 0x20
            if letter >= UInt8(ascii: "a"), letter <= UInt8(ascii: "z") { wire[index] = letter ^ UInt8(bits & 1) << 5 }
            bits >>= 1
        }
        return DNSName(unchecked: wire)
    }

    /// Whether the name is `zone` or lies below it.
    package func isWithin(_ zone: DNSName) -> Bool { self.start(of: zone) != nil }

    /// Writes the name in lower case to the beginning of `target`, which must be long enough.
    package func lowercase(into target: UnsafeMutableRawBufferPointer) {
        for (index, byte) in self.wire.enumerated() { target[index] = Self.folded(byte) }
    }

    /// A name in lower case that the caller knows to be well-formed.
    package init(lowercased wire: Slice<UnsafeMutableRawBufferPointer>) { self.init(unchecked: Array(wire)) }

    /// The labels before an offset of the wire form; `nil` if no label begins there or there is none before it.
    package func prefix(_ end: Int) -> DNSName? {
        var position = 0
        while position < end, self.wire[position] != 0 { position += 1 + Int(self.wire[position]) }
        guard position == end, end > 0 else { return nil }
        return DNSName(unchecked: Array(self.wire[..<end]) + [0])
    }

    /// The labels before `suffix` as a name; `nil` if the name does not end in `suffix` or is nothing but it.
    package func dropping(suffix: DNSName) -> DNSName? {
        guard let start = self.start(of: suffix), start > 0 else { return nil }
        return DNSName(unchecked: Array(self.wire[..<start]) + [0])
    }

    /// This name followed by `suffix`; `nil` if that is too long.
    package func appending(_ suffix: DNSName) -> DNSName? {
        let wire = self.wire.dropLast() + suffix.wire
        return wire.count <= Self.wireLengthMax ? DNSName(unchecked: Array(wire)) : nil
    }

    /// Where `suffix` begins in this name's bytes, on a label's border.
    private func start(of suffix: DNSName) -> Int? {
        let start = self.wire.count - suffix.wire.count
        guard start >= 0 else { return nil }
        var position = 0
        while position < start { position += 1 + Int(self.wire[position]) }
        guard position == start else { return nil }
        for index in suffix.wire.indices
        where Self.folded(self.wire[start + index]) != Self.folded(suffix.wire[index]) { return nil }
        return start
    }

    /// Text without the root's dot; bytes that are no printable ASCII, dots and backslashes as `\DDD`.
    package var description: String {
        if self.isRoot { return "." }
        var text: [UInt8] = []
        for label in self.labels {
            if !text.isEmpty { text.append(UInt8(ascii: ".")) }
            for byte in label {
                if (0x21...0x7e).contains(byte), byte != UInt8(ascii: "."), byte != UInt8(ascii: "\\") {
                    text.append(byte)
                } else {
                    text.append(UInt8(ascii: "\\"))
                    for digit in [byte / 100, byte / 10 % 10, byte % 10] { text.append(UInt8(ascii: "0") + digit) }
                }
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    package static func == (left: DNSName, right: DNSName) -> Bool {
        guard left.wire.count == right.wire.count else { return false }
        for index in left.wire.indices where Self.folded(left.wire[index]) != Self.folded(right.wire[index]) {
            return false
        }
        return true
    }

    package func hash(into hasher: inout Hasher) {
        let wire = self.wire
        withUnsafeTemporaryAllocation(byteCount: wire.count, alignment: 1) { scratch in
            for index in wire.indices { scratch[index] = Self.folded(wire[index]) }
            hasher.combine(bytes: UnsafeRawBufferPointer(scratch))
        }
    }

    /// An ASCII upper-case letter in lower case, any other byte as it is.
    static func folded(_ byte: UInt8) -> UInt8 {
        byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
    }
}
