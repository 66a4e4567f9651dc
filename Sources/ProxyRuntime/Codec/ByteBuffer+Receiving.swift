package import NIOCore

extension ByteBuffer {
    /// Puts what came behind what is left to read, and lets go of what was read.
    ///
    /// Appended alone, a connection whose reads never end where a head or frame ends would keep every byte that it ever
    /// got: a buffer grows behind its writer index and gives nothing in front of its reader index back.
    package mutating func receive(_ bytes: inout ByteBuffer) {
        if self.readableBytes == 0 {
            self = bytes
        } else {
            self.discardReadBytes()
            self.writeBuffer(&bytes)
        }
    }
}
