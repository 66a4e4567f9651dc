package import NIOCore

/// Cuts a TCP stream into messages: two bytes of length before each (RFC 1035 section 4.2.2).
package struct DNSFrames {
    private let bytesMax: Int
    private var buffer = ByteBuffer()
    /// A message was longer than allowed; nothing more comes out.
    package private(set) var isBroken = false

    /// - Parameter bytesMax: the longest message that is taken.
    package init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    /// Whether a message has begun and is not complete.
    package var isInside: Bool { self.buffer.readableBytes > 0 }

    package mutating func append(_ bytes: ByteBuffer) {
        if self.isBroken { return }
        var bytes = bytes
        self.buffer.writeBuffer(&bytes)
    }

    /// The next whole message.
    package mutating func next() -> ByteBuffer? {
        if self.isBroken { return nil }
        guard let length: UInt16 = self.buffer.getInteger(at: self.buffer.readerIndex) else {
            self.buffer.discardReadBytes()
            return nil
        }
        guard Int(length) <= self.bytesMax else {
            self.isBroken = true
            self.buffer = ByteBuffer()
            return nil
        }
        guard self.buffer.readableBytes >= 2 + Int(length) else {
            // Only now: after each message all behind it would be copied once more.
            self.buffer.discardReadBytes()
            return nil
        }
        self.buffer.moveReaderIndex(forwardBy: 2)
        return self.buffer.readSlice(length: Int(length))
    }

    /// A message with its length before it; what is over 65,535 bytes cannot be said over DNS and is cut to nothing.
    package static func framed(_ message: ByteBuffer) -> ByteBuffer {
        var framed = ByteBuffer()
        guard let length = UInt16(exactly: message.readableBytes) else { return framed }
        framed.reserveCapacity(2 + message.readableBytes)
        framed.writeInteger(length)
        framed.writeImmutableBuffer(message)
        return framed
    }
}
