/// Where names stand in the data of types that servers may compress (RFC 1035 section 3.3, RFC 3597 section 4).
///
/// Read with whole names, the data means the same in any other message.
struct DNSNamedData {
    /// Bytes before the first name.
    let bytes: Int
    /// Texts with a length byte each between those and the names.
    let texts: Int
    /// Names up to the end.
    let names: Int

    /// `nil`: the type's data holds no name that could be compressed, or the decoder has a case for it.
    init?(_ type: DNSType) {
        switch type.rawValue {
        // NS, MD, MF, MB, MG, MR, DNAME
        case 2, 3, 4, 7, 8, 9, 39: self.init(bytes: 0, texts: 0, names: 1)
        // MINFO, RP
        case 14, 17: self.init(bytes: 0, texts: 0, names: 2)
        // MX, AFSDB, RT, KX
        case 15, 18, 21, 36: self.init(bytes: 2, texts: 0, names: 1)
        // PX
        case 26: self.init(bytes: 2, texts: 0, names: 2)
        // NAPTR: order, preference, flags, services, regular expression, replacement
        case 35: self.init(bytes: 4, texts: 3, names: 1)
        default: return nil
        }
    }

    private init(bytes: Int, texts: Int, names: Int) {
        self.bytes = bytes
        self.texts = texts
        self.names = names
    }
}

extension DNSReader {
    /// The data of a record with its names as a whole; the caller checks where it ended.
    mutating func expanded(_ parts: DNSNamedData) throws(DNSDecodeError) -> [UInt8] {
        var data: [UInt8] = []
        for _ in 0..<parts.bytes { data.append(try self.eight()) }
        for _ in 0..<parts.texts {
            let length = try self.eight()
            data.append(length)
            for _ in 0..<length { data.append(try self.eight()) }
        }
        for _ in 0..<parts.names { data += try self.name().wire }
        return data
    }
}
