import PolicyEngine
import Testing

@Suite struct AttributeVocabularyTests {
    @Test(
        "The built-in vocabulary knows what proxies send",
        arguments: [
            ("request.headers", ValueType.stringMap), ("source.ip", .ipAddress), ("response.duration", .duration),
            ("connection.mtls", .bool), ("context.reporter.kind", .string), ("destination.port", .int64),
            ("request.time", .timestamp), ("check.error_code", .int64), ("destination.container.name", .string),
        ]
    )
    func standard(_ name: String, _ type: ValueType) {
        #expect(AttributeVocabulary.standard.type(of: name) == type)
    }

    @Test("Slots are numbered from 0 without gaps")
    func slots() {
        let slots = AttributeVocabulary.standard.attributes.compactMap {
            AttributeVocabulary.standard.slot(of: $0.name)
        }
        #expect(slots == Array(0..<AttributeVocabulary.standard.attributes.count))
    }
}
