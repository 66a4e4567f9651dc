internal import CDNSProxy
internal import DNSWire

/// What a file with a name table says, from one reading to the next.
///
/// A value: it is given the file's bytes and knows which names differ from the last good reading, so that a change of
/// one name costs little however large the table is.
package struct NameTableFile {
    /// What is new since the last good reading.
    package struct Change: Hashable, Sendable {
        package var changed: [DNSHost] = []
        /// Names that were there and are gone.
        package var removed: [String] = []

        package init() {}
    }

    /// What the text says about one name.
    package struct Piece {
        package var name: String
        package var text: NameTableText
        /// Where in the text the object begins and ends.
        package var range: Range<Int>
        /// How messages call it, such as `table["db.test"]`.
        package var path: String
        /// Finds what the text says about another name.
        package var other: (String) -> Range<Int>?

        /// A mistake in a part of it.
        package func fault(at position: Int, _ part: String, _ message: String) -> NameTableText.Fault {
            self.text.fault(at: position, self.path + part, message)
        }
    }

    package typealias Decode = (Piece) throws(NameTableText.Fault) -> DNSHost

    /// What was said about each name, as a hash: the text of a large table is not kept.
    private var known: [String: Int] = [:]

    package init() {}

    /// How many names there were in the last good reading.
    package var count: Int { self.known.count }

    /// Takes the file's content.
    ///
    /// - Parameters:
    ///   - bytes: the whole content.
    ///   - decode: reads what is said about one name; called for those that changed.
    /// - Returns: what is new.
    /// - Throws: where the first mistake is; what was known stays known.
    package mutating func read(_ bytes: [UInt8], _ decode: Decode) throws(NameTableText.Fault) -> Change {
        let text = NameTableText(bytes)
        let entries = try text.entries()
        var seen: [String: Int] = [:]
        seen.reserveCapacity(entries.count)
        var change = Change()
        let index = Index(entries)
        for entry in entries {
            let name = entry.key.lowercased()
            let piece = Piece(
                name: name,
                text: text,
                range: entry.value,
                path: "\(entry.field)[\"\(entry.key)\"]",
                other: index.range
            )
            guard DNSName(entry.key) != nil else { throw piece.fault(at: entry.start, "", "this is no domain name") }
            let hash = Self.hash(text.bytes, entry.value)
            guard seen.updateValue(hash, forKey: name) == nil else {
                throw piece.fault(at: entry.start, "", "the name stands in the table twice")
            }
            // What it says about its instances depends on what is said of them elsewhere.
            if self.known[name] != hash || Self.hasInstances(text.bytes, entry.value) {
                change.changed.append(try decode(piece))
            }
        }
        change.removed = self.known.keys.filter { seen[$0] == nil }.sorted()
        self.known = seen
        return change
    }

    private static let instances = Array("\"instances\"".utf8)

    private static func hasInstances(_ bytes: [UInt8], _ range: Range<Int>) -> Bool {
        guard range.count > Self.instances.count else { return false }
        return bytes.withUnsafeBufferPointer { all in
            for start in range.lowerBound...(range.upperBound - Self.instances.count)
            where all[start] == Self.instances[0] && all[start + 1] == Self.instances[1] {
                if all[start..<(start + Self.instances.count)].elementsEqual(Self.instances) { return true }
            }
            return false
        }
    }

    /// Finds names in a text; made when it is first needed, which it rarely is.
    private final class Index {
        private let entries: [NameTableText.Member]
        private lazy var ranges = Dictionary(self.entries.map { ($0.key.lowercased(), $0.value) }) { first, _ in first }

        init(_ entries: [NameTableText.Member]) { self.entries = entries }

        func range(_ name: String) -> Range<Int>? { self.ranges[name.lowercased()] }
    }

    /// Gives the memory back that reading took: for a large table that is as much as the table itself.
    package static func giveMemoryBack() { lateen_give_memory_back() }

    private static func hash(_ bytes: [UInt8], _ range: Range<Int>) -> Int {
        bytes.withUnsafeBytes { all in
            var hasher = Hasher()
            hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: all[range]))
            return hasher.finalize()
        }
    }
}
