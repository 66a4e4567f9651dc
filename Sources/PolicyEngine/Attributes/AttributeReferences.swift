/// Which attributes an answer depends on: those that were read, and those that were looked for and missing.
///
/// A client keeps an answer for all requests that agree in these. An attribute that nobody read is not among them,
/// whatever its value; of a map only the keys that were read are.
package struct AttributeReferences: Sendable, Hashable {
    package enum Condition: Sendable, Hashable { case absent, exact }

    package struct Reference: Sendable, Hashable {
        package var slot: Int
        /// `nil`: the whole attribute.
        package var key: String?
        package var condition: Condition
    }

    private var read = SlotSet()
    private var missing = SlotSet()
    private var keys: [Reference] = []
    /// Attributes that the request lacked and that were found out for it.
    private var generated: SlotSet?

    package init() {}

    /// From now on the attribute is there, but not in the client's request: to read it is to find it missing there.
    mutating func generate(_ slot: Int) { self.generated = (self.generated ?? SlotSet()).inserting(slot) }

    @inline(__always)
    mutating func note(_ slot: Int, _ condition: Condition) {
        if let generated, generated.contains(slot) { return self.missing.insert(slot) }
        switch condition {
        case .exact: self.read.insert(slot)
        case .absent: self.missing.insert(slot)
        }
    }

    mutating func note(key: String, of slot: Int, _ condition: Condition) {
        if let generated, generated.contains(slot) { return self.missing.insert(slot) }
        // A rule set reads a handful of keys, for which a walk is faster than hashing.
        for reference in self.keys where reference.slot == slot && reference.key == key { return }
        self.keys.append(Reference(slot: slot, key: key, condition: condition))
    }

    /// By slot; whole attributes before their keys. Keys of a map that counts as a whole are left out.
    package var all: [Reference] {
        var references: [Reference] = []
        for slot in self.read.members { references.append(Reference(slot: slot, key: nil, condition: .exact)) }
        for slot in self.missing.members { references.append(Reference(slot: slot, key: nil, condition: .absent)) }
        let whole = self.read
        references += self.keys.filter { !whole.contains($0.slot) }
        return references.sorted { ($0.slot, $0.key ?? "") < ($1.slot, $1.key ?? "") }
    }
}

/// A set of slots, one bit each.
private struct SlotSet: Sendable, Hashable {
    private var low: UInt64 = 0
    private var middle: UInt64 = 0
    private var rest: [UInt64] = []

    @inline(__always)
    mutating func insert(_ slot: Int) {
        let bit = UInt64(1) << UInt64(slot & 63)
        switch slot >> 6 {
        case 0: self.low |= bit
        case 1: self.middle |= bit
        case let word:
            while self.rest.count <= word - 2 { self.rest.append(0) }
            self.rest[word - 2] |= bit
        }
    }

    func inserting(_ slot: Int) -> SlotSet {
        var set = self
        set.insert(slot)
        return set
    }

    func contains(_ slot: Int) -> Bool {
        let bit = UInt64(1) << UInt64(slot & 63)
        switch slot >> 6 {
        case 0: return self.low & bit != 0
        case 1: return self.middle & bit != 0
        case let word: return word - 2 < self.rest.count && self.rest[word - 2] & bit != 0
        }
    }

    var members: [Int] { (0..<(2 + self.rest.count) * 64).filter(self.contains) }
}
