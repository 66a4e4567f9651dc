/// Where a record stands in a message's bytes.
package struct DNSRecordPlace: Hashable, Sendable {
    /// The offset of its owner's name.
    package var start: Int
    package var type: DNSType
    /// The offset of its four bytes of TTL.
    package var ttl: Int
    /// The offset behind it.
    package var end: Int
    /// How many bytes the owner's name has here; 2 if it is nothing but a pointer.
    package var nameLength: Int

    /// All records of a message, in their order; OPT is not among them, since its TTL is none.
    package static func all(in bytes: [UInt8]) throws(DNSDecodeError) -> [DNSRecordPlace] {
        var reader = DNSReader(bytes: bytes)
        for _ in 0..<2 { _ = try reader.sixteen() }
        let questions = try reader.sixteen()
        var records = 0
        for _ in 0..<3 { records += Int(try reader.sixteen()) }
        guard records <= DNSReader.recordsMax else { throw .tooManyRecords }
        for _ in 0..<questions {
            _ = try reader.name()
            _ = try reader.thirtyTwo()
        }
        var places: [DNSRecordPlace] = []
        for _ in 0..<records {
            let start = reader.position
            _ = try reader.name()
            let afterName = reader.position
            let type = DNSType(rawValue: try reader.sixteen())
            _ = try reader.sixteen()
            let ttl = reader.position
            _ = try reader.thirtyTwo()
            try reader.skip(Int(try reader.sixteen()))
            guard type != .opt else { continue }
            places.append(
                DNSRecordPlace(start: start, type: type, ttl: ttl, end: reader.position, nameLength: afterName - start)
            )
        }
        guard reader.isAtEnd else { throw .trailingBytes }
        return places
    }
}
