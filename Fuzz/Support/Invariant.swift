/// Ends the process, which libFuzzer reports with the input, unless the claim holds.
@inline(never)
func invariant(_ claim: Bool, _ message: @autoclosure () -> String, line: UInt = #line) {
    if !claim { fatalError("\(message()) (line \(line))") }
}

/// Calls `body` with a copy of the first `count` bytes in memory of exactly that size: a read behind it is caught.
func withExactCopy<Result>(
    _ bytes: UnsafeRawBufferPointer,
    _ range: Range<Int>,
    _ body: (UnsafeRawBufferPointer) -> Result
) -> Result {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: range.count, alignment: 1)
    defer { copy.deallocate() }
    copy.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[range]))
    return body(UnsafeRawBufferPointer(copy))
}

/// Where an input is cut into parts: at each byte if it is short, else at places that depend on the input alone.
func cuts(of bytes: UnsafeRawBufferPointer) -> [Int] {
    guard bytes.count > 200 else { return Array(0...bytes.count) }
    var state = bytes.reduce(UInt64(14_695_981_039_346_656_037)) { ($0 ^ UInt64($1)) &* 1_099_511_628_211 }
    var places: [Int] = []
    var place = 0
    while place < bytes.count {
        places.append(place)
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        place += 1 + Int(state >> 33) % (bytes.count / 16)
    }
    return places + [bytes.count]
}

/// Calls `body` with the bytes and a line feed behind them.
func withLineEnd<Result>(_ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    (Array(bytes) + [10]).withUnsafeBytes(body)
}
