internal import MixerAPI
internal import TrafficEngine

/// Numbers of texts in a message: those of the global list, and those of its own list, which grows.
///
/// Texts are looked up by their bytes. Clients choose many of them, so the hash is seeded anew in each process.
struct WordNumbers {
    /// Texts and their numbers, by hash; the places are a power of two.
    private struct Table {
        struct Entry {
            var hash: UInt64 = 0
            var start: UInt32 = 0
            var count: UInt32 = 0
            /// `Int32.max`: the entry is free.
            var number = Int32.max
        }

        var entries: [Entry]
        var bytes: [UInt8] = []
        var count = 0

        init(size: Int) { self.entries = Array(repeating: Entry(), count: size) }

        func number(of text: UnsafeRawBufferPointer, _ hash: UInt64) -> Int32? {
            var place = Int(truncatingIfNeeded: hash) & (self.entries.count - 1)
            while self.entries[place].number != .max {
                let entry = self.entries[place]
                if entry.hash == hash, Int(entry.count) == text.count,
                    self.bytes.withUnsafeBytes({ bytes in
                        let start = Int(entry.start)
                        return UnsafeRawBufferPointer(rebasing: bytes[start..<start + text.count]).isSame(as: text)
                    })
                {
                    return entry.number
                }
                place = (place + 1) & (self.entries.count - 1)
            }
            return nil
        }

        /// Adds a text that is not there.
        mutating func add(_ text: UnsafeRawBufferPointer, _ hash: UInt64, _ number: Int32) {
            if self.count * 2 >= self.entries.count { self.grow() }
            self.count += 1
            let start = UInt32(self.bytes.count)
            self.bytes.append(contentsOf: text)
            self.put(Entry(hash: hash, start: start, count: UInt32(text.count), number: number))
        }

        private mutating func put(_ entry: Entry) {
            var place = Int(truncatingIfNeeded: entry.hash) & (self.entries.count - 1)
            while self.entries[place].number != .max { place = (place + 1) & (self.entries.count - 1) }
            self.entries[place] = entry
        }

        private mutating func grow() {
            let old = self.entries
            self.entries = Array(repeating: Entry(), count: old.count * 2)
            for entry in old where entry.number != .max { self.put(entry) }
        }
    }

    /// Texts that are not in the global list, in the order of their numbers, as places in `bytes`.
    private(set) var own: [Range<Int>] = []
    private var table = Table(size: Self.size)

    private static let size = 64
    private static let seed = UInt64.random(in: .min ... .max) | 1

    private static let global: Table = {
        var table = Table(size: 1024)
        for (index, word) in GlobalWords.standard.words.enumerated() {
            Array(word.utf8).withUnsafeBytes { bytes in
                let hash = Self.hash(bytes)
                if table.number(of: bytes, hash) == nil { table.add(bytes, hash, Int32(index)) }
            }
        }
        return table
    }()

    var bytes: [UInt8] { self.table.bytes }
    /// Of all own texts.
    var byteCount: Int { self.table.bytes.count }

    /// The number of a text, which gets the next one of the own list if it has none.
    mutating func number(of text: UnsafeRawBufferPointer) -> Int32 {
        let hash = Self.hash(text)
        if let number = Self.global.number(of: text, hash) ?? self.table.number(of: text, hash) { return number }
        // Clients and endpoints may send any bytes. A message with a text that is none would be refused as a whole.
        guard Self.isText(text) else {
            return Array(String(decoding: text, as: UTF8.self).utf8).withUnsafeBytes { self.number(of: $0) }
        }
        let number = -1 - Int32(clamping: self.own.count)
        let start = self.table.bytes.count
        self.table.add(text, hash, number)
        self.own.append(start..<self.table.bytes.count)
        return number
    }

    /// The own list becomes empty.
    mutating func removeAll() {
        self.own.removeAll()
        self.table = Table(size: Self.size)
    }

    private static func isText(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var offset = 0
        while offset + 8 <= bytes.count {
            guard bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) & 0x8080_8080_8080_8080 == 0 else {
                return String(validating: bytes[offset...], as: UTF8.self) != nil
            }
            offset += 8
        }
        return bytes[offset...].allSatisfy { $0 < 0x80 } || String(validating: bytes[offset...], as: UTF8.self) != nil
    }

    /// Eight bytes at a time, multiplied into each other (as wyhash does).
    private static func hash(_ text: UnsafeRawBufferPointer) -> UInt64 {
        var hash = Self.seed ^ UInt64(text.count)
        var offset = 0
        while offset + 8 <= text.count {
            hash = Self.mixed(hash, text.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += 8
        }
        var rest: UInt64 = 0
        while offset < text.count {
            rest = rest << 8 | UInt64(text[offset])
            offset += 1
        }
        return Self.mixed(hash, rest)
    }

    private static func mixed(_ hash: UInt64, _ word: UInt64) -> UInt64 {
        let (high, low) = (hash ^ word).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return high ^ low ^ hash
    }
}
