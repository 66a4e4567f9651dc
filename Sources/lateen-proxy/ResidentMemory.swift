import Glibc

/// Gives back memory that only the start needed.
///
/// Loading, reading the configuration and looking up types touch much of the program's files once; the pages would
/// stay counted as ours for ever. They are unchanged copies of files: whatever is needed again is mapped again, from
/// the page cache.
enum ResidentMemory {
    /// Lets go of all pages of files that are mapped read-only and were never written to.
    static func releaseStartPages() {
        guard let file = fopen("/proc/self/smaps", "re") else { return }
        defer { fclose(file) }
        var ranges: [(start: UInt, end: UInt)] = []
        var current: (start: UInt, end: UInt)?
        var line = [CChar](repeating: 0, count: 4096)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            if let mapping = Self.mapping(text) {
                current = mapping.isReadOnlyFile ? mapping.range : nil
            } else if let range = current, text.utf8.starts(with: "Private_Dirty:".utf8) {
                // Relocated parts are read-only as well, but hold what no file has.
                if text.utf8.dropFirst(14).allSatisfy({ !(49...57).contains($0) }) { ranges.append(range) }
                current = nil
            }
        }
        for range in ranges {
            guard let start = UnsafeMutableRawPointer(bitPattern: range.start) else { continue }
            // Advice only: nothing depends on whether it is taken.
            _ = madvise(start, Int(range.end - range.start), MADV_DONTNEED)
        }
    }

    /// `55c0-55d0 r-xp 00000000 08:01 123 /usr/bin/x`; `nil` if the line is no such heading.
    private static func mapping(_ line: String) -> (range: (start: UInt, end: UInt), isReadOnlyFile: Bool)? {
        let words = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
        guard words.count >= 5, let dash = words[0].firstIndex(of: "-"), words[1].utf8.count == 4,
            let start = UInt(words[0][..<dash], radix: 16),
            let end = UInt(words[0][words[0].index(after: dash)...], radix: 16)
        else { return nil }
        let isFile = words.count == 6 && words[5].utf8.first { $0 != UInt8(ascii: " ") } == UInt8(ascii: "/")
        return ((start, end), isFile && !words[1].utf8.contains(UInt8(ascii: "w")))
    }
}
