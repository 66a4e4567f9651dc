package import KubernetesAPI

/// What an engine is asked to trace, as it stands in a request's body:
/// `{"attributes": {"request.path": "/"}, "asksAdapters": false}`.
package struct TraceQuestion: Sendable {
    /// Larger ones are refused; proxies' heads are at most 64 kB.
    package static let bytesMax = 1 << 20

    package var bag: AttributeBag
    /// Names that no attributemanifest defines.
    package var unknown: [String]
    /// Whether adapters that are processes of their own are asked, too.
    package var asksAdapters: Bool

    /// Reads the text of a question for an engine with this vocabulary.
    package init(_ text: some Collection<UInt8>, vocabulary: AttributeVocabulary) throws(AttributeDocument.Mistake) {
        let value: JSONValue
        do throws(JSONParseError) {
            value = try JSONValue.parse(text)
        } catch {
            throw AttributeDocument.Mistake(description: "the question is no JSON: \(error)")
        }
        guard let members = value.object else {
            throw AttributeDocument.Mistake(description: "the question is a \(value.typeName), not an object")
        }
        for name in members.keys.sorted() where !["attributes", "asksAdapters"].contains(name) {
            throw AttributeDocument.Mistake(description: "the question has no member `\(name)`")
        }
        let asks = value["asksAdapters"] ?? .bool(false)
        guard let asksAdapters = asks.bool else {
            throw AttributeDocument.Mistake(description: "asksAdapters is a \(asks.typeName), not true or false")
        }
        let document = try AttributeDocument(value["attributes"] ?? [:], vocabulary: vocabulary)
        self.bag = document.bag
        self.unknown = document.unknown
        self.asksAdapters = asksAdapters
    }

    /// The text of a question.
    package static func text(attributes: JSONValue, asksAdapters: Bool) -> String {
        JSONValue.object(["attributes": attributes, "asksAdapters": .bool(asksAdapters)]).text()
    }
}
