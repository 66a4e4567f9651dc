package import NIOCore

/// Why bytes are no DNS message.
package enum DNSDecodeError: Error, Hashable {
    /// The bytes end inside something.
    case truncated
    /// A label's length byte is neither a length nor a pointer (RFC 1035 section 4.1.4).
    case badLabel
    /// A pointer does not point back.
    case badPointer
    /// A name is over 255 bytes.
    case nameTooLong
    /// A record's data is longer or shorter than its type allows.
    case badData
    /// There are more records than anybody needs.
    case tooManyRecords
    /// OPT twice, outside the additional section, or not at the root (RFC 6891 section 6.1.1).
    case badExtension
    /// Bytes follow the message.
    case trailingBytes
}

extension DNSMessage {
    /// Reads a whole message.
    ///
    /// Anything may come from the network: every read is checked, names are bounded, pointers go back only, and the
    /// work is linear in the number of bytes times the length of a name.
    package init(decoding buffer: ByteBuffer) throws(DNSDecodeError) {
        try self.init(decoding: Array(buffer.readableBytesView))
    }

    package init(decoding bytes: [UInt8]) throws(DNSDecodeError) {
        var reader = DNSReader(bytes: bytes)
        self.init(header: DNSHeader(id: try reader.sixteen(), flags: try reader.sixteen()))
        let counts = (
            questions: try reader.sixteen(), answers: try reader.sixteen(), authorities: try reader.sixteen(),
            additionals: try reader.sixteen()
        )
        let total = Int(counts.questions) + Int(counts.answers) + Int(counts.authorities) + Int(counts.additionals)
        guard total <= DNSReader.recordsMax else { throw .tooManyRecords }
        for _ in 0..<counts.questions {
            self.questions.append(
                DNSQuestion(
                    name: try reader.name(),
                    type: DNSType(rawValue: try reader.sixteen()),
                    questionClass: DNSClass(rawValue: try reader.sixteen())
                )
            )
        }
        self.answers = try Self.records(counts.answers, &reader)
        self.authorities = try Self.records(counts.authorities, &reader)
        for _ in 0..<counts.additionals {
            switch try reader.record() {
            case .record(let record): self.additionals.append(record)
            case .edns(let edns):
                guard self.edns == nil else { throw .badExtension }
                self.edns = edns
            }
        }
        guard reader.isAtEnd else { throw .trailingBytes }
    }

    private static func records(_ count: UInt16, _ reader: inout DNSReader) throws(DNSDecodeError) -> [DNSRecord] {
        var found: [DNSRecord] = []
        for _ in 0..<count {
            switch try reader.record() {
            case .record(let record): found.append(record)
            case .edns: throw .badExtension
            }
        }
        return found
    }
}

/// Reads the parts of a message one after the other.
struct DNSReader {
    /// The smallest record has 11 bytes, so that 65,535 bytes never hold more than 5,957; nobody sends half of that.
    static let recordsMax = 4096

    let bytes: [UInt8]
    private(set) var position = 0

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    enum Record {
        case record(DNSRecord)
        case edns(DNSExtension)
    }

    var isAtEnd: Bool { self.position == self.bytes.count }

    mutating func eight() throws(DNSDecodeError) -> UInt8 {
        guard self.position < self.bytes.count else { throw .truncated }
        defer { self.position += 1 }
        return self.bytes[self.position]
    }

    mutating func sixteen() throws(DNSDecodeError) -> UInt16 {
        guard self.bytes.count - self.position >= 2 else { throw .truncated }
        defer { self.position += 2 }
        return UInt16(self.bytes[self.position]) << 8 | UInt16(self.bytes[self.position + 1])
    }

    mutating func thirtyTwo() throws(DNSDecodeError) -> UInt32 {
        UInt32(try self.sixteen()) << 16 | UInt32(try self.sixteen())
    }

    mutating func sixtyFour() throws(DNSDecodeError) -> UInt64 {
        UInt64(try self.thirtyTwo()) << 32 | UInt64(try self.thirtyTwo())
    }

