// Replies of Redis: nothing traps the reader, and where the network cuts them makes no difference.

import NIOCore
import PolicyEngine

private func replies(_ pieces: [UnsafeRawBufferPointer.SubSequence]) -> ([RedisReply], isBroken: Bool) {
    var buffer = ByteBuffer()
    var replies: [RedisReply] = []
    for piece in pieces {
        buffer.writeBytes(piece)
        do throws(RedisReply.Malformed) {
            while let reply = try RedisReply.read(&buffer) { replies.append(reply) }
        } catch {
            return (replies, true)
        }
    }
    return (replies, false)
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: data, count: count)
    guard let first = bytes.first else { return 0 }
    let rest = bytes.dropFirst()
    let size = Int(first) % 16 + 1
    let pieces = stride(from: rest.startIndex, to: rest.endIndex, by: size).map {
        rest[$0..<min($0 + size, rest.endIndex)]
    }
    let (whole, cut) = (replies([rest]), replies(pieces))
    invariant(whole.0 == cut.0 && whole.isBroken == cut.isBroken, "it matters where replies are cut")
    return 0
}
