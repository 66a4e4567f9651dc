// The response codec: nothing traps it, parts mean what the whole means, and what it takes has one meaning.

import TrafficEngine

@testable import ProxyRuntime

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: data, count: count)
    for limit in [60 * 1024, 256] {
        var scanner = ResponseScanner(headBytesMax: limit)
        let whole = withExactCopy(bytes, 0..<count) { scanner.scan($0) }

        var parts = ResponseScanner(headBytesMax: limit)
        var last = ScanProgress.needsMore
        for end in cuts(of: bytes) where last == .needsMore {
            last = withExactCopy(bytes, 0..<end) { parts.scan($0) }
        }
        switch whole {
        case .needsMore: invariant(last == .needsMore, "whole it is unfinished, in parts \(last)")
        case .failed:
            // A line in parts is looked at again only when its end has come; then at the latest it is refused.
            if last == .needsMore { last = withLineEnd(bytes) { parts.scan($0) } }
            guard case .failed = last else { fatalError("whole it is refused, in parts \(last)") }
        case .complete:
            invariant(last == .complete, "whole it is a response, in parts \(last)")
            invariant(
                parts.headCount == scanner.headCount && parts.status == scanner.status
                    && parts.fields.contentLength == scanner.fields.contentLength
                    && parts.fields.isChunked == scanner.fields.isChunked
                    && parts.fields.fields == scanner.fields.fields,
                "in parts it is another response"
            )
            invariant(scanner.headCount <= limit && (100..<600).contains(scanner.status), "out of bounds")
            checkLines(
                UnsafeRawBufferPointer(rebasing: bytes[..<scanner.headCount]),
                isRequest: false,
                version: scanner.minorVersion
            )
        }
    }
    return 0
}
