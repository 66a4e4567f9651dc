/// The kind of a record or of what is asked for (RFC 1035 section 3.2.2 and the IANA registry).
package struct DNSType: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: UInt16

    package init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    package static let a = DNSType(rawValue: 1)
    package static let ns = DNSType(rawValue: 2)
    package static let cname = DNSType(rawValue: 5)
    package static let soa = DNSType(rawValue: 6)
    package static let ptr = DNSType(rawValue: 12)
    package static let mx = DNSType(rawValue: 15)
    package static let txt = DNSType(rawValue: 16)
    package static let aaaa = DNSType(rawValue: 28)
    package static let srv = DNSType(rawValue: 33)
    package static let dname = DNSType(rawValue: 39)
    package static let opt = DNSType(rawValue: 41)
    package static let rrsig = DNSType(rawValue: 46)
    package static let nsec = DNSType(rawValue: 47)
    package static let nsec3 = DNSType(rawValue: 50)
    package static let svcb = DNSType(rawValue: 64)
    package static let https = DNSType(rawValue: 65)
    package static let any = DNSType(rawValue: 255)
}

/// The class of a record; only the internet is of use.
package struct DNSClass: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt16

    package init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    package static let internet = DNSClass(rawValue: 1)
}

/// Start of authority: in a negative answer it says how long the answer may be kept (RFC 2308).
package struct DNSStartOfAuthority: Hashable, Sendable {
    package var primary: DNSName
    package var mailbox: DNSName
    package var serial: UInt32
    package var refresh: UInt32
    package var retry: UInt32
    package var expire: UInt32
    package var minimum: UInt32

    package init(
        primary: DNSName,
        mailbox: DNSName,
        serial: UInt32,
        refresh: UInt32,
        retry: UInt32,
        expire: UInt32,
        minimum: UInt32
    ) {
        self.primary = primary
        self.mailbox = mailbox
        self.serial = serial
        self.refresh = refresh
        self.retry = retry
        self.expire = expire
        self.minimum = minimum
    }
}

/// What a record says.
package enum DNSData: Hashable, Sendable {
    /// An IPv4 address in host order.
    case a(UInt32)
    /// An IPv6 address in host order.
    case aaaa(high: UInt64, low: UInt64)
    case cname(DNSName)
    case ptr(DNSName)
    case soa(DNSStartOfAuthority)
    case srv(priority: UInt16, weight: UInt16, port: UInt16, target: DNSName)
    /// Any other type as its bytes. Names in it are whole, also those that came compressed: of types that came after
    /// RFC 1035 none is (RFC 3597 section 4), the older ones are expanded when read.
    case opaque(DNSType, [UInt8])

    package var type: DNSType {
        switch self {
        case .a: .a
        case .aaaa: .aaaa
        case .cname: .cname
        case .ptr: .ptr
        case .soa: .soa
        case .srv: .srv
        case .opaque(let type, _): type
        }
    }
}

/// A resource record.
package struct DNSRecord: Hashable, Sendable {
    package var name: DNSName
    package var recordClass: DNSClass
    /// Seconds for which it may be kept.
    package var ttl: UInt32
    package var data: DNSData

    package init(name: DNSName, recordClass: DNSClass = .internet, ttl: UInt32, data: DNSData) {
        self.name = name
        self.recordClass = recordClass
        self.ttl = ttl
        self.data = data
    }
}
