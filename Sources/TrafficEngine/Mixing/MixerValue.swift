/// A value of an attribute, in the types of Mixer's protocol.
package enum MixerValue: Hashable, Sendable {
    /// STRING, DNS_NAME, EMAIL_ADDRESS and URI.
    case text(String)
    case number(Int64)
    case fraction(Double)
    case truth(Bool)
    /// IP_ADDRESS: 4 or 16 bytes.
    case bytes([UInt8])
    /// Since 1970.
    case moment(milliseconds: Int64)
    case duration(Duration)
    case map([String: String])

    /// Bytes that are equal for equal values of one attribute, and differ for others.
    var keyBytes: [UInt8] {
        switch self {
        case .text(let text): return Array(text.utf8)
        case .bytes(let bytes): return bytes
        case .truth(let truth): return [truth ? 1 : 0]
        case .number(let number): return Self.bytes(of: UInt64(bitPattern: number))
        case .fraction(let number): return Self.bytes(of: number.bitPattern)
        case .moment(let milliseconds): return Self.bytes(of: UInt64(bitPattern: milliseconds))
        case .duration(let duration):
            let (seconds, attoseconds) = duration.components
            return Self.bytes(of: UInt64(bitPattern: seconds)) + Self.bytes(of: UInt64(bitPattern: attoseconds))
        case .map(let entries):
            var key: [UInt8] = []
            key.appendMap(entries)
            return key
        }
    }

    private static func bytes(of number: UInt64) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { Array($0) } }
}

extension [UInt8] {
    /// Adds bytes with their count in front, so that where one part ends and the next begins is never in doubt.
    mutating func appendPart(_ bytes: some Collection<UInt8>) {
        let start = self.openPart()
        self.append(contentsOf: bytes)
        self.closePart(start)
    }

    mutating func append(number: UInt32) {
        Swift.withUnsafeBytes(of: number.littleEndian) { self.append(contentsOf: $0) }
    }

    /// Leaves room for the count of what is appended until `closePart`.
    mutating func openPart() -> Int {
        for _ in 0..<4 { self.append(0) }
        return self.count
    }

    mutating func closePart(_ start: Int) {
        let count = UInt32(truncatingIfNeeded: self.count - start)
        for index in 0..<4 { self[start - 4 + index] = UInt8(truncatingIfNeeded: count >> UInt32(8 * index)) }
    }
}
