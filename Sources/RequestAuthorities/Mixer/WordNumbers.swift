internal import MixerAPI
internal import TrafficEngine

/// The numbers of texts in one message: those of the global list, and those of its own list, which grows.
///
/// Texts are looked up by their bytes. Clients choose many of them, so the hash is seeded anew in each process.
struct WordNumbers {
    private struct Entry {
        var hash: UInt64 = 0
        var start = 0
        var count = 0
        /// `Int32.max`: the entry is free.
        var number = Int32.max
    }

    /// Texts that are not in the global list, in the order of their numbers.
    private(set) var own: [Range<Int>] = []
    private(set) var bytes: [UInt8] = []
    private var entries: [Entry]
    private var count = 0

    private static let seed = UInt64.random(in: .min ... .max) | 1

    /// Knows the global list only.
    static let global: WordNumbers = {
        var numbers = WordNumbers()
        for (index, word) in GlobalWords.standard.words.enumerated() {
            Array(word.utf8).withUnsafeBytes { _ = numbers.number(of: $0, or: Int32(index)) }
        }
        numbers.own = []
        return numbers
    }()

    private init() { self.entries = Array(repeating: Entry(), count: 1024) }

    /// The number of a text, which gets the next one of the own list if it has none.
    mutating func number(of text: UnsafeRawBufferPointer) -> Int32 {
        self.number(of: text, or: -1 - Int32(clamping: self.own.count))
    }

    private mutating func number(of text: UnsafeRawBufferPointer, or next: Int32) -> Int32 {
        let hash = Self.hash(text)
        var place = Int(truncatingIfNeeded: hash) & (self.entries.count - 1)
        while self.entries[place].number != .max {
            let entry = self.entries[place]
            if entry.hash == hash, entry.count == text.count,
                self.bytes.withUnsafeBytes({ bytes in
                    let end = entry.start + entry.count
                    return UnsafeRawBufferPointer(rebasing: bytes[entry.start..<end]).isSame(as: text)
                })
            {
                return entry.number
            }
            place = (place + 1) & (self.entries.count - 1)
        }
        let start = self.bytes.count
        self.bytes.append(contentsOf: text)
        self.own.append(start..<self.bytes.count)
        self.entries[place] = Entry(hash: hash, start: start, count: text.count, number: next)
        self.count += 1
        if self.count * 2 > self.entries.count { self.grow() }
        return next
    }

    private mutating func grow() {
        var larger = Array(repeating: Entry(), count: self.entries.count * 2)
        for entry in self.entries where entry.number != .max {
            var place = Int(truncatingIfNeeded: entry.hash) & (larger.count - 1)
            while larger[place].number != .max { place = (place + 1) & (larger.count - 1) }
            larger[place] = entry
        }
        self.entries = larger
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
