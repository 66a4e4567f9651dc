/// Why a text is no expression, or not one for these attributes: found before anything is evaluated.
package struct ExpressionError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Kind: String, Sendable { case syntax, type }

    package var kind: Kind
    /// In characters, from 1.
    package var column: Int
    package var message: String

    /// How the message about an attribute ends that no manifest defines, and that is no slip of the pen either: it may
    /// be somebody's own, whose manifest comes later.
    static let undefinedAttribute = "no attributemanifest defines it"

    package var description: String { "\(self.kind) error: column \(self.column): \(self.message)" }
}

/// Why an expression has no value for one request.
package struct EvaluationError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// An attribute that the request lacks; `|` gives it a default.
        case missingAttribute
        /// A key that a map lacks.
        case missingKey
        /// The request has it, with another type than the manifest says.
        case otherType
        /// A text that is no address, name, moment or regular expression.
        case invalidValue
        /// Beyond a bound: too large a number, text or amount of work.
        case tooLarge
    }

    package var code: Code
    package var message: String

    package var description: String { "evaluation error: \(self.message)" }
}
