/// A value out of a Go program's `encoding/gob`, before it is known what it should be.
indirect enum GobValue: Sendable, Hashable {
    case bool(Bool)
    case int(Int64)
    case uint(UInt64)
    case float(Double)
    case bytes([UInt8])
    case string(String)
    case list([GobValue])
    case map([GobValue])
    /// Fields that are not zero, by name. Gob leaves out the others.
    case structure([String: GobValue])
    /// Two floats; nobody needs them.
    case complex

    var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    var fields: [String: GobValue]? {
        if case .structure(let fields) = self { fields } else { nil }
    }

    /// Any kind of number.
    var number: Double? {
        switch self {
        case .int(let value): Double(value)
        case .uint(let value): Double(value)
        case .float(let value): value
        case .bool, .bytes, .string, .list, .map, .structure, .complex: nil
        }
    }
}

/// Why bytes are no gob that we take.
package struct GobError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: Sendable, Hashable {
        case truncated, badNumber, badText, unknownType, badDefinition, tooLarge, trailingBytes, missingField
    }

    package var code: Code
    /// Where in the frame.
    package var offset: Int

    package var description: String {
        let what =
            switch self.code {
            case .truncated: "the message ends too early"
            case .badNumber: "a number is longer than eight bytes"
            case .badText: "a text is not UTF-8"
            case .unknownType: "a value has a type that was not defined"
            case .badDefinition: "a type's definition makes no sense"
            case .tooLarge: "more types, fields or values than a stat message has"
            case .trailingBytes: "a message is longer than its value"
            case .missingField: "no Key and Stat of a StatMessage"
            }
        return "gob, byte \(self.offset): \(what)"
    }
}
