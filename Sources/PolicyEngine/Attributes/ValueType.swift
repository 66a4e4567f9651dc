/// The type of an attribute and of an expression, under the name that manifests write.
package enum ValueType: String, Sendable, Hashable, CaseIterable, CustomStringConvertible {
    case string = "STRING"
    case int64 = "INT64"
    case double = "DOUBLE"
    case bool = "BOOL"
    case timestamp = "TIMESTAMP"
    case ipAddress = "IP_ADDRESS"
    case emailAddress = "EMAIL_ADDRESS"
    case uri = "URI"
    case dnsName = "DNS_NAME"
    case duration = "DURATION"
    case stringMap = "STRING_MAP"

    /// The number of `istio.policy.v1beta1.ValueType`.
    package var number: Int {
        switch self {
        case .string: 1
        case .int64: 2
        case .double: 3
        case .bool: 4
        case .timestamp: 5
        case .ipAddress: 6
        case .emailAddress: 7
        case .uri: 8
        case .dnsName: 9
        case .duration: 10
        case .stringMap: 11
        }
    }

    package var description: String { self.rawValue }
}
