// The request codec: nothing traps it; bytes in parts mean what they mean as a whole; what it takes, nobody can read
// in another way; and what is sent on is the same request and nothing behind it.

import TrafficEngine

@testable import ProxyRuntime

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: data, count: count)
    for limit in [60 * 1024, 256] {
        var scanner = RequestScanner(headBytesMax: limit)
        let progress = withExactCopy(bytes, 0..<count) { scanner.scan($0) }
        inParts(bytes, limit, progress, scanner)
        if progress == .complete { checkComplete(bytes, scanner, limit) }
    }
    return 0
}

/// What was understood, for comparing.
private struct Request: Equatable {
    var method: [UInt8]
    var target: [UInt8]
    var authority: [UInt8]
    var version: UInt8
    var length: Int?
    var isChunked: Bool

    init(_ scanner: RequestScanner, _ bytes: UnsafeRawBufferPointer) {
        self.method = text(scanner.method, bytes)
        self.target = text(scanner.target, bytes)
        self.authority = text(scanner.authority, bytes)
        self.version = scanner.minorVersion
        self.length = scanner.fields.contentLength
        self.isChunked = scanner.fields.isChunked
    }
}

private func text(_ range: ByteRange, _ bytes: UnsafeRawBufferPointer) -> [UInt8] {
    Array(bytes[Int(range.start)..<Int(range.start) + Int(range.count)])
}

/// The same bytes, as a slow sender's come.
private func inParts(
    _ bytes: UnsafeRawBufferPointer,
    _ limit: Int,
    _ whole: ScanProgress,
    _ scanner: RequestScanner
) {
    var parts = RequestScanner(headBytesMax: limit)
    var last = ScanProgress.needsMore
    for end in cuts(of: bytes) where last == .needsMore {
        last = withExactCopy(bytes, 0..<end) { parts.scan($0) }
    }
    switch whole {
    case .complete:
        invariant(last == .complete, "whole it is a request, in parts \(last)")
        invariant(parts.headCount == scanner.headCount, "in parts the head ends elsewhere")
        invariant(Request(parts, bytes) == Request(scanner, bytes), "in parts it is another request")
        invariant(parts.fields.fields == scanner.fields.fields, "in parts it has other headers")
    case .needsMore: invariant(last == .needsMore, "whole it is unfinished, in parts \(last)")
    case .failed:
        // Which of two faults is met first may depend on the parts, and a line in parts is looked at again only when
        // its end has come. Then at the latest it is refused.
        if last == .needsMore { last = withLineEnd(bytes) { parts.scan($0) } }
        guard case .failed = last else { return invariant(false, "whole it is refused, in parts \(last)") }
    }
}

private func checkComplete(_ bytes: UnsafeRawBufferPointer, _ scanner: RequestScanner, _ limit: Int) {
    let head = UnsafeRawBufferPointer(rebasing: bytes[..<scanner.headCount])
    invariant(scanner.headCount <= limit, "head over its limit")
    checkLines(head, isRequest: true, version: scanner.minorVersion)
    invariant(!(scanner.fields.isChunked && scanner.fields.contentLength != nil), "two ways to end")
    invariant(!(scanner.fields.isChunked && scanner.minorVersion == 0), "chunks in HTTP/1.0")

    let sent = forwarded(bytes, scanner)
    sent.withUnsafeBytes { sent in
        var again = RequestScanner(headBytesMax: 1 << 20)
        invariant(again.scan(sent) == .complete, "what is sent on is no request")
        invariant(again.headCount == sent.count, "something stands behind the request that is sent on")
        var expected = Request(scanner, bytes)
        expected.version = 1
        if expected.authority.isEmpty { expected.authority = unnamedHost }
        invariant(Request(again, sent) == expected, "another request is sent on")
        invariant(again.fields.connection.isEmpty, "Connection is sent on")
    }
}

/// HTTP/1.0 may come without any; the proxy then says whom it dialled.
private let unnamedHost = Array("10.0.0.1".utf8)

/// The head as the proxy sends it on: one hop's headers left out, an absolute target made a path.
private func forwarded(_ bytes: UnsafeRawBufferPointer, _ scanner: RequestScanner) -> [UInt8] {
    var dropped = scanner.fields.dropped
    let needsHost = scanner.isAbsoluteForm || scanner.fields.hostIndex < 0
    if needsHost, scanner.fields.hostIndex >= 0 { dropped.insert(scanner.fields.hostIndex) }
    let keepsStartLine = !scanner.isAbsoluteForm && scanner.minorVersion == 1
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * bytes.count + 64, alignment: 1)
    defer { memory.deallocate() }
    var writer = ByteWriter(memory)
    if !keepsStartLine {
        writer.put(text(scanner.method, bytes))
        writer.put(Bytes.space)
        writer.put(text(scanner.target, bytes))
        writer.put(" HTTP/1.1\r\n")
    }
    HeadWriter.copyLines(
        bytes,
        scanner.fields,
        firstLine: keepsStartLine ? 0 : scanner.startLineCount,
        headCount: scanner.headCount,
        dropped: dropped,
        to: &writer
    )
    if needsHost {
        writer.put("host: ")
        let authority = text(scanner.authority, bytes)
        writer.put(authority.isEmpty ? unnamedHost : authority)
        writer.endLine()
    }
    writer.endLine()
    return Array(memory[..<writer.count])
}