    mutating func skip(_ count: Int) throws(DNSDecodeError) {
        guard self.bytes.count - self.position >= count else { throw .truncated }
        self.position += count
    }

    /// Reads a name, following pointers; the position ends behind the name's first pointer or its root.
    mutating func name() throws(DNSDecodeError) -> DNSName {
        var wire: [UInt8] = []
        var cursor = self.position
        // Each pointer must lead before the place that the last one led to: a loop is impossible, and so is a
        // walk that is longer than the message.
        var limit = self.position
        var isInline = true
        while true {
            guard cursor < self.bytes.count else { throw .truncated }
            let length = Int(self.bytes[cursor])
            switch length & 0xc0 {
            case 0x00:
                let end = cursor + 1 + length
                guard end <= self.bytes.count else { throw .truncated }
                guard wire.count + 1 + length <= DNSName.wireLengthMax else { throw .nameTooLong }
                wire.append(contentsOf: self.bytes[cursor..<end])
                cursor = end
                if isInline { self.position = end }
                if length == 0 { return DNSName(unchecked: wire) }
            case 0xc0:
                guard cursor + 1 < self.bytes.count else { throw .truncated }
                let target = (length & 0x3f) << 8 | Int(self.bytes[cursor + 1])
                guard target < limit else { throw .badPointer }
                if isInline { self.position = cursor + 2 }
                isInline = false
                limit = target
                cursor = target
            default: throw .badLabel
            }
        }
    }

    mutating func record() throws(DNSDecodeError) -> Record {
        let name = try self.name()
        let type = DNSType(rawValue: try self.sixteen())
        let classValue = try self.sixteen()
        let ttl = try self.thirtyTwo()
        let length = Int(try self.sixteen())
        guard self.bytes.count - self.position >= length else { throw .truncated }
        let end = self.position + length
        if type == .opt {
            guard name.isRoot else { throw .badExtension }
            try self.skipOptions(to: end)
            return .edns(
                DNSExtension(
                    payloadMax: classValue,
                    version: UInt8(truncatingIfNeeded: ttl >> 16),
                    responseCodeUpper: UInt8(truncatingIfNeeded: ttl >> 24),
                    wantsSignatures: ttl & 0x8000 != 0
                )
            )
        }
        let data = try self.data(type, length: length)
        guard self.position == end else { throw .badData }
        return .record(
            DNSRecord(name: name, recordClass: DNSClass(rawValue: classValue), ttl: ttl, data: data)
        )
    }

    private mutating func data(_ type: DNSType, length: Int) throws(DNSDecodeError) -> DNSData {
        switch type {
        case .a:
            guard length == 4 else { throw .badData }
            return .a(try self.thirtyTwo())
        case .aaaa:
            guard length == 16 else { throw .badData }
            return .aaaa(high: try self.sixtyFour(), low: try self.sixtyFour())
        case .cname: return .cname(try self.name())
        case .ptr: return .ptr(try self.name())
        case .soa:
            return .soa(
                DNSStartOfAuthority(
                    primary: try self.name(),
                    mailbox: try self.name(),
                    serial: try self.thirtyTwo(),
                    refresh: try self.thirtyTwo(),
                    retry: try self.thirtyTwo(),
                    expire: try self.thirtyTwo(),
                    minimum: try self.thirtyTwo()
                )
            )
        case .srv:
            return .srv(
                priority: try self.sixteen(),
                weight: try self.sixteen(),
                port: try self.sixteen(),
                target: try self.name()
            )
        default:
            if let parts = DNSNamedData(type) { return .opaque(type, try self.expanded(parts)) }
            defer { self.position += length }
            return .opaque(type, Array(self.bytes[self.position..<(self.position + length)]))
        }
    }

    /// Options are between neighbours (cookies, padding, …): checked for their form and dropped.
    private mutating func skipOptions(to end: Int) throws(DNSDecodeError) {
        while self.position < end {
            guard end - self.position >= 4 else { throw .badExtension }
            _ = try self.sixteen()
            let length = Int(try self.sixteen())
            guard end - self.position >= length else { throw .badExtension }
            self.position += length
        }
    }
}
