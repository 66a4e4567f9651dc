/// The entries of an HPACK context: the static table of RFC 7541 appendix A, and the dynamic table behind it.
///
/// Names and values stand in one run of memory; entries refer to it by offset, so that an insertion costs one copy and
/// no allocation.
package struct HPACKTable {
    struct Entry {
        var start: Int
        var nameCount: Int
        var valueCount: Int
        /// What `HPACKEncoder` finds it by.
        var hash: UInt64

        /// RFC 7541 4.1.
        var size: Int { self.nameCount + self.valueCount + 32 }
    }

    static let staticCount = 61

    /// The most that we let the table hold, in the sense of SETTINGS_HEADER_TABLE_SIZE.
    package static let sizeMax = 4096

    /// What it may hold now.
    package private(set) var sizeLimit = Self.sizeMax
    package private(set) var size = 0
    /// Newest last; the first `firstLive` of them are gone.
    private var entries: [Entry] = []
    private var firstLive = 0
    /// How many entries there ever were.
    private(set) var insertions = 0
    private var bytes: [UInt8] = []

    package init() { self.entries.reserveCapacity(32) }

    package var count: Int { self.entries.count - self.firstLive }

    /// Entry `index` counted from 1 over both tables; `nil`: there is none.
    @inline(__always)
    func withEntry<Result>(
        _ index: Int,
        _ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Result
    ) -> Result? {
        if index <= Self.staticCount {
            guard index > 0 else { return nil }
            let (name, value) = StaticEntries.all[index - 1]
            return body(
                UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount),
                UnsafeRawBufferPointer(start: value.utf8Start, count: value.utf8CodeUnitCount)
            )
        }
        let place = self.entries.count - (index - Self.staticCount)
        guard place >= self.firstLive else { return nil }
        return self.withDynamicEntry(self.entries[place], body)
    }

    @inline(__always)
    private func withDynamicEntry<Result>(
        _ entry: Entry,
        _ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Result
    ) -> Result {
        self.bytes.withUnsafeBytes { bytes in
            let valueStart = entry.start + entry.nameCount
            return body(
                UnsafeRawBufferPointer(rebasing: bytes[entry.start..<valueStart]),
                UnsafeRawBufferPointer(rebasing: bytes[valueStart..<(valueStart + entry.valueCount)])
            )
        }
    }

    /// The index, counted over both tables, of insertion number `number` if it is still there.
    func index(ofInsertion number: Int) -> Int? {
        let age = self.insertions - number
        return age >= 1 && age <= self.count ? Self.staticCount + age : nil
    }

    /// The hash of the insertion with this index.
    func hash(at index: Int) -> UInt64 { self.entries[self.entries.count - (index - Self.staticCount)].hash }

    /// Adds an entry and lets go of the oldest ones that leave it no room; one that is too large empties the table
    /// (RFC 7541 4.4).
    mutating func insert(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, hash: UInt64 = 0) {
        let size = name.count + value.count + 32
        // Name and value may stand in this very table.
        let start = self.bytes.count
        let fits = size <= self.sizeLimit
        if fits {
            self.bytes.append(contentsOf: name)
            self.bytes.append(contentsOf: value)
        }
        self.evict(to: fits ? self.sizeLimit - size : 0)
        guard fits else { return }
        self.entries.append(Entry(start: start, nameCount: name.count, valueCount: value.count, hash: hash))
        self.insertions += 1
        self.size += size
        if self.bytes.count > 2 * Self.sizeMax || self.entries.count > 512 { self.compact() }
    }

    /// The other side wants it to be this large from now on.
    package mutating func resize(to limit: Int) {
        self.sizeLimit = limit
        self.evict(to: limit)
    }

    private mutating func evict(to limit: Int) {
        while self.size > limit, self.firstLive < self.entries.count {
            self.size -= self.entries[self.firstLive].size
            self.firstLive += 1
        }
    }

    /// Moves what is alive to the front.
    private mutating func compact() {
        self.entries.removeFirst(self.firstLive)
        self.firstLive = 0
        let first = self.entries.first?.start ?? self.bytes.count
        self.bytes.removeFirst(first)
        for index in self.entries.indices { self.entries[index].start -= first }
    }

    /// RFC 7541 appendix A.
    enum StaticEntries {
        static let all: [(name: StaticString, value: StaticString)] = [
            (":authority", ""),
            (":method", "GET"),
            (":method", "POST"),
            (":path", "/"),
            (":path", "/index.html"),
            (":scheme", "http"),
            (":scheme", "https"),
            (":status", "200"),
            (":status", "204"),
            (":status", "206"),
            (":status", "304"),
            (":status", "400"),
            (":status", "404"),
            (":status", "500"),
            ("accept-charset", ""),
            ("accept-encoding", "gzip, deflate"),
            ("accept-language", ""),
            ("accept-ranges", ""),
            ("accept", ""),
            ("access-control-allow-origin", ""),
            ("age", ""),
            ("allow", ""),
            ("authorization", ""),
            ("cache-control", ""),
            ("content-disposition", ""),
            ("content-encoding", ""),
            ("content-language", ""),
            ("content-length", ""),
            ("content-location", ""),
            ("content-range", ""),
            ("content-type", ""),
            ("cookie", ""),
            ("date", ""),
            ("etag", ""),
            ("expect", ""),
            ("expires", ""),
            ("from", ""),
            ("host", ""),
            ("if-match", ""),
            ("if-modified-since", ""),
            ("if-none-match", ""),
            ("if-range", ""),
            ("if-unmodified-since", ""),
            ("last-modified", ""),
            ("link", ""),
            ("location", ""),
            ("max-forwards", ""),
            ("proxy-authenticate", ""),
            ("proxy-authorization", ""),
            ("range", ""),
            ("referer", ""),
            ("refresh", ""),
            ("retry-after", ""),
            ("server", ""),
            ("set-cookie", ""),
            ("strict-transport-security", ""),
            ("transfer-encoding", ""),
            ("user-agent", ""),
            ("vary", ""),
            ("via", ""),
            ("www-authenticate", ""),
        ]
    }
}
