/// A message type as a descriptor tells it: enough to write and read its messages without generated code.
package struct MessageForm: Sendable, Hashable {
    package enum Scalar: Sendable, Hashable {
        case double, float
        case int32, int64, uint32, uint64, sint32, sint64
        case fixed32, fixed64, sfixed32, sfixed64
        case bool, string, bytes

        /// Whether many of them may stand side by side under one tag.
        var isPackable: Bool { self != .string && self != .bytes }
    }

    package enum Kind: Sendable, Hashable {
        case scalar(Scalar)
        /// By the full name of its type, `.package.Name`.
        case enumeration(String)
        case message(String)
    }

    package struct Field: Sendable, Hashable {
        package var name: String
        package var jsonName: String
        package var number: Int
        package var kind: Kind
        package var isRepeated = false
        package var isPacked = false
        /// A zero or an empty text says something, and is written.
        package var hasPresence = false
        /// Of the fields with one number here only one may be set.
        package var choice: Int?

        /// Whether people mean it by `key`: `source_uid` is written `sourceUid`, too.
        func isNamed(_ key: String) -> Bool { key == self.name || key == self.jsonName }
    }

    /// `.package.Name`
    package var name: String
    /// By number, ascending.
    package var fields: [Field]
    /// An entry of a map: a key and a value.
    package var isMapEntry = false

    package func field(_ name: String) -> Field? { self.fields.first { $0.name == name } }
}
