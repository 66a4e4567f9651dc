package import NIOCore

extension DNSMessage {
    /// Appends the message to `buffer`, names compressed (RFC 1035 section 4.1.4).
    ///
    /// What does not fit into `limit` bytes is left out from the first record that does not. If that is an answer or
    /// an authority, the message says that it is truncated, so that the client asks again over TCP; the OPT record
    /// always stays (RFC 6891 section 7).
    ///
    /// - Parameters:
    ///   - buffer: may hold other bytes already.
    ///   - limit: at least 512 in UDP (`payloadMax` of the query); 65,535 in TCP.
    package func encode(into buffer: inout ByteBuffer, limit: Int) {
        var writer = DNSWriter(start: buffer.writerIndex, limit: limit - (self.edns == nil ? 0 : DNSWriter.optLength))
        var header = self.header
        buffer.reserveCapacity(minimumWritableBytes: min(limit, 512))
        buffer.writeMultipleIntegers(header.id, header.flags, UInt16(0), UInt16(0), UInt16(0), UInt16(0))

        let questions = writer.write(self.questions, to: &buffer) { writer, question, buffer in
            writer.name(question.name, &buffer)
            buffer.writeMultipleIntegers(question.type.rawValue, question.questionClass.rawValue)
        }
        let answers = writer.write(self.answers, to: &buffer) { $0.record($1, &$2) }
        let authorities = writer.write(self.authorities, to: &buffer) { $0.record($1, &$2) }
        header.isTruncated = header.isTruncated || writer.isFull
        var additionals = writer.write(self.additionals, to: &buffer) { $0.record($1, &$2) }
        if let edns = self.edns {
            additionals += 1
            buffer.writeMultipleIntegers(UInt8(0), DNSType.opt.rawValue, edns.payloadMax)
            buffer.writeMultipleIntegers(
                edns.responseCodeUpper,
                edns.version,
                edns.wantsSignatures ? UInt16(0x8000) : 0,
                UInt16(0)
            )
        }
        buffer.setInteger(header.flags, at: writer.start + 2)
        for (index, count) in [questions, answers, authorities, additionals].enumerated() {
            buffer.setInteger(count, at: writer.start + 4 + 2 * index)
        }
    }
}

/// Writes names and records behind each other and remembers where names stand.
struct DNSWriter {
    /// An OPT record without options.
    static let optLength = 11
    /// Places that are remembered for pointers; looking through them must stay cheap.
    private static let placesMax = 64
    /// A pointer has 14 bits.
    private static let pointerMax = 0x3fff

    /// The buffer's index of the message's first byte.
    let start: Int
    private let limit: Int
    /// Something did not fit: nothing more is written.
    private(set) var isFull = false
    /// Offsets in the message at which a name, or the rest of one, begins.
    private var places: [Int] = []

    init(start: Int, limit: Int) {
        self.start = start
        self.limit = limit
    }

    /// Writes elements until one does not fit, and that one not at all; returns how many were written.
    mutating func write<Element>(
        _ elements: [Element],
        to buffer: inout ByteBuffer,
        _ body: (inout DNSWriter, Element, inout ByteBuffer) -> Void
    ) -> UInt16 {
        var count: UInt16 = 0
        for element in elements where !self.isFull {
            let before = buffer.writerIndex
            let placesBefore = self.places.count
            body(&self, element, &buffer)
            if buffer.writerIndex - self.start > self.limit || count == .max {
                self.isFull = true
                buffer.moveWriterIndex(to: before)
                self.places.removeSubrange(placesBefore...)
            } else {
                count += 1
            }
        }
        return count
    }

    mutating func record(_ record: DNSRecord, _ buffer: inout ByteBuffer) {
        self.name(record.name, &buffer)
        buffer.writeMultipleIntegers(record.data.type.rawValue, record.recordClass.rawValue, record.ttl, UInt16(0))
        let dataStart = buffer.writerIndex
        switch record.data {
        case .a(let bits): buffer.writeInteger(bits)
        case .aaaa(let high, let low): buffer.writeMultipleIntegers(high, low)
        case .cname(let name), .ptr(let name): self.name(name, &buffer)
        case .soa(let soa):
            self.name(soa.primary, &buffer)
            self.name(soa.mailbox, &buffer)
            buffer.writeMultipleIntegers(soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum)
        case .srv(let priority, let weight, let port, let target):
            buffer.writeMultipleIntegers(priority, weight, port)
            // Never compressed: RFC 2782, "Target".
            buffer.writeBytes(target.wire)
        case .opaque(_, let bytes): buffer.writeBytes(bytes)
        }
        let length = buffer.writerIndex - dataStart
        // Only opaque data of our own making could be longer; it would not fit into any message either.
        guard let length = UInt16(exactly: length) else {
            self.isFull = true
            return
        }
        buffer.setInteger(length, at: dataStart - 2)
    }

    mutating func name(_ name: DNSName, _ buffer: inout ByteBuffer) {
        let wire = name.wire
        var position = 0
        while wire[position] != 0 {
            if let place = self.place(of: wire, from: position, in: buffer) {
                buffer.writeInteger(0xc000 | UInt16(place))
                return
            }
            let offset = buffer.writerIndex - self.start
            if offset <= Self.pointerMax, self.places.count < Self.placesMax { self.places.append(offset) }
            let end = position + 1 + Int(wire[position])
            buffer.writeBytes(wire[position..<end])
            position = end
        }
        buffer.writeInteger(UInt8(0))
    }

    /// Where the rest of a name stands already; its case there may be another.
    private func place(of wire: [UInt8], from position: Int, in buffer: ByteBuffer) -> Int? {
        self.places.first { Self.stands(wire, from: position, at: $0, in: buffer, self.start) }
    }

    /// Whether the name that we wrote at `offset` is the rest of `wire`; pointers in it were written by us and go back.
    private static func stands(_ wire: [UInt8], from: Int, at offset: Int, in buffer: ByteBuffer, _ start: Int) -> Bool
    {
        var position = from
        var cursor = start + offset
        while let length: UInt8 = buffer.getInteger(at: cursor) {
            if length & 0xc0 == 0xc0 {
                guard let pointer: UInt16 = buffer.getInteger(at: cursor) else { return false }
                cursor = start + Int(pointer & 0x3fff)
                continue
            }
            guard wire[position] == length else { return false }
            if length == 0 { return true }
            for index in 1...Int(length) {
                guard let byte: UInt8 = buffer.getInteger(at: cursor + index),
                    DNSName.folded(byte) == DNSName.folded(wire[position + index])
                else { return false }
            }
            position += 1 + Int(length)
            cursor += 1 + Int(length)
        }
        return false
    }
}
