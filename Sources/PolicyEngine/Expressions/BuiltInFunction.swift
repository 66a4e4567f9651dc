/// The functions of the language.
///
/// Mixer has some as functions and some as methods (`"a.*".matches(x)`, `x.startsWith("a")`). Here each may be written
/// either way, the receiver being the first argument.
enum BuiltInFunction: String, CaseIterable {
    case conditional, conditionalString
    case dnsName, email, ip, timestamp, uri
    case match, matches, startsWith, endsWith
    case size, toLower, emptyStringMap

    /// What it takes; `nil` stands for a type that the checker works out.
    var parameters: [ValueType?] {
        switch self {
        case .conditional: [.bool, nil, nil]
        case .conditionalString: [.bool, .string, .string]
        case .dnsName, .email, .ip, .timestamp, .uri, .toLower: [.string]
        case .match, .matches, .startsWith, .endsWith: [.string, .string]
        case .size: [nil]
        case .emptyStringMap: []
        }
    }

    /// What it gives; `nil` for that of the branches of `conditional`.
    var result: ValueType? {
        switch self {
        case .conditional: nil
        case .conditionalString, .toLower: .string
        case .dnsName: .dnsName
        case .email: .emailAddress
        case .ip: .ipAddress
        case .timestamp: .timestamp
        case .uri: .uri
        case .match, .matches, .startsWith, .endsWith: .bool
        case .size: .int64
        case .emptyStringMap: .stringMap
        }
    }

    static let names = Self.allCases.map(\.rawValue).sorted().joined(separator: ", ")
}
