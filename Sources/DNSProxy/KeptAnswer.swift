package import DNSWire
package import MeshModel
package import NIOCore

/// An answer as bytes that need only be copied and touched up for each client that gets it.
///
/// Clients differ in their number, their flags, the case of their letters, in whether they speak EDNS, and in when
/// they ask: the places of all that are known, so that nothing is decoded or encoded again.
package final class KeptAnswer: Sendable {
    /// Number 0, without OPT; the question directly behind the header.
    package let bytes: [UInt8]
    /// Seconds for which it may be kept; 0: it may not.
    package let ttl: UInt32
    package let isNegative: Bool
    package let code: DNSResponseCode
    /// What was asked for.
    package let name: DNSName
    /// The addresses in it.
    package let addresses: [IPAddress]
    /// Who gave it.
    package let server: DNSUpstream?
    /// Offsets of the TTLs.
    private let times: [UInt16]
    /// The addresses at the end, which take turns: where they begin, how long each is, how many there are.
    private let turns: (start: Int, length: Int, count: Int)

    /// `nil` if it does not fit into a message.
    package init?(_ answer: CleanAnswer, from server: DNSUpstream? = nil) {
        self.server = server
        var buffer = ByteBuffer()
        answer.message.encode(into: &buffer, limit: 65_535)
        let bytes = Array(buffer.readableBytesView)
        // Written by ourselves: it can be read, and it is truncated only if there was too much.
        guard bytes.count >= 12, bytes[2] & 0x02 == 0, let places = try? DNSRecordPlace.all(in: bytes) else {
            return nil
        }
        self.bytes = bytes
        self.name = answer.message.questions.first?.name ?? .root
        self.ttl = answer.ttl
        self.isNegative = answer.isNegative
        self.code = answer.message.header.responseCode
        self.times = places.compactMap { UInt16(exactly: $0.ttl) }
        self.addresses = answer.message.answers.compactMap { record in
            switch record.data {
            case .a(let bits): .v4(bits)
            case .aaaa(let high, let low): .v6(high: high, low: low)
            case .cname, .ptr, .soa, .srv, .opaque: nil
            }
        }
        self.turns = Self.turns(places)
        guard self.times.count == places.count else { return nil }
    }

    /// Addresses at the very end, owners written as pointers, can change places without anything else noticing.
    private static func turns(_ places: [DNSRecordPlace]) -> (start: Int, length: Int, count: Int) {
        guard let last = places.last, last.type == .a || last.type == .aaaa, last.nameLength == 2 else {
            return (0, 0, 0)
        }
        let length = last.end - last.start
        let same = places.reversed().prefix {
            $0.type == last.type && $0.nameLength == 2 && $0.end - $0.start == length
        }
        return (last.end - length * same.count, length, same.count)
    }

    /// What it takes in memory: an object, four arrays, and what they hold.
    package var cost: Int {
        self.bytes.count + self.name.wire.count + self.times.count * 2 + self.addresses.count * 24 + 320
    }

    /// Its records, for callers that build something else of them: with their times after so many seconds, or with
    /// another time.
    package func message(age: UInt32, timeOverride: UInt32?) -> DNSMessage? {
        var bytes = self.bytes
        bytes.withUnsafeMutableBytes { self.setTimes($0, age, timeOverride) }
        // Written by ourselves: it can be read.
        return try? DNSMessage(decoding: bytes)
    }

    /// What matters of a client's query.
    package struct Asker {
        package var id: UInt16
        package var flags: UInt16
        package var hasEDNS: Bool
        package var wantsSignatures: Bool

        package init(id: UInt16, flags: UInt16, hasEDNS: Bool, wantsSignatures: Bool) {
            self.id = id
            self.flags = flags
            self.hasEDNS = hasEDNS
            self.wantsSignatures = wantsSignatures
        }
    }

    /// The longest that an answer becomes: for a client with EDNS.
    package var lengthMax: Int { self.bytes.count + Self.opt + Self.staleOption }

    /// The answer for one client.
    ///
    /// - Parameters:
    ///   - query: what the client asked: the same question, in any case.
    ///   - age: seconds since the answer came; they are taken off the times.
    ///   - timeOverride: for answers that are out of date: the time of all records.
    ///   - rotation: any number; addresses begin with another one for each.
    ///   - limit: how long the answer may be.
    /// - Returns: the message; only that it is truncated if it is too long.
    package func reply(
        to query: DNSQuery,
        age: UInt32,
        timeOverride: UInt32? = nil,
        rotation: UInt32 = 0,
        limit: Int
    ) -> ByteBuffer {
        let asker = Asker(
            id: query.header.id,
            flags: query.header.flags,
            hasEDNS: query.edns != nil,
            wantsSignatures: query.edns?.wantsSignatures ?? false
        )
        var buffer = ByteBufferAllocator().buffer(capacity: self.lengthMax)
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: self.lengthMax) { out in
            query.question.name.wire.withUnsafeBytes { name in
                self.write(into: out, asker, name, age, timeOverride, rotation, limit).length
            }
        }
        return buffer
    }

    /// Writes the answer for one client into `out`, which has room for `lengthMax` bytes.
    ///
    /// `name` is the question's name as the client wrote it; it was compared, so that it is as long as ours.
    func write(
        into out: UnsafeMutableRawBufferPointer,
        _ asker: Asker,
        _ name: UnsafeRawBufferPointer,
        _ age: UInt32,
        _ timeOverride: UInt32?,
        _ rotation: UInt32,
        _ limit: Int
    ) -> (length: Int, isTruncated: Bool) {
        precondition(out.count >= self.lengthMax)
        let optLength = !asker.hasEDNS ? 0 : timeOverride == nil ? Self.opt : Self.opt + Self.staleOption
        let questionEnd = 16 + name.count
        let isCut = self.bytes.count + optLength > limit || self.bytes.count < questionEnd
        var end = isCut ? min(questionEnd, self.bytes.count) : self.bytes.count
        self.bytes.withUnsafeBytes { bytes in
            out.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<end]))
            if !isCut { self.turn(bytes, rotation, out) }
        }
        if isCut {
            // No records.
            for index in 6..<12 { out[index] = 0 }
        } else if timeOverride != nil || age > 0 {
            self.setTimes(out, age, timeOverride)
        }
        var flags = UInt16(self.bytes[2]) << 8 | UInt16(self.bytes[3])
        // RD and CD come back as they were asked; AD goes to those who know what it means (RFC 6840 section 5.8).
        flags = flags & ~0x0110 | asker.flags & 0x0110
        if asker.flags & 0x0020 == 0, !asker.wantsSignatures { flags &= ~0x0020 }
        if isCut { flags |= 0x0200 }
        Self.store(asker.id, at: 0, out)
        Self.store(flags, at: 2, out)
        if end >= questionEnd {
            UnsafeMutableRawBufferPointer(rebasing: out[12..<(12 + name.count)]).copyMemory(from: name)
        }
        if asker.hasEDNS {
            Self.writeOPT(at: end, asker.wantsSignatures, isStale: timeOverride != nil, out)
            end += optLength
        }
        return (end, isCut)
    }

    private func turn(_ bytes: UnsafeRawBufferPointer, _ rotation: UInt32, _ out: UnsafeMutableRawBufferPointer) {
        let (start, length, count) = self.turns
        let first = count > 1 ? Int(rotation % UInt32(truncatingIfNeeded: count)) : 0
        guard first > 0 else { return }
        let (middle, end) = (start + first * length, start + count * length)
        let rest = end - middle
        UnsafeMutableRawBufferPointer(rebasing: out[start..<(start + rest)])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[middle..<end]))
        UnsafeMutableRawBufferPointer(rebasing: out[(start + rest)..<end])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[start..<middle]))
    }

    private func setTimes(_ out: UnsafeMutableRawBufferPointer, _ age: UInt32, _ timeOverride: UInt32?) {
        for place in self.times {
            let index = Int(place)
            let time = UInt32(
                bigEndian: UnsafeRawBufferPointer(out).loadUnaligned(fromByteOffset: index, as: UInt32.self)
            )
            Self.store(timeOverride ?? (time > age ? time - age : 0), at: index, out)
        }
    }

    /// An OPT record without options.
    private static let opt = 11
    /// An option that says that the answer is out of date (RFC 8914 section 4.4).
    private static let staleOption = 6

    private static func writeOPT(
        at start: Int,
        _ wantsSignatures: Bool,
        isStale: Bool,
        _ out: UnsafeMutableRawBufferPointer
    ) {
        out[start] = 0
        Self.store(DNSType.opt.rawValue, at: start + 1, out)
        Self.store(DNSRequest.payloadMax, at: start + 3, out)
        Self.store(wantsSignatures ? UInt32(0x8000) : 0, at: start + 5, out)
        Self.store(UInt16(isStale ? Self.staleOption : 0), at: start + 9, out)
        if isStale {
            Self.store(UInt16(15), at: start + 11, out)
            Self.store(UInt16(2), at: start + 13, out)
            Self.store(UInt16(3), at: start + 15, out)
        }
        let count = UInt16(out[10]) << 8 | UInt16(out[11])
        Self.store(count + 1, at: 10, out)
    }

    private static func store<Number: FixedWidthInteger & BitwiseCopyable>(
        _ number: Number,
        at index: Int,
        _ out: UnsafeMutableRawBufferPointer
    ) {
        out.storeBytes(of: number.bigEndian, toByteOffset: index, as: Number.self)
    }
}
