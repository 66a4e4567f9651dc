/// The part of `metadata` that typed views look at.
package struct ObjectMeta: Codable, Hashable, Sendable {
    package var name: String
    package var generateName: String?
    package var namespace: String?
    package var uid: String
    package var resourceVersion: String
    package var generation: Int
    package var creationTimestamp: String?
    package var deletionTimestamp: String?
    package var labels: [String: String]
    package var annotations: [String: String]
}

/// A number or a text, as `targetPort` and `maxSurge` take.
package enum IntOrString: Codable, Hashable, Sendable, CustomStringConvertible {
    case int(Int)
    case string(String)

    package init(from decoder: any Decoder) throws {
        let value = try JSONValue(from: decoder)
        if let number = value.int {
            self = .int(number)
        } else if let text = value.string {
            self = .string(text)
        } else {
            let context = DecodingError.Context(
                codingPath: decoder.codingPath,
                debugDescription: "expected integer or string, found \(value.typeName)"
            )
            throw DecodingError.typeMismatch(IntOrString.self, context)
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .int(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        }
    }

    package var description: String {
        switch self {
        case .int(let value): String(value)
        case .string(let value): value
        }
    }

    /// The number that `25%` or `1` stands for, of `total`.
    package func scaled(of total: Int, roundingUp: Bool) -> Int? {
        switch self {
        case .int(let value): return value
        case .string(let text):
            guard text.hasSuffix("%"), let percent = Int(text.dropLast()), (0...100_000).contains(percent) else {
                return nil
            }
            return (total * percent + (roundingUp ? 99 : 0)) / 100
        }
    }
}

/// A reference to a sibling object by its name.
package struct LocalObjectReference: Codable, Hashable, Sendable {
    package var name: String
}

/// What an object says of itself: `Ready`, `Available`, …
package struct Condition: Codable, Hashable, Sendable {
    package var type: String
    /// `True`, `False` or `Unknown`.
    package var status: String
    package var reason: String?
    package var message: String?
    package var lastTransitionTime: String?
}
