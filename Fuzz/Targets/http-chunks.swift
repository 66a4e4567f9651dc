// The body reader on chunks: nothing traps it; the end is where it is however the bytes come; a body that is taken
// means the same to a reader that is written quite differently.

@testable import ProxyRuntime

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: data, count: count)
    let whole = read(bytes, [0, count])
    let parts = read(bytes, cuts(of: bytes))
    invariant(whole.fault == parts.fault, "whole \(String(describing: whole.fault)), parts \(parts)")
    invariant(whole.hasEnded == parts.hasEnded, "ended whole: \(whole.hasEnded), in parts: \(parts.hasEnded)")
    if whole.fault == nil { invariant(whole == parts, "in parts it is another body") }
    if whole.hasEnded {
        let taken = UnsafeRawBufferPointer(rebasing: bytes[..<whole.count])
        invariant(naive(taken) == whole.payload, "others read another body")
        // What was taken is passed on as it is: alone it is the same body, with nothing behind it.
        invariant(read(taken, [0, taken.count]) == whole, "what is passed on is another body")
    }

    // The same walk, payload left in place.
    var reader = BodyReader(.chunked)
    let step = withExactCopy(bytes, 0..<count) { reader.take($0) }
    invariant(step.hasEnded == whole.hasEnded && step.fault == whole.fault, "take and takePayload disagree")
    if step.fault == nil { invariant(step.count == whole.count, "take and takePayload disagree on the count") }
    return 0
}

private struct Body: Equatable {
    var payload: [UInt8] = []
    var count = 0
    var hasEnded = false
    var fault: HeadFault?
}

private func read(_ bytes: UnsafeRawBufferPointer, _ places: [Int]) -> Body {
    var reader = BodyReader(.chunked)
    var body = Body()
    for (start, end) in zip(places, places.dropFirst()) where !body.hasEnded && body.fault == nil {
        let step = withExactCopy(bytes, start..<end) { part in
            reader.takePayload(part) { body.payload.append(contentsOf: part[$0]) }
        }
        invariant((0...end - start).contains(step.count), "more taken than there is")
        body.count += step.count
        body.hasEnded = step.hasEnded
        body.fault = step.fault
        if step.fault == nil, !step.hasEnded { invariant(step.count == end - start, "bytes left behind") }
    }
    return body
}

/// Line by line, as RFC 9112 section 7.1 tells it; `nil` for what is no chunked body.
private func naive(_ bytes: UnsafeRawBufferPointer) -> [UInt8]? {
    var rest = Array(bytes)[...]
    var payload: [UInt8] = []
    func line() -> ArraySlice<UInt8>? {
        guard let end = rest.firstIndex(of: 10), end > rest.startIndex, rest[end - 1] == 13 else { return nil }
        defer { rest = rest[(end + 1)...] }
        return rest[rest.startIndex..<(end - 1)]
    }
    while let head = line() {
        let digits = head.prefix { $0 != UInt8(ascii: ";") }
        guard let size = Int(String(decoding: digits, as: UTF8.self), radix: 16), size >= 0 else { return nil }
        if size == 0 { break }
        guard rest.count >= size + 2 else { return nil }
        payload += rest.prefix(size)
        rest = rest.dropFirst(size)
        guard rest.prefix(2).elementsEqual([13, 10]) else { return nil }
        rest = rest.dropFirst(2)
    }
    // Trailers, up to an empty line, and nothing behind it.
    while let trailer = line() {
        if trailer.isEmpty { return rest.isEmpty ? payload : nil }
    }
    return nil
}
