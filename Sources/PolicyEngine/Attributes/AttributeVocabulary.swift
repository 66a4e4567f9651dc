/// The attributes that expressions may name, each with its type and a number of its own, its slot.
///
/// Expressions are compiled against one vocabulary and read the slots of bags that were filled for it.
package struct AttributeVocabulary: Sendable {
    package struct Attribute: Sendable, Hashable {
        package var name: String
        package var type: ValueType

        package init(name: String, type: ValueType) {
            self.name = name
            self.type = type
        }
    }

    /// In the order of their names; the index is the slot.
    package let attributes: [Attribute]
    private let slots: [String: Int]

    /// The last of two attributes with one name wins; who reads manifests tells people before.
    package init(_ types: [String: ValueType]) {
        self.attributes = types.map { Attribute(name: $0.key, type: $0.value) }.sorted { $0.name < $1.name }
        self.slots = Dictionary(
            self.attributes.enumerated().map { ($0.element.name, $0.offset) },
            uniquingKeysWith: { $1 }
        )
    }

    package func slot(of name: String) -> Int? { self.slots[name] }

    package func type(of name: String) -> ValueType? { self.slots[name].map { self.attributes[$0].type } }

    /// The known name that differs least from `name`, if it differs little: for messages about typing errors.
    func suggestion(for name: String) -> String? {
        guard name.utf8.count <= 64 else { return nil }
        let wanted = Array(name.utf8)
        let nearest = self.attributes.lazy
            .map { (name: $0.name, distance: Self.distance(wanted, Array($0.name.utf8))) }
            .min { $0.distance < $1.distance }
        guard let nearest, nearest.distance <= 3 else { return nil }
        return nearest.name
    }

    /// Letters to insert, remove or replace (Levenshtein).
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for (index, byte) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for (place, other) in right.enumerated() {
                let cost = byte == other ? diagonal : min(diagonal, row[place], row[place + 1]) + 1
                diagonal = row[place + 1]
                row[place + 1] = cost
            }
        }
        return row[right.count]
    }
}
