internal import NIOCore
internal import TrafficEngine

/// Writes the head of a message as it is sent on: the received lines in runs, without those that are dropped or
/// edited, then the lines that the proxy adds.
struct HeadWriter {
    /// Copies the lines of `fields` that are neither dropped nor in `edits`.
    ///
    /// Lines follow each other without a gap, so a run from one dropped line to the next is one copy.
    @inline(__always)
    static func copyLines(
        _ bytes: UnsafeRawBufferPointer,
        _ fields: borrowing HeadFields,
        firstLine: Int,
        headCount: Int,
        dropped: IndexSet128,
        to writer: inout ByteWriter
    ) {
        if dropped.isEmpty {
            writer.put(UnsafeRawBufferPointer(rebasing: bytes[firstLine..<(headCount - 2)]))
            return
        }
        let count = fields.fields.count
        var runStart = firstLine
        for index in 0..<count where dropped.contains(index) {
            let lineStart = Int(fields.fields[index].name.start)
            let lineEnd = index + 1 < count ? Int(fields.fields[index + 1].name.start) : headCount - 2
            if runStart < lineStart { writer.put(UnsafeRawBufferPointer(rebasing: bytes[runStart..<lineStart])) }
            runStart = lineEnd
        }
        if runStart < headCount - 2 { writer.put(UnsafeRawBufferPointer(rebasing: bytes[runStart..<(headCount - 2)])) }
    }

    /// Marks the lines that `edits` remove or replace.
    static func markEdited(
        _ bytes: UnsafeRawBufferPointer,
        _ fields: borrowing HeadFields,
        _ edits: HeaderEdits,
        _ dropped: inout IndexSet128
    ) {
        for index in fields.fields.indices {
            let range = fields.fields[index].name
            let name = UnsafeRawBufferPointer(rebasing: bytes[Int(range.start)..<Int(range.start) + Int(range.count)])
            for removed in edits.remove where Bytes.equal(name, lowercase: removed) && Self.isEditable(removed) {
                dropped.insert(index)
            }
            for entry in edits.set where Bytes.equal(name, lowercase: entry.name) && Self.isEditable(entry.name) {
                dropped.insert(index)
            }
        }
    }

    /// Writes the lines that `edits` set and add, without those of the name `except`.
    static func putEdited(_ edits: HeaderEdits, except: StaticString = "", to writer: inout ByteWriter) {
        for entry in edits.set where Self.isEditable(entry.name) && !Self.isNamed(entry, except) {
            Self.put(entry, to: &writer)
        }
        for entry in edits.add where Self.isEditable(entry.name) && !Self.isNamed(entry, except) {
            Self.put(entry, to: &writer)
        }
    }

    /// Whether `edits` have a line of this name or want none, so that a default is not wanted.
    static func decides(_ edits: HeaderEdits?, _ name: StaticString) -> Bool {
        guard let edits else { return false }
        if edits.remove.contains(where: { $0.withUnsafeBytes { Bytes.equal($0, name) } }) { return true }
        return edits.set.contains { Self.isNamed($0, name) } || edits.add.contains { Self.isNamed($0, name) }
    }

    private static func isNamed(_ entry: HeaderEdits.Entry, _ name: StaticString) -> Bool {
        entry.name.withUnsafeBytes { Bytes.equal($0, name) }
    }

    /// The room that `putEdited` needs.
    static func count(_ edits: HeaderEdits) -> Int {
        var count = 0
        for entry in edits.set { count += entry.name.count + entry.value.count + 4 }
        for entry in edits.add { count += entry.name.count + entry.value.count + 4 }
        return count
    }

    /// The value that `edits` give to `host` or `:authority`, which are one thing.
    static func hostRewrite(_ edits: HeaderEdits) -> [UInt8]? {
        for entry in edits.set where entry.name == Self.host || entry.name == Self.authority { return entry.value }
        return nil
    }

    private static let host = Array("host".utf8)
    private static let authority = Array(":authority".utf8)
    private static let untouchable: [[UInt8]] = [
        Self.host, Array("content-length".utf8), Array("transfer-encoding".utf8), Array("connection".utf8),
    ]

    /// Framing belongs to the codec, the host to `hostRewrite`; a configuration cannot break them.
    private static func isEditable(_ name: [UInt8]) -> Bool {
        name.first != Bytes.colon && !Self.untouchable.contains(name)
    }

    private static func put(_ entry: HeaderEdits.Entry, to writer: inout ByteWriter) {
        writer.put(entry.name)
        writer.put(": ")
        writer.put(entry.value)
        writer.endLine()
    }
}
