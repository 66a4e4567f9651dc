// The decoder of DNS messages: nothing traps it, and what it takes can be written and read again.

import DNSWire
import NIOCore

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeRawBufferPointer(start: data, count: count))
    answerable(bytes)
    guard let message = try? DNSMessage(decoding: bytes) else { return 0 }

    var whole = ByteBuffer()
    message.encode(into: &whole, limit: 65_535)
    // The records of a message fit into another one unless compression was better there.
    if whole.readableBytes <= 65_535 {
        guard let again = try? DNSMessage(decoding: whole) else { fatalError("cannot read what was written") }
        invariant(again == message || again.header.isTruncated, "written and read, a message has changed")
    }

    for limit in [512, 600, 1232] {
        var short = ByteBuffer(repeating: 0xff, count: 3)
        message.encode(into: &short, limit: limit)
        short.moveReaderIndex(forwardBy: 3)
        // Questions are never left out by us: a query has one, and that fits.
        guard message.questions.count <= 1 else { continue }
        invariant(short.readableBytes <= limit, "longer than allowed")
        guard let cut = try? DNSMessage(decoding: short) else { fatalError("cannot read what was truncated") }
        invariant(cut.questions == message.questions && cut.edns == message.edns, "question or OPT lost")
        invariant(
            cut.header.isTruncated || (cut.answers == message.answers && cut.authorities == message.authorities),
            "records lost without saying so"
        )
        invariant(message.answers.starts(with: cut.answers), "records changed")
    }
    return 0
}

/// A server answers queries only, and with their number.
private func answerable(_ bytes: [UInt8]) {
    switch DNSRequest(decoding: bytes) {
    case .ignored: ()
    case .refused(let message):
        invariant(message.header.isResponse, "a refusal is no response")
        invariant(bytes[0] == UInt8(message.header.id >> 8) && bytes[1] == UInt8(message.header.id & 0xff), "number")
    case .query(let query):
        let response = query.response()
        invariant(response.header.isResponse && response.header.id == query.header.id, "response to something else")
        var buffer = ByteBuffer()
        response.encode(into: &buffer, limit: query.payloadMax)
        // The question comes back byte by byte, case included.
        let question = query.question.name.wire
        invariant(buffer.getBytes(at: 12, length: question.count) == question, "question changed")
    }
}
