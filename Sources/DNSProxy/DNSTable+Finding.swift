internal import DNSWire
package import MeshModel

extension DNSTable {
    /// What a name leads to.
    struct Found {
        enum Part: Equatable {
            case host
            case instance(Int)
            /// A name of ports, by the labels before the host's name.
            case port(DNSName)
        }

        var entry: HostEntry
        var part: Part
        /// Where a search domain begins in the name that was looked for; its length: there is none.
        var end: Int
        /// Whether the name has a search domain behind it.
        var isExpanded: Bool
    }

    /// Room for a name and what is appended to it.
    static let scratchBytes = 2 * DNSName.wireLengthMax

    func find(_ name: DNSName) -> Found? {
        Self.withScratch(name) { self.find($0, count: name.wire.count) }
    }

    /// Looks for a name, with a search domain behind it or without, and at last below the wildcards.
    ///
    /// - Parameters:
    ///   - scratch: begins with the name in lower case; the rest, `scratchBytes` in all, is for names to try.
    ///   - count: how long the name is, with the root's zero.
    /// - Returns: `nil` if the table does not have it.
    func find(_ scratch: UnsafeMutableRawBufferPointer, count: Int) -> Found? {
        if let found = self.resolved(scratch, count: count) { return found }
        for suffix in self.sight.search {
            guard let start = Self.start(of: suffix, scratch, count) else { continue }
            if var found = Self.cut(scratch, at: start, { self.resolved($0, count: start + 1) }) {
                found.isExpanded = true
                found.end = start
                return found
            }
        }
        guard !self.wildcards.isEmpty else { return nil }
        if let entry = self.wildcard(scratch, count) {
            return Found(entry: entry, part: .host, end: count, isExpanded: false)
        }
        for suffix in self.sight.search {
            guard let start = Self.start(of: suffix, scratch, count) else { continue }
            if let entry = Self.cut(scratch, at: start, { self.wildcard($0, start + 1) }) {
                return Found(entry: entry, part: .host, end: start, isExpanded: true)
            }
        }
        return nil
    }

    /// The name that a name with a search domain stands for: the whole name, not a short one; below a star the name
    /// itself and never the star (facts #9).
    func meant(by found: Found, _ name: DNSName) -> DNSName? {
        switch found.part {
        case .host: found.entry.isWildcard ? name.prefix(found.end)?.lowercased : found.entry.name
        case .instance(let index): found.entry.name(below: found.entry.instances[index].label)
        case .port(let labels): found.entry.name(below: labels)
        }
    }

    /// Looks for a name as it is.
    func resolved(_ name: DNSName) -> Found? {
        Self.withScratch(name) { self.resolved($0, count: name.wire.count) }
    }

    private func resolved(_ scratch: UnsafeMutableRawBufferPointer, count: Int) -> Found? {
        if let entry = self.hosts.find(UnsafeRawBufferPointer(rebasing: scratch[..<count])) {
            return Found(entry: entry, part: .host, end: count, isExpanded: false)
        }
        if self.hasNamesBelowHosts, let found = self.belowHost(scratch, count) { return found }
        return self.shortName(scratch, count) ?? self.shortInstance(scratch, count)
    }

    /// `mysql-0.HOST` and `_mysql._tcp.HOST`.
    func belowHost(_ scratch: UnsafeMutableRawBufferPointer, _ count: Int) -> Found? {
        let first = 1 + Int(scratch[0])
        guard first < count, count > 1 else { return nil }
        if let entry = self.hosts.find(UnsafeRawBufferPointer(rebasing: scratch[first..<count])) {
            let label = scratch[..<first]
            let index = entry.instances.firstIndex { $0.label.wire.dropLast().elementsEqual(label) }
            return index.map { Found(entry: entry, part: .instance($0), end: count, isExpanded: false) }
        }
        let second = first + 1 + Int(scratch[first])
        guard scratch[1] == UInt8(ascii: "_"), scratch[first] > 0, second < count,
            let entry = self.hosts.find(UnsafeRawBufferPointer(rebasing: scratch[second..<count])),
            let port = entry.ports.first(where: { $0.owner.wire.dropLast().elementsEqual(scratch[..<second]) })
        else { return nil }
        return Found(entry: entry, part: .port(port.owner), end: count, isExpanded: false)
    }

