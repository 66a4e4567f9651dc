package import NIOCore

/// Writes runs of bytes one after the other into memory of known size.
package struct ByteWriter {
    private let base: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(_ base: UnsafeMutableRawBufferPointer) { self.base = base }

    @inline(__always)
    mutating func put(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress else { return }
        precondition(bytes.count <= self.base.count - self.count)
        self.base.baseAddress?.advanced(by: self.count).copyMemory(from: source, byteCount: bytes.count)
        self.count += bytes.count
    }

    @inline(__always)
    mutating func put(_ text: StaticString) {
        self.put(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    @inline(__always)
    mutating func put(_ bytes: [UInt8]) { bytes.withUnsafeBytes { self.put($0) } }

    @inline(__always)
    mutating func put(_ byte: UInt8) {
        self.base[self.count] = byte
        self.count += 1
    }

    @inline(__always)
    mutating func endLine() {
        self.put(Bytes.carriageReturn)
        self.put(Bytes.lineFeed)
    }

    /// A number in decimal.
    mutating func put(decimal value: Int) {
        var rest = UInt(value.magnitude)
        if value < 0 { self.put(UInt8(ascii: "-")) }
        var digits: (UInt64, UInt64, UInt64) = (0, 0, 0)
        withUnsafeMutableBytes(of: &digits) { digits in
            var index = digits.count
            repeat {
                index -= 1
                digits[index] = UInt8(truncatingIfNeeded: rest % 10) + 48
                rest /= 10
            } while rest > 0
            self.put(UnsafeRawBufferPointer(rebasing: digits[index...]))
        }
    }
}

extension ByteBuffer {
    /// Writes at most `bytesMax` bytes with a `ByteWriter`.
    @inline(__always)
    package mutating func write(bytesMax: Int, _ body: (inout ByteWriter) -> Void) {
        _ = self.writeWithUnsafeMutableBytes(minimumWritableBytes: bytesMax) { memory in
            var writer = ByteWriter(memory)
            body(&writer)
            return writer.count
        }
    }
}
