// Frames of HTTP/2: nothing traps the reader, and bytes in parts are the same frames as the whole.

@testable import ProxyRuntime

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: data, count: count)
    let whole = read(bytes, [0, count])
    invariant(whole == read(bytes, cuts(of: bytes)), "in parts they are other frames")
    return 0
}

private struct Frames: Equatable {
    var heads: [FrameHead] = []
    var payloads: [[UInt8]] = []
    var fault: ErrorCode?
}

private func read(_ bytes: UnsafeRawBufferPointer, _ places: [Int]) -> Frames {
    var reader = FrameReader()
    var frames = Frames()
    var start = 0
    for end in places where frames.fault == nil {
        reading: while true {
            let event = withExactCopy(bytes, start..<max(start, end)) { part -> FrameReader.Event in
                let event = reader.next(part)
                if case .frame(let head, let payload, let count) = event {
                    invariant(payload.lowerBound >= FrameHead.byteCount, "payload inside the head")
                    invariant(payload.upperBound <= count && count <= part.count, "payload behind the frame")
                    invariant(head.length <= FrameReader.lengthMax, "a giant frame")
                    frames.heads.append(head)
                    frames.payloads.append(Array(part[payload]))
                }
                return event
            }
            switch event {
            case .needsMore: break reading
            case .failed(let code):
                frames.fault = code
                break reading
            case .frame(_, _, let count): start += count
            }
        }
    }
    return frames
}
