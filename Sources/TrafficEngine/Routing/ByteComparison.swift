/// ASCII lower case of one byte.
@inline(__always)
func lowered(_ byte: UInt8) -> UInt8 {
    byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
}

extension UnsafeRawBufferPointer {
    /// The bytes from `start` up to `end`.
    @inline(__always)
    func slice(_ start: Int, _ end: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[start..<end])
    }

    /// Whether `other` stands at `offset`.
    @inline(__always)
    func holds(_ other: [UInt8], at offset: Int, ignoringCase: Bool = false) -> Bool {
        guard offset >= 0, self.count - offset >= other.count else { return false }
        return other.withUnsafeBufferPointer { expected in
            for index in 0..<expected.count {
                let byte = self[offset + index]
                if byte == expected[index] { continue }
                guard ignoringCase, lowered(byte) == lowered(expected[index]) else { return false }
            }
            return true
        }
    }

    @inline(__always)
    func equals(_ other: [UInt8], ignoringCase: Bool = false) -> Bool {
        self.count == other.count && self.holds(other, at: 0, ignoringCase: ignoringCase)
    }

    /// Whether both are the same bytes; eight are compared at a time.
    package func isSame(as other: UnsafeRawBufferPointer) -> Bool {
        guard self.count == other.count else { return false }
        var offset = 0
        while offset + 8 <= self.count {
            if self.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                != other.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            {
                return false
            }
            offset += 8
        }
        while offset < self.count {
            if self[offset] != other[offset] { return false }
            offset += 1
        }
        return true
    }

    /// Whether `other` stands anywhere in it.
    func contains(_ other: [UInt8]) -> Bool {
        guard self.count >= other.count else { return false }
        return (0...self.count - other.count).contains { self.holds(other, at: $0) }
    }

    /// Where `byte` stands first.
    @inline(__always)
    func position(of byte: UInt8) -> Int? {
        for index in 0..<self.count where self[index] == byte { return index }
        return nil
    }
}
