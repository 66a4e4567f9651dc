/// The evaluation of expressions for one request: its attributes, and what was read of them.
///
/// All expressions of a request share one, so that its references are those of the whole answer.
package struct Evaluation: Sendable {
    package let bag: AttributeBag
    package internal(set) var references = AttributeReferences()

    package init(_ bag: AttributeBag) { self.bag = bag }

    /// A later part of the same evaluation, with a bag that has more in it.
    init(_ bag: AttributeBag, references: AttributeReferences) {
        self.bag = bag
        self.references = references
    }
}

/// A STRING_MAP while an expression looks into it. Only the keys that are read count as references, so the attribute
/// that it came from is kept along; `nil` if it came from no attribute.
struct MapView: Sendable {
    var entries: [String: String]
    var slot: Int?
}