    /// Short names exist only for Services inside the own domain: those of others could be public names (facts #10).
    private func shortName(_ scratch: UnsafeMutableRawBufferPointer, _ count: Int) -> Found? {
        guard !self.sight.shortEndings.isEmpty else { return nil }
        var labels = 0
        var position = 0
        var last = 0
        while scratch[position] != 0 {
            last = position
            labels += 1
            position += 1 + Int(scratch[position])
            guard labels <= self.sight.shortEndings.count else { return nil }
        }
        guard labels > 0, labels < 3 || scratch[last..<position].elementsEqual([3, 0x73, 0x76, 0x63]) else {
            return nil
        }
        let ending = self.sight.shortEndings[labels - 1].wire
        guard position + ending.count <= DNSName.wireLengthMax else { return nil }
        let entry = ending.withUnsafeBytes { ending -> HostEntry? in
            withUnsafeTemporaryAllocation(byteCount: DNSName.wireLengthMax, alignment: 8) { whole in
                whole.copyMemory(from: UnsafeRawBufferPointer(rebasing: scratch[..<position]))
                UnsafeMutableRawBufferPointer(rebasing: whole[position...]).copyMemory(from: ending)
                return self.hosts.find(UnsafeRawBufferPointer(rebasing: whole[..<(position + ending.count)]))
            }
        }
        guard let entry, entry.hasShortNames else { return nil }
        return Found(entry: entry, part: .host, end: count, isExpanded: false)
    }

    /// The host of the longest `*.suffix` that the name is below.
    private func wildcard(_ scratch: UnsafeMutableRawBufferPointer, _ count: Int) -> HostEntry? {
        var position = 0
        while scratch[position] != 0 {
            position += 1 + Int(scratch[position])
            // The root has no wildcard.
            guard position < count - 1 else { return nil }
            if let entry = self.wildcards[DNSName(lowercased: scratch[position..<count])] { return entry }
        }
        return nil
    }

    /// Where `suffix` begins behind at least one label of the name.
    private static func start(of suffix: DNSName, _ scratch: UnsafeMutableRawBufferPointer, _ count: Int) -> Int? {
        let start = count - suffix.wire.count
        guard start > 0 else { return nil }
        var position = 0
        while position < start { position += 1 + Int(scratch[position]) }
        guard position == start, suffix.wire.elementsEqual(scratch[start..<count]) else { return nil }
        return start
    }

    /// Lets the name end at a label's border for a while.
    private static func cut<Result>(
        _ scratch: UnsafeMutableRawBufferPointer,
        at start: Int,
        _ body: (UnsafeMutableRawBufferPointer) -> Result
    ) -> Result {
        let kept = scratch[start]
        scratch[start] = 0
        defer { scratch[start] = kept }
        return body(scratch)
    }

    private static func withScratch<Result>(
        _ name: DNSName,
        _ body: (UnsafeMutableRawBufferPointer) -> Result
    ) -> Result {
        withUnsafeTemporaryAllocation(byteCount: Self.scratchBytes, alignment: 8) { scratch in
            name.lowercase(into: scratch)
            return body(scratch)
        }
    }

    /// The name that a name of the reverse zones leads back to.
    func pointer(_ name: DNSName) -> DNSName? {
        guard self.answersReverse, let address = Self.address(reverse: name) else { return nil }
        return self.addresses.name(of: address)
    }

    /// `4.3.2.1.in-addr.arpa` (RFC 1035 section 3.5), `….ip6.arpa` (RFC 3596 section 2.5).
    package static func reverseName(of address: IPAddress) -> String {
        switch address {
        case .v4:
            return address.bytes.reversed().map { String($0) }.joined(separator: ".") + ".in-addr.arpa"
        case .v6:
            let digits = address.bytes.reversed().flatMap { [$0 & 0xf, $0 >> 4] }
            return digits.map { String($0, radix: 16) }.joined(separator: ".") + ".ip6.arpa"
        }
    }

    private static let reverseZones = (four: DNSName("in-addr.arpa"), six: DNSName("ip6.arpa"))

    /// The address of a whole name of the reverse zones.
    static func address(reverse name: DNSName) -> IPAddress? {
        if let four = Self.reverseZones.four, let digits = name.dropping(suffix: four) {
            let numbers = digits.labels.map { $0.allSatisfy { (0x30...0x39).contains($0) } ? UInt8(text: $0) : nil }
            guard numbers.count == 4 else { return nil }
            var bits: UInt32 = 0
            for number in numbers.reversed() {
                guard let number else { return nil }
                bits = bits << 8 | UInt32(number)
            }
            return .v4(bits)
        }
        guard let six = Self.reverseZones.six, let digits = name.dropping(suffix: six)?.labels, digits.count == 32
        else {
            return nil
        }
        var halves: (high: UInt64, low: UInt64) = (0, 0)
        for (index, label) in digits.reversed().enumerated() {
            guard label.count == 1, let byte = label.first,
                let digit = UInt64(String(UnicodeScalar(byte)), radix: 16)
            else { return nil }
            if index < 16 { halves.high = halves.high << 4 | digit } else { halves.low = halves.low << 4 | digit }
        }
        return .v6(high: halves.high, low: halves.low)
    }
}

extension UInt8 {
    /// A decimal number without zeros before it.
    fileprivate init?(text: ArraySlice<UInt8>) {
        guard let first = text.first, text.count <= 3, first != 0x30 || text.count == 1 else { return nil }
        guard let number = UInt8(exactly: text.reduce(0) { $0 * 10 + Int($1) - 0x30 }) else { return nil }
        self = number
    }
}
