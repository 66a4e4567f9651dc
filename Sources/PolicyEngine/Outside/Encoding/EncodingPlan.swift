/// How a message is written for each request: what is known beforehand is encoded already, the rest is expressions.
package struct EncodingPlan: Sendable {
    /// What stands in a field that is no message of many.
    enum Leaf: Sendable, Hashable {
        case scalar(MessageForm.Scalar)
        /// `istio.policy.v1beta1.Value`: of whatever type the expression has.
        case value
        /// A message whose field 1 is the value: `istio.policy.v1beta1.DNSName` and its like, for these types.
        case wrapped(ValueType)
        case timestamp
        case duration
    }

    indirect enum Part: Sendable {
        /// Tag and all.
        case encoded([UInt8])
        case leaf(number: Int, Leaf, CompiledExpression, hasPresence: Bool)
        case packed(number: Int, MessageForm.Scalar, [CompiledExpression])
        case message(number: Int, [Part])
        case stringMap(number: Int, CompiledExpression)
    }

    /// A message that is larger than this is not sent: adapters take 4 MiB, and a report holds many.
    package static let bytesMax = 1 << 20

    let parts: [Part]

    /// All that is worked out for each request.
    var expressions: [CompiledExpression] { Self.expressions(self.parts) }

    private static func expressions(_ parts: [Part]) -> [CompiledExpression] {
        parts.flatMap { part -> [CompiledExpression] in
            switch part {
            case .encoded: []
            case .leaf(_, _, let expression, _), .stringMap(_, let expression): [expression]
            case .packed(_, _, let expressions): expressions
            case .message(_, let parts): self.expressions(parts)
            }
        }
    }

    /// The message for the evaluation's request.
    package func encode(_ evaluation: inout Evaluation) throws(EvaluationError) -> [UInt8] {
        var writer = WireWriter()
        try Self.write(self.parts, to: &writer, &evaluation)
        return writer.bytes
    }

    private static func write(
        _ parts: [Part],
        to writer: inout WireWriter,
        _ evaluation: inout Evaluation
    ) throws(EvaluationError) {
        for part in parts {
            switch part {
            case .encoded(let bytes): writer.raw(bytes)
            case .leaf(let number, let leaf, let expression, let hasPresence):
                let value = try expression.evaluate(&evaluation)
                try LeafWriter.write(value, as: leaf, number: number, hasPresence: hasPresence, to: &writer)
            case .packed(let number, let scalar, let expressions):
                var content = WireWriter()
                for expression in expressions {
                    try LeafWriter.write(try expression.evaluate(&evaluation), as: scalar, to: &content)
                }
                writer.field(number, content.bytes)
            case .message(let number, let parts):
                var content = WireWriter()
                try Self.write(parts, to: &content, &evaluation)
                writer.field(number, content.bytes)
            case .stringMap(let number, let expression):
                guard case .stringMap(let entries) = try expression.evaluate(&evaluation) else { continue }
                for (key, value) in entries.sorted(by: { $0.key < $1.key }) {
                    var entry = WireWriter()
                    entry.field(1, key.utf8)
                    entry.field(2, value.utf8)
                    writer.field(number, entry.bytes)
                }
            }
            guard writer.bytes.count <= Self.bytesMax else {
                throw EvaluationError(code: .tooLarge, message: "more than \(Self.bytesMax) bytes")
            }
        }
    }
}

extension EncodingPlan {
    /// The message, if there are no expressions in it.
    func encodeConstants() throws(EvaluationError) -> [UInt8] {
        var evaluation = Evaluation(AttributeBag(AttributeVocabulary([:])))
        return try self.encode(&evaluation)
    }
}
