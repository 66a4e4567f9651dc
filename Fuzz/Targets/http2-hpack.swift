// Header blocks of HTTP/2: nothing traps the decoder, its table keeps its bounds, a head that is taken reads the same to
// the codec of HTTP/1.1, and what is sent on is the same head.

import NIOCore

@testable import ProxyRuntime

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: data, count: count)
    var decoder = HPACKDecoder()
    var encoder = HPACKEncoder()
    var other = HPACKDecoder()
    let assembler = HeadAssembler()
    // Several blocks of one connection, one byte of length before each.
    var offset = 0
    while offset < count {
        let end = min(count, offset + 1 + Int(bytes[offset]))
        let range = (offset + 1)..<end
        offset = end
        assembler.begin(.request, bytesMax: 4096)
        let fault = withExactCopy(bytes, range) { block in decoder.decode(block) { assembler.add($0, $1) } }
        invariant(decoder.table.size <= HPACKTable.sizeMax, "the table is too large")
        invariant(decoder.table.size <= decoder.table.sizeLimit, "the table is larger than was said")
        if fault != nil { return 0 }
        assembler.finish()
        invariant(assembler.text.count <= 4096 + 64, "the head is too large")
        if assembler.fault == nil, !assembler.text.starts(with: "CONNECT ".utf8) {
            check(assembler, &encoder, &other)
        }
    }
    return 0
}

private func check(_ assembler: HeadAssembler, _ encoder: inout HPACKEncoder, _ other: inout HPACKDecoder) {
    let text = Array(assembler.text)
    var scanner = RequestScanner(headBytesMax: 8192)
    text.withUnsafeBytes { invariant(scanner.scan($0) == .complete, "HTTP/1.1 would refuse it") }
    invariant(scanner.headCount == text.count, "HTTP/1.1 sees something behind it")
    invariant(scanner.fields.fields == assembler.fields.fields, "HTTP/1.1 sees other headers")
    text.withUnsafeBytes { checkLines($0, isRequest: true, version: 1) }

    var block = ByteBuffer()
    text.withUnsafeBytes { HeadEncoder.request($0, isHTTPS: assembler.isHTTPS, &encoder, to: &block) }
    let again = HeadAssembler()
    again.begin(.request, bytesMax: 8192)
    let fault = block.withUnsafeReadableBytes { block in other.decode(block) { again.add($0, $1) } }
    again.finish()
    invariant(fault == nil && again.fault == nil, "what is sent on is refused")
    invariant(again.fields.fields.count == assembler.fields.fields.count, "what is sent on is another head")
    invariant(encoder.table.size == other.table.size, "the tables are out of step")
}
