internal import NIOCore

extension Worker {
    /// Writes a part of a body that came without framing as a chunk (RFC 9112 section 7.1): what goes around it is lent
    /// memory, the part itself is passed on as it is.
    ///
    /// - Parameters:
    ///   - part: may be empty, and then is no chunk: an empty one would end the body.
    ///   - trailers: the lines behind the last chunk; `nil`: more of the body follows.
    ///   - write: gets what is to be sent, in its order.
    func writeChunk(_ part: ByteBuffer, trailers: ByteBuffer?, _ write: (ByteBuffer) -> Void) {
        var out = self.takeScratch()
        if part.readableBytes > 0 {
            out.writeChunkSize(part.readableBytes)
            write(out)
            write(part)
            out.clear()
            out.writeStaticString("\r\n")
        }
        if var trailers {
            out.writeStaticString("0\r\n")
            out.writeBuffer(&trailers)
            out.writeStaticString("\r\n")
        }
        if out.readableBytes > 0 { write(out) }
        self.returnScratch(out)
    }
}

extension ByteBuffer {
    /// The line before a chunk.
    fileprivate mutating func writeChunkSize(_ count: Int) {
        self.write(bytesMax: 24) { writer in
            var shift = 60
            while shift > 0, count >> shift & 15 == 0 { shift -= 4 }
            while shift >= 0 {
                let digit = UInt8(truncatingIfNeeded: count >> shift & 15)
                writer.put(digit < 10 ? digit + 48 : digit + 87)
                shift -= 4
            }
            writer.endLine()
        }
    }
}
