internal import DNSWire

/// Answers the questions that nearly all clients ask — addresses of a host of the table — from the bytes of the query
/// to the bytes of the answer, without a value in between and without allocating.
///
/// What it answers, it answers byte for byte as `AnsweringCore` would; whatever is less common, or has anything wrong
/// with it, is left to that. Belongs to one thread or loop.
package final class QuickAnswerer {
    /// What was answered.
    struct Answer {
        var length: Int
        var isTruncated: Bool
        var entry: HostEntry
        /// What was asked for.
        var type: DNSType
    }

    /// A place in the answer at which a name begins, for pointers (RFC 1035 section 4.1.4).
    private struct Place {
        var offset: Int
        var name: UnsafeRawBufferPointer
    }

    /// The parts of a query that matter.
    struct Query {
        var flags: UInt16
        /// With the root's zero.
        var nameLength: Int
        var type: DNSType
        /// The largest answer that the client takes; `nil`: it does not speak EDNS.
        var payloadMax: Int?
        var wantsSignatures = false
    }

    static let headerLength = 12
    private static let optLength = 11
    /// The longest answer to a datagram, as `DNSQuery.payloadMax`.
    package static let datagramMax = 4096
    /// The encoder remembers no more places than that, and so names with many labels would come out differently.
    private static let labelsMax = 24

    /// The name in lower case, with room for the table to try others.
    let name = UnsafeMutableRawBufferPointer.allocate(byteCount: DNSTable.scratchBytes, alignment: 8)
    /// A name below a zone that is being written.
    private let other = UnsafeMutableRawBufferPointer.allocate(byteCount: DNSTable.scratchBytes, alignment: 8)
    private let places = UnsafeMutableBufferPointer<Place>.allocate(capacity: 4 * QuickAnswerer.labelsMax)
    private var placeCount = 0

    package init() {}

    deinit {
        self.name.deallocate()
        self.other.deallocate()
        self.places.deallocate()
    }

    /// - Parameters:
    ///   - bytes: a whole message.
    ///   - table: where names are looked up.
    ///   - rotation: any number; decides the order of addresses.
    ///   - limit: how long the answer may be if the transport decides; `nil`: the client decides.
    ///   - out: room for the answer: at least `datagramMax`, or `limit`.
    /// - Returns: `nil` if the query is not for here; what was written so far means nothing then.
    func answer(
        _ bytes: UnsafeRawBufferPointer,
        from table: DNSTable,
        rotation: UInt32,
        limit: Int? = nil,
        into out: UnsafeMutableRawBufferPointer
    ) -> Answer? {
        guard let query = self.query(bytes), let found = table.find(self.name, count: query.nameLength),
            found.part == .host, found.entry.alias == nil, !found.entry.isWildcard, query.type != .any,
            !(found.isExpanded && query.type == .cname)
        else { return nil }
        let entry = found.entry
        let whole = limit ?? min(max(query.payloadMax ?? 512, 512), Self.datagramMax)
        let end = whole - (query.payloadMax == nil ? 0 : Self.optLength)
        let questionLength = query.nameLength + 4
        out.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<(Self.headerLength + questionLength)]))
        var position = Self.headerLength + questionLength
        var owner = UInt16(Self.headerLength)
        var counts: (answers: UInt16, authorities: UInt16) = (0, 0)
        var isTruncated = false
        self.placeCount = 0

        if found.isExpanded {
            self.addQuestionPlaces(query.nameLength)
            guard let alias = self.alias(to: entry, table.sight.ttl, at: position, end, out) else { return nil }
            owner = UInt16(truncatingIfNeeded: alias.place)
            position = alias.end
            counts.answers = 1
        }
        let addresses = query.type == .a ? entry.v4.count : query.type == .aaaa ? entry.v6.count : 0
        if addresses > 0 {
            for index in AddressOrder(count: addresses, rotation) {
                let length = query.type == .a ? 16 : 28
                guard position + length <= end else {
                    isTruncated = true
                    break
                }
                Self.store(0xc000 | owner, query.type.rawValue, at: position, out)
                Self.store(DNSClass.internet.rawValue, at: position + 4, out)
                Self.store(table.sight.ttl, at: position + 6, out)
                Self.store(UInt16(length - 12), at: position + 10, out)
                if query.type == .a {
                    Self.store(entry.v4[index], at: position + 12, out)
                } else {
                    Self.store(entry.v6[index].high, at: position + 12, out)
                    Self.store(entry.v6[index].low, at: position + 20, out)
                }
                position += length
                counts.answers += 1
            }
        } else {
            // Known, without a record of the type (facts #1, #11).
            if !found.isExpanded { self.addQuestionPlaces(query.nameLength) }
            guard let next = self.authority(table.zone(of: entry.name), at: position, end, out) else { return nil }
            position = next
            counts.authorities = 1
        }
        if query.payloadMax != nil {
            self.extension(query, at: position, out)
            position += Self.optLength
        }
        // Number, RD and CD as they were asked; AA and RA as `AnsweringCore` sets them.
        Self.store(query.flags & 0x0110 | 0x8480 | (isTruncated ? 0x0200 : 0), at: 2, out)
        Self.store(counts.answers, counts.authorities, at: 6, out)
        Self.store(query.payloadMax == nil ? UInt16(0) : 1, at: 10, out)
        return Answer(length: position, isTruncated: isTruncated, entry: entry, type: query.type)
    }

    /// The same for one query in a buffer of its own.
    package func answer(_ bytes: [UInt8], from table: DNSTable, rotation: UInt32, limit: Int? = nil) -> [UInt8]? {
        withUnsafeTemporaryAllocation(byteCount: limit ?? Self.datagramMax, alignment: 8) { out in
            bytes.withUnsafeBytes { self.answer($0, from: table, rotation: rotation, limit: limit, into: out) }
                .map { Array(out[..<$0.length]) }
        }
    }

    // MARK: Reading

    /// Reads a query that has one question of class IN and at most an OPT record; `nil` for anything else.
    func query(_ bytes: UnsafeRawBufferPointer) -> Query? {
        guard bytes.count >= Self.headerLength + 6 else { return nil }
        let flags = Self.sixteen(bytes, 2)
        // A query with the opcode 0, one question, no answer, no authority.
        guard flags & 0xf800 == 0, Self.sixteen(bytes, 4) == 1, Self.sixteen(bytes, 6) == 0,
            Self.sixteen(bytes, 8) == 0
        else { return nil }
        let additionals = Self.sixteen(bytes, 10)
        guard additionals <= 1, let nameLength = self.readName(bytes) else { return nil }
        var position = Self.headerLength + nameLength
        guard bytes.count >= position + 4, Self.sixteen(bytes, position + 2) == DNSClass.internet.rawValue else {
            return nil
        }
        var query = Query(
            flags: flags,
            nameLength: nameLength,
            type: DNSType(rawValue: Self.sixteen(bytes, position))
        )
        position += 4
        if additionals == 1 {
            guard self.readExtension(bytes, position, &query) else { return nil }
        } else if position != bytes.count {
            return nil
        }
        return query
    }

    /// Copies the name in lower case; returns its length. Compressed names, broken ones and the root are not for here.
    private func readName(_ bytes: UnsafeRawBufferPointer) -> Int? {
        var position = 0
        var labels = 0
        while true {
            guard Self.headerLength + position < bytes.count else { return nil }
            let length = Int(bytes[Self.headerLength + position])
            guard length <= DNSName.labelLengthMax, position + length < DNSName.wireLengthMax,
                Self.headerLength + position + length < bytes.count
            else { return nil }
            self.name[position] = UInt8(truncatingIfNeeded: length)
            if length == 0 { return labels == 0 ? nil : position + 1 }
            for index in (position + 1)...(position + length) {
                let byte = bytes[Self.headerLength + index]
                self.name[index] = byte &- 0x41 < 26 ? byte | 0x20 : byte
            }
            position += 1 + length
            labels += 1
            guard labels <= Self.labelsMax else { return nil }
        }
    }

    /// Reads an OPT record of version 0 that ends the message (RFC 6891 section 6.1).
    private func readExtension(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ query: inout Query) -> Bool {
        guard bytes.count >= start + Self.optLength, bytes[start] == 0,
            Self.sixteen(bytes, start + 1) == DNSType.opt.rawValue, bytes[start + 6] == 0,
            bytes.count == start + Self.optLength + Int(Self.sixteen(bytes, start + 9))
        else { return false }
        var position = start + Self.optLength
        while position < bytes.count {
            guard bytes.count - position >= 4 else { return false }
            position += 4 + Int(Self.sixteen(bytes, position + 2))
        }
        query.payloadMax = Int(Self.sixteen(bytes, start + 3))
        query.wantsSignatures = bytes[start + 7] & 0x80 != 0
        return position == bytes.count
    }

    // MARK: Writing

    /// The alias from a name with a search domain to the host that is meant; returns where its target stands.
    private func alias(
        to entry: HostEntry,
        _ ttl: UInt32,
        at start: Int,
        _ end: Int,
        _ out: UnsafeMutableRawBufferPointer
    ) -> (place: Int, end: Int)? {
        guard start + 12 <= end else { return nil }
        Self.store(0xc000 | UInt16(Self.headerLength), DNSType.cname.rawValue, at: start, out)
        Self.store(DNSClass.internet.rawValue, at: start + 4, out)
        Self.store(ttl, at: start + 6, out)
        return entry.name.wire.withUnsafeBytes { target in
            let place = self.place(of: target) ?? start + 12
            guard let next = self.write(target, at: start + 12, end, out) else { return nil }
            Self.store(UInt16(truncatingIfNeeded: next - start - 12), at: start + 10, out)
            return (place, next)
        }
    }

    /// The SOA of a negative answer, as `DNSTable.authority` makes it; returns where it ends.
    private func authority(
        _ zone: DNSName,
        at start: Int,
        _ end: Int,
        _ out: UnsafeMutableRawBufferPointer
    ) -> Int? {
        // Longer ones have no names below them for the mailbox.
        guard zone.wire.count <= DNSName.wireLengthMax - 16 else { return nil }
        return zone.wire.withUnsafeBytes { wire -> Int? in
            guard let type = self.write(wire, at: start, end, out), type + 10 <= end else { return nil }
            Self.store(DNSType.soa.rawValue, DNSClass.internet.rawValue, at: type, out)
            Self.store(DNSTable.negativeTTL, at: type + 4, out)
            let data = type + 10
            guard let mailbox = self.write(Self.primary, wire, at: data, end, out),
                let numbers = self.write(Self.mailbox, wire, at: mailbox, end, out), numbers + 20 <= end
            else { return nil }
            for (index, number) in Self.times.enumerated() { Self.store(number, at: numbers + 4 * index, out) }
            Self.store(UInt16(truncatingIfNeeded: numbers + 20 - data), at: type + 8, out)
            return numbers + 20
        }
    }

    /// Names of the server and of its keeper below a zone, as labels.
    private static let primary: [UInt8] = [2, 0x6e, 0x73, 3, 0x64, 0x6e, 0x73]
    private static let mailbox: [UInt8] = [10] + Array("hostmaster".utf8)
    /// Serial number, refresh, retry, expire and minimum of an SOA.
    private static let times: [UInt32] = {
        guard case .soa(let start) = DNSTable.authority(.root).data else { return [] }
        return [start.serial, start.refresh, start.retry, start.expire, start.minimum]
    }()

    /// Writes labels and a zone behind them.
    private func write(
        _ labels: [UInt8],
        _ zone: UnsafeRawBufferPointer,
        at start: Int,
        _ end: Int,
        _ out: UnsafeMutableRawBufferPointer
    ) -> Int? {
        self.other.copyBytes(from: labels)
        UnsafeMutableRawBufferPointer(rebasing: self.other[labels.count...]).copyMemory(from: zone)
        let whole = UnsafeRawBufferPointer(rebasing: self.other[..<(labels.count + zone.count)])
        let placesBefore = self.placeCount
        defer { self.placeCount = placesBefore }
        return self.write(whole, at: start, end, out)
    }

    /// Writes a name, as short as pointers make it; returns where it ends, `nil` if it does not fit.
    private func write(
        _ name: UnsafeRawBufferPointer,
        at start: Int,
        _ end: Int,
        _ out: UnsafeMutableRawBufferPointer
    ) -> Int? {
        var position = start
        var index = 0
        while name[index] != 0 {
            let rest = UnsafeRawBufferPointer(rebasing: name[index...])
            if let place = self.place(of: rest) {
                guard position + 2 <= end else { return nil }
                Self.store(0xc000 | UInt16(truncatingIfNeeded: place), at: position, out)
                return position + 2
            }
            guard self.placeCount < self.places.count else { return nil }
            self.places.initializeElement(at: self.placeCount, to: Place(offset: position, name: rest))
            self.placeCount += 1
            let length = 1 + Int(name[index])
            guard position + length < end else { return nil }
            UnsafeMutableRawBufferPointer(rebasing: out[position..<(position + length)])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: rest[..<length]))
            position += length
            index += length
        }
        guard position < end else { return nil }
        out[position] = 0
        return position + 1
    }

    private func place(of name: UnsafeRawBufferPointer) -> Int? {
        for place in self.places[..<self.placeCount]
        where place.name.count == name.count && place.name.elementsEqual(name) { return place.offset }
        return nil
    }

    private func addQuestionPlaces(_ length: Int) {
        var index = 0
        while self.name[index] != 0 {
            let rest = UnsafeRawBufferPointer(rebasing: self.name[index..<length])
            self.places.initializeElement(
                at: self.placeCount,
                to: Place(offset: Self.headerLength + index, name: rest)
            )
            self.placeCount += 1
            index += 1 + Int(self.name[index])
        }
    }

    private func `extension`(_ query: Query, at start: Int, _ out: UnsafeMutableRawBufferPointer) {
        out[start] = 0
        Self.store(DNSType.opt.rawValue, DNSRequest.payloadMax, at: start + 1, out)
        Self.store(query.wantsSignatures ? UInt32(0x8000) : 0, at: start + 5, out)
        Self.store(UInt16(0), at: start + 9, out)
    }

    private static func sixteen(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt16 {
        UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    private static func store<Number: FixedWidthInteger & BitwiseCopyable>(
        _ number: Number,
        at offset: Int,
        _ out: UnsafeMutableRawBufferPointer
    ) {
        out.storeBytes(of: number.bigEndian, toByteOffset: offset, as: Number.self)
    }

    private static func store(
        _ first: UInt16,
        _ second: UInt16,
        at offset: Int,
        _ out: UnsafeMutableRawBufferPointer
    ) {
        self.store(UInt32(first) << 16 | UInt32(second), at: offset, out)
    }
}
