package import DNSWire

/// What becomes of HTTPS and SVCB records (RFC 9460) of names outside the mesh.
///
/// They tell a client of addresses, of HTTP/3 and of encrypted hellos: ways around the proxy that the workload's
/// connections are led through, which knows a destination by its address and its server name (facts #11).
package enum ServiceBindings: Hashable, Sendable {
    /// Handed on as they are: nobody's connections are led anywhere.
    case unchanged
    /// Without addresses, keys for encrypted hellos, and HTTP/3.
    case filtered
    /// Answered as if there were none.
    case noData

    /// The record as it is handed on; `nil`: not at all.
    package func handedOn(_ record: DNSRecord) -> DNSRecord? {
        guard case .opaque(let type, let bytes) = record.data, type == .https || type == .svcb else { return record }
        switch self {
        case .unchanged: return record
        case .noData: return nil
        case .filtered:
            guard let filtered = Self.filtered(bytes) else { return nil }
            var record = record
            record.data = .opaque(type, filtered)
            return record
        }
    }

    /// Parameters by their number (RFC 9460 section 14.3.2).
    private enum Parameter {
        static let mandatory: UInt16 = 0
        static let alpn: UInt16 = 1
        static let noDefaultALPN: UInt16 = 2
        static let ipv4Hint: UInt16 = 4
        static let encryptedHello: UInt16 = 5
        static let ipv6Hint: UInt16 = 6
    }

    /// The data without what leads around the proxy; `nil` if it makes no sense, or none any more.
    private static func filtered(_ bytes: [UInt8]) -> [UInt8]? {
        guard bytes.count >= 3 else { return nil }
        // Priority, then the target's name, which is never compressed (section 2.2).
        var position = 2
        while position < bytes.count, bytes[position] != 0 {
            guard bytes[position] <= 63 else { return nil }
            position += 1 + Int(bytes[position])
        }
        position += 1
        guard position <= bytes.count else { return nil }
        var kept = Array(bytes[..<position])
        var removed: Set<UInt16> = []
        var mandatory: [UInt16] = []
        var hasProtocols = false
        var hasNoDefault = false
        while position < bytes.count {
            guard bytes.count - position >= 4 else { return nil }
            let key = UInt16(bytes[position]) << 8 | UInt16(bytes[position + 1])
            let length = Int(bytes[position + 2]) << 8 | Int(bytes[position + 3])
            let start = position + 4
            guard bytes.count - start >= length else { return nil }
            var value = bytes[start..<(start + length)]
            position = start + length
            switch key {
            case Parameter.ipv4Hint, Parameter.ipv6Hint, Parameter.encryptedHello:
                removed.insert(key)
                continue
            case Parameter.alpn:
                guard let protocols = Self.withoutHTTP3(value) else { return nil }
                guard !protocols.isEmpty else {
                    removed.insert(key)
                    continue
                }
                value = protocols[...]
                hasProtocols = true
            case Parameter.noDefaultALPN: hasNoDefault = true
            case Parameter.mandatory:
                guard length % 2 == 0 else { return nil }
                mandatory = stride(from: value.startIndex, to: value.endIndex, by: 2).map {
                    UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1])
                }
            default: ()
            }
            kept += [UInt8(key >> 8), UInt8(key & 0xff), UInt8(value.count >> 8), UInt8(value.count & 0xff)] + value
        }
        // Without what it calls necessary, or without any protocol, the record is of no use (sections 8 and 7.1.1).
        if mandatory.contains(where: removed.contains) || (hasNoDefault && !hasProtocols) { return nil }
        return kept
    }

    /// The protocols but `h3` and its drafts; `nil` if the list is broken.
    private static func withoutHTTP3(_ list: ArraySlice<UInt8>) -> [UInt8]? {
        var kept: [UInt8] = []
        var position = list.startIndex
        while position < list.endIndex {
            let end = position + 1 + Int(list[position])
            guard end <= list.endIndex else { return nil }
            if !list[(position + 1)..<end].starts(with: "h3".utf8) { kept += list[position..<end] }
            position = end
        }
        return kept
    }
}
