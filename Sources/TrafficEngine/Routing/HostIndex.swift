/// Finds the virtual host of a request: exact names first, then the longest `*suffix`, then the longest `prefix*`,
/// then `*` (facts #32).
///
/// A lookup hashes the received bytes in lower case as it goes and allocates nothing. The hash needs no secret: only
/// configured names are stored, so a peer cannot fill a bucket.
package struct HostIndex: Sendable {
    private var exact = NameTable()
    private var suffixes = NameTable()
    private var prefixes = NameTable()
    /// Lengths that occur among suffixes, longest first.
    private var suffixLengths: [Int] = []
    private var prefixLengths: [Int] = []
    private var catchAll: Int?

    /// Of two virtual hosts that claim one domain the first keeps it.
    package init(_ virtualHosts: [VirtualHost]) {
        for (index, virtualHost) in virtualHosts.enumerated() {
            for domain in virtualHost.domains { self.insert(domain, index) }
        }
        self.suffixLengths.sort(by: >)
        self.prefixLengths.sort(by: >)
    }

    private mutating func insert(_ domain: String, _ index: Int) {
        var bytes = domain.utf8.map(lowered)
        if bytes == [UInt8(ascii: "*")] {
            self.catchAll = self.catchAll ?? index
        } else if bytes.first == UInt8(ascii: "*") {
            bytes.removeFirst()
            bytes = Self.nameOnly(bytes)
            self.suffixes.insert(bytes, index)
            if !self.suffixLengths.contains(bytes.count) { self.suffixLengths.append(bytes.count) }
        } else if bytes.last == UInt8(ascii: "*") {
            bytes.removeLast()
            self.prefixes.insert(bytes, index)
            if !self.prefixLengths.contains(bytes.count) { self.prefixLengths.append(bytes.count) }
        } else {
            self.exact.insert(Self.nameOnly(bytes), index)
        }
    }

    /// The index of the virtual host for an authority as received: port and one trailing dot are not compared, and an
    /// authority with user information belongs to nobody (RFC 9110 section 4.2.4).
    package func find(_ authority: UnsafeRawBufferPointer) -> Int? {
        guard authority.position(of: UInt8(ascii: "@")) == nil else { return nil }
        let host = Self.nameOnly(authority)
        if !host.isEmpty {
            if let found = self.exact.find(host) { return found }
            for length in self.suffixLengths where length < host.count {
                if let found = self.suffixes.find(host.slice(host.count - length, host.count)) { return found }
            }
            for length in self.prefixLengths where length < host.count {
                if let found = self.prefixes.find(host.slice(0, length)) { return found }
            }
        }
        return self.catchAll
    }

    private static func nameOnly(_ bytes: [UInt8]) -> [UInt8] {
        bytes.withUnsafeBytes { Array(Self.nameOnly($0)) }
    }

    /// The part before the port, without a trailing dot. A literal IPv6 address keeps its brackets.
    private static func nameOnly(_ authority: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var end = authority.count
        var index = end
        while index > 0, authority[index - 1] &- UInt8(ascii: "0") < 10 { index -= 1 }
        if index > 0, authority[index - 1] == UInt8(ascii: ":") {
            let isBareSix = authority[0] != UInt8(ascii: "[") && authority.position(of: UInt8(ascii: ":")) != index - 1
            if !isBareSix { end = index - 1 }
        }
        if end > 1, authority[end - 1] == UInt8(ascii: ".") { end -= 1 }
        return authority.slice(0, end)
    }
}

/// Names to numbers: open addressing over one run of bytes.
private struct NameTable: Sendable {
    private struct Slot {
        var hash: UInt64
        var start: UInt32
        var count: UInt32
        var value: Int32
    }

    private var slots: [Slot] = []
    private var names: [UInt8] = []
    private var count = 0

    mutating func insert(_ name: [UInt8], _ value: Int) {
        guard name.withUnsafeBytes(self.find) == nil else { return }
        if (self.count + 1) * 2 > self.slots.count { self.grow() }
        let slot = Slot(
            hash: name.withUnsafeBytes(Self.hash),
            start: UInt32(self.names.count),
            count: UInt32(name.count),
            value: Int32(value)
        )
        self.names += name
        self.place(slot)
        self.count += 1
    }

    /// `name` in any case.
    func find(_ name: UnsafeRawBufferPointer) -> Int? {
        guard !self.slots.isEmpty else { return nil }
        let hash = Self.hash(name)
        let mask = self.slots.count - 1
        var index = Int(truncatingIfNeeded: hash) & mask
        while true {
            let slot = self.slots[index]
            if slot.value < 0 { return nil }
            if slot.hash == hash, Int(slot.count) == name.count, self.holds(name, at: Int(slot.start)) {
                return Int(slot.value)
            }
            index = (index + 1) & mask
        }
    }

    private func holds(_ name: UnsafeRawBufferPointer, at start: Int) -> Bool {
        self.names.withUnsafeBufferPointer { stored in
            for index in 0..<name.count where lowered(name[index]) != stored[start + index] { return false }
            return true
        }
    }

    private mutating func grow() {
        let old = self.slots
        let size = max(8, old.count * 2)
        self.slots = Array(repeating: Slot(hash: 0, start: 0, count: 0, value: -1), count: size)
        for slot in old where slot.value >= 0 { self.place(slot) }
    }

    private mutating func place(_ slot: Slot) {
        let mask = self.slots.count - 1
        var index = Int(truncatingIfNeeded: slot.hash) & mask
        while self.slots[index].value >= 0 { index = (index + 1) & mask }
        self.slots[index] = slot
    }

    /// FNV-1a over lower-cased bytes, its high bits folded into the low ones that pick the slot.
    private static func hash(_ name: UnsafeRawBufferPointer) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in name { hash = (hash ^ UInt64(lowered(byte))) &* 0x0000_0100_0000_01b3 }
        return hash ^ (hash >> 32)
    }
}
