/// The attributes of one request or connection, by slot of one vocabulary.
package struct AttributeBag: Sendable, Hashable {
    private(set) var values: [AttributeValue?]

    /// An empty bag for `vocabulary`.
    package init(_ vocabulary: AttributeVocabulary) {
        self.values = Array(repeating: nil, count: vocabulary.attributes.count)
    }

    package subscript(slot: Int) -> AttributeValue? {
        get { self.values[slot] }
        set { self.values[slot] = newValue }
    }
}
