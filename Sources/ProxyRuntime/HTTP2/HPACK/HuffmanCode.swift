/// The Huffman code of RFC 7541 appendix B.
///
/// The code is canonical: codes of one length follow each other in the order of their symbols, so the lengths alone
/// are all that has to be known.
package struct HuffmanCode: Sendable {
    package static let standard = HuffmanCode()

    /// By symbol; the last is the end of string.
    private static let lengths: [UInt8] = [
        13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
        28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
        5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7,
        7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
        15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7,
        7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
        24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21,
        23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
        26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24,
        21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
        26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
    ]

    private static let endOfString = 256
    private static let lookupBits: UInt64 = 9

    /// By the next nine bits: symbol << 8 | length of codes of up to nine bits; 0: the code is longer.
    private var lookup: [UInt16]
    /// By symbol: code << 8 | length.
    private var codes: [UInt64]
    /// By length: the first code, moved to the top of 32 bits, the number of codes, and where their symbols begin.
    private var firsts: [(code: UInt32, count: UInt32, place: Int)]
    /// In the order of their codes.
    private var symbols: [UInt16]

    private init() {
        self.codes = [UInt64](repeating: 0, count: 257)
        self.lookup = [UInt16](repeating: 0, count: 1 << Int(Self.lookupBits))
        self.firsts = [(code: UInt32, count: UInt32, place: Int)](repeating: (0, 0, 0), count: 31)
        self.symbols = []
        var code: UInt32 = 0
        for length in 1...30 {
            code <<= 1
            self.firsts[length] = (code, 0, self.symbols.count)
            for symbol in Self.lengths.indices where Self.lengths[symbol] == UInt8(length) {
                self.symbols.append(UInt16(symbol))
                self.codes[symbol] = UInt64(code) << 8 | UInt64(length)
                self.firsts[length].count += 1
                if length <= Int(Self.lookupBits) {
                    let rest = Int(Self.lookupBits) - length
                    for tail in 0..<(1 << rest) {
                        self.lookup[Int(code) << rest | tail] = UInt16(symbol) << 8 | UInt16(length)
                    }
                }
                code += 1
            }
        }
    }

    /// Decodes `bytes` into `target`, which has room for `bytes.count * 8 / 5 + 1` bytes.
    ///
    /// - Returns: how many bytes were written; `nil`: it is no valid string.
    package func decode(_ bytes: UnsafeRawBufferPointer, to target: UnsafeMutableRawBufferPointer) -> Int? {
        var bits: UInt64 = 0
        var bitCount: UInt64 = 0
        var index = 0
        var written = 0
        return self.lookup.withUnsafeBufferPointer { lookup in
            while true {
                while bitCount <= 56, index < bytes.count {
                    bits = bits << 8 | UInt64(bytes[index])
                    bitCount &+= 8
                    index &+= 1
                }
                if bitCount == 0 { return written }
                let window =
                    bitCount >= Self.lookupBits
                    ? bits >> (bitCount &- Self.lookupBits) : bits << (Self.lookupBits &- bitCount)
                let entry = lookup[Int(window & 0x1FF)]
                let length = UInt64(entry & 0xFF)
                if entry != 0, length <= bitCount {
                    target[written] = UInt8(truncatingIfNeeded: entry >> 8)
                    written &+= 1
                    bitCount &-= length
                    continue
                }
                if let (symbol, length) = self.longCode(bits, bitCount) {
                    guard symbol != Self.endOfString else { return nil }
                    target[written] = UInt8(truncatingIfNeeded: symbol)
                    written &+= 1
                    bitCount &-= UInt64(length)
                    continue
                }
                // Padding: fewer than eight bits, all of them ones (RFC 7541 5.2).
                let rest = bits & ((1 << bitCount) &- 1)
                return bitCount < 8 && rest == (1 << bitCount) &- 1 ? written : nil
            }
        }
    }

    private func longCode(_ bits: UInt64, _ bitCount: UInt64) -> (symbol: Int, length: Int)? {
        var length = Int(Self.lookupBits) + 1
        while length <= 30, UInt64(length) <= bitCount {
            let code = UInt32(truncatingIfNeeded: bits >> (bitCount - UInt64(length))) & ((1 << UInt32(length)) &- 1)
            let first = self.firsts[length]
            if code >= first.code, code - first.code < first.count {
                return (Int(self.symbols[first.place + Int(code - first.code)]), length)
            }
            length += 1
        }
        return nil
    }

    /// How many bytes `encode` will write.
    package func encodedCount(_ bytes: UnsafeRawBufferPointer) -> Int {
        var bits = 0
        for byte in bytes { bits += Int(self.codes[Int(byte)] & 0xFF) }
        return (bits + 7) / 8
    }

    package func encode(_ bytes: UnsafeRawBufferPointer, to writer: inout ByteWriter) {
        var bits: UInt64 = 0
        var bitCount: UInt64 = 0
        for byte in bytes {
            let code = self.codes[Int(byte)]
            let length = code & 0xFF
            bits = bits << length | code >> 8
            bitCount += length
            while bitCount >= 8 {
                bitCount -= 8
                writer.put(UInt8(truncatingIfNeeded: bits >> bitCount))
            }
        }
        if bitCount > 0 { writer.put(UInt8(truncatingIfNeeded: bits << (8 - bitCount) | 0xFF >> bitCount)) }
    }
}
