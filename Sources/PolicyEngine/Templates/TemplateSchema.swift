/// The form of a template: which fields its instances have, and what is done with them.
package struct TemplateSchema: Sendable, Hashable {
    package enum Variety: Sendable, Hashable {
        /// The answer decides whether a request passes.
        case check
        /// Something has happened; there is no answer.
        case report
        /// The answer is an amount.
        case quota
        /// The answer is attributes, which all others see.
        case attributes
    }

    package indirect enum FieldKind: Sendable, Hashable {
        case typed(ValueType)
        /// Of one of several types; of two that fit, the first.
        case oneOf([ValueType])
        /// Of whatever type the expression has.
        case value
        case valueMap
        case message([Field])
    }

    package struct Field: Sendable, Hashable {
        package var name: String
        package var kind: FieldKind

        package init(_ name: String, _ kind: FieldKind) {
            self.name = name
            self.kind = kind
        }
    }

    package var name: String
    package var variety: Variety
    package var fields: [Field]
    /// What instances of variety `attributes` give back, by the name behind `$out.`.
    package var output: [String: ValueType]
    /// How instances are written for adapters outside; `nil` for templates of the engine.
    package var outside: OutsideTemplate?

    package init(
        _ name: String,
        _ variety: Variety,
        _ fields: [Field],
        output: [String: ValueType] = [:],
        outside: OutsideTemplate? = nil
    ) {
        self.name = name
        self.variety = variety
        self.fields = fields
        self.output = output
        self.outside = outside
    }
}
