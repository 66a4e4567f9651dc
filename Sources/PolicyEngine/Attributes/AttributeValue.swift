package import MeshModel

/// The value of an attribute or of an expression.
package enum AttributeValue: Sendable, Hashable {
    case string(String)
    case int64(Int64)
    case double(Double)
    case bool(Bool)
    case timestamp(Timestamp)
    case duration(Duration)
    /// An IPv4 address inside an IPv6 one (`::ffff:0:0/96`) is held as IPv4; see ``AttributeValue/address(_:)``.
    case ipAddress(IPAddress)
    case emailAddress(String)
    case dnsName(String)
    case uri(String)
    case stringMap([String: String])

    package var type: ValueType {
        switch self {
        case .string: .string
        case .int64: .int64
        case .double: .double
        case .bool: .bool
        case .timestamp: .timestamp
        case .duration: .duration
        case .ipAddress: .ipAddress
        case .emailAddress: .emailAddress
        case .dnsName: .dnsName
        case .uri: .uri
        case .stringMap: .stringMap
        }
    }

    /// The one form of an address: proxies send IPv4 addresses as 4 or as 16 bytes, and both must be equal.
    package static func address(_ address: IPAddress) -> AttributeValue {
        if case .v6(0, let low) = address, low >> 32 == 0xffff {
            return .ipAddress(.v4(UInt32(truncatingIfNeeded: low)))
        }
        return .ipAddress(address)
    }

    /// An address of 4 or 16 bytes in network order; `nil` for any other number.
    package static func address(bytes: some Collection<UInt8>) -> AttributeValue? {
        func word(_ bytes: some Sequence<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
        switch bytes.count {
        case 4: return .ipAddress(.v4(UInt32(truncatingIfNeeded: word(bytes))))
        case 16: return self.address(.v6(high: word(bytes.prefix(8)), low: word(bytes.dropFirst(8))))
        default: return nil
        }
    }
}

extension AttributeValue: CustomStringConvertible {
    /// The value as expressions would write it: texts in quotes, members of a map in the order of their names.
    package var description: String {
        switch self {
        case .string(let text), .emailAddress(let text), .dnsName(let text), .uri(let text): Self.quoted(text)
        case .int64(let value): "\(value)"
        case .double(let value): "\(value)"
        case .bool(let value): "\(value)"
        case .timestamp(let value): "\(value)"
        case .duration(let value): DurationText.text(value)
        case .ipAddress(let value): "\(value)"
        case .stringMap(let entries):
            "{"
                + entries.sorted { $0.key < $1.key }
                .map { "\(Self.quoted($0.key)): \(Self.quoted($0.value))" }
                .joined(separator: ", ") + "}"
        }
    }

    /// The value as it stands in labels, names and headers: texts as they are.
    package var plainText: String {
        switch self {
        case .string(let text), .emailAddress(let text), .dnsName(let text), .uri(let text): text
        case .int64, .double, .bool, .timestamp, .duration, .ipAddress, .stringMap: "\(self)"
        }
    }

    /// The value of a metric; durations count in seconds. `nil` for what is no number.
    package var number: Double? {
        switch self {
        case .int64(let value): Double(value)
        case .double(let value): value
        case .duration(let value): value / .seconds(1)
        case .bool(let value): value ? 1 : 0
        case .string(let text): Double(text)
        case .timestamp, .ipAddress, .emailAddress, .dnsName, .uri, .stringMap: nil
        }
    }

    /// In double quotes, with `\` before quotes and control characters escaped.
    package static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
