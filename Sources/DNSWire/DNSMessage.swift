/// How a question was answered (RFC 1035 section 4.1.1, RFC 6891 section 9).
package struct DNSResponseCode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// 0 to 15 in the header, more with the upper bits in the OPT record.
    package let rawValue: UInt16

    package init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    package static let noError = DNSResponseCode(rawValue: 0)
    package static let formatError = DNSResponseCode(rawValue: 1)
    package static let serverFailure = DNSResponseCode(rawValue: 2)
    package static let nameError = DNSResponseCode(rawValue: 3)
    package static let notImplemented = DNSResponseCode(rawValue: 4)
    package static let refused = DNSResponseCode(rawValue: 5)
    package static let badVersion = DNSResponseCode(rawValue: 16)

    package var description: String {
        switch self {
        case .noError: "NOERROR"
        case .formatError: "FORMERR"
        case .serverFailure: "SERVFAIL"
        case .nameError: "NXDOMAIN"
        case .notImplemented: "NOTIMP"
        case .refused: "REFUSED"
        case .badVersion: "BADVERS"
        default: "RCODE\(self.rawValue)"
        }
    }
}

/// The first four bytes of a message: its number and its flags.
package struct DNSHeader: Hashable, Sendable {
    package var id: UInt16
    /// All sixteen bits after the number, as they stand on the wire.
    package var flags: UInt16

    package init(id: UInt16, flags: UInt16 = 0) {
        self.id = id
        self.flags = flags
    }

    package var isResponse: Bool {
        get { self.flags & 0x8000 != 0 }
        set { self.set(0x8000, newValue) }
    }
    /// 0 is a standard query; everything else is not ours to answer.
    package var opcode: UInt16 { self.flags >> 11 & 0xf }
    package var isAuthoritative: Bool {
        get { self.flags & 0x0400 != 0 }
        set { self.set(0x0400, newValue) }
    }
    package var isTruncated: Bool {
        get { self.flags & 0x0200 != 0 }
        set { self.set(0x0200, newValue) }
    }
    package var wantsRecursion: Bool {
        get { self.flags & 0x0100 != 0 }
        set { self.set(0x0100, newValue) }
    }
    package var offersRecursion: Bool {
        get { self.flags & 0x0080 != 0 }
        set { self.set(0x0080, newValue) }
    }
    /// The client checks signatures itself (RFC 4035 section 3.2.2).
    package var disablesChecking: Bool { self.flags & 0x0010 != 0 }
    /// The lower four bits of the code.
    package var responseCode: DNSResponseCode {
        get { DNSResponseCode(rawValue: self.flags & 0xf) }
        set { self.flags = self.flags & 0xfff0 | newValue.rawValue & 0xf }
    }

    private mutating func set(_ bit: UInt16, _ isOn: Bool) {
        self.flags = isOn ? self.flags | bit : self.flags & ~bit
    }
}

/// What is asked.
package struct DNSQuestion: Hashable, Sendable {
    package var name: DNSName
    package var type: DNSType
    package var questionClass: DNSClass

    package init(name: DNSName, type: DNSType, questionClass: DNSClass = .internet) {
        self.name = name
        self.type = type
        self.questionClass = questionClass
    }
}

/// The OPT pseudo-record (RFC 6891).
package struct DNSExtension: Hashable, Sendable {
    /// The largest UDP message that its sender takes; below 512 it means 512 (section 6.2.3).
    package var payloadMax: UInt16
    package var version: UInt8
    /// The upper eight bits of the response code.
    package var responseCodeUpper: UInt8
    /// Whether the client wants signatures (DO).
    package var wantsSignatures: Bool

    package init(payloadMax: UInt16, version: UInt8 = 0, responseCodeUpper: UInt8 = 0, wantsSignatures: Bool = false) {
        self.payloadMax = payloadMax
        self.version = version
        self.responseCodeUpper = responseCodeUpper
        self.wantsSignatures = wantsSignatures
    }
}

/// A whole message, a query or a response.
package struct DNSMessage: Hashable, Sendable {
    package var header: DNSHeader
    package var questions: [DNSQuestion]
    package var answers: [DNSRecord]
    package var authorities: [DNSRecord]
    /// Without the OPT record, which is `edns`.
    package var additionals: [DNSRecord]
    package var edns: DNSExtension?

    package init(
        header: DNSHeader,
        questions: [DNSQuestion] = [],
        answers: [DNSRecord] = [],
        authorities: [DNSRecord] = [],
        additionals: [DNSRecord] = [],
        edns: DNSExtension? = nil
    ) {
        self.header = header
        self.questions = questions
        self.answers = answers
        self.authorities = authorities
        self.additionals = additionals
        self.edns = edns
    }

    /// The whole code, the OPT record's part included.
    package var responseCode: DNSResponseCode {
        let upper = UInt16(self.edns?.responseCodeUpper ?? 0)
        return DNSResponseCode(rawValue: upper << 4 | self.header.responseCode.rawValue)
    }
}
