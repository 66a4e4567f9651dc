/// Reads a head as naively as other implementations may, and insists that they would see nothing else in it.
func checkLines(_ head: UnsafeRawBufferPointer, isRequest: Bool, version: UInt8) {
    let (tab, lineFeed, carriageReturn, space) = (UInt8(9), UInt8(10), UInt8(13), UInt8(32))
    invariant(!head.contains(0), "NUL in a head")
    for index in head.indices {
        if head[index] == lineFeed { invariant(index > 0 && head[index - 1] == carriageReturn, "line feed alone") }
        if head[index] == carriageReturn {
            invariant(index + 1 < head.count && head[index + 1] == lineFeed, "carriage return alone")
        }
    }
    var lines = head.split(separator: lineFeed, omittingEmptySubsequences: false).map { $0.dropLast() }
    // Behind the last line feed there is nothing, before it an empty line.
    invariant(lines.count >= 3 && lines.removeLast().isEmpty && lines.removeLast().isEmpty, "no end of the head")
    invariant(!lines.contains { $0.isEmpty }, "an empty line inside a head")
    var names: [String] = []
    for line in lines.dropFirst() {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { fatalError("header without a colon") }
        let name = line[line.startIndex..<colon]
        invariant(!name.isEmpty, "header without a name")
        invariant(!name.contains { $0 <= space || $0 >= 0x7f }, "name that others trim or fold")
        invariant(!line[colon...].contains { ($0 < space && $0 != tab) || $0 == 0x7f }, "control byte in a value")
        names.append(String(decoding: name.map { $0 &- 65 < 26 ? $0 | 0x20 : $0 }, as: UTF8.self))
    }
    let counts = Dictionary(names.map { ($0, 1) }, uniquingKeysWith: +)
    let lengths = counts["content-length", default: 0]
    let encodings = counts["transfer-encoding", default: 0]
    invariant(lengths + encodings <= 1, "two ways to end")
    if isRequest {
        let hosts = counts["host", default: 0]
        invariant(hosts <= 1 && (version == 0 || hosts == 1), "\(hosts) hosts")
    }
}
