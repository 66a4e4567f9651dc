internal import KubernetesAPI

extension CompiledExpression {
    /// Why a member of an object is no expression.
    struct MemberMistake: Error {
        var message: String
    }

    /// The expression that stands in an object; `nil` if there is none. YAML turns `1` and `true` into what they look
    /// like; they are expressions as well.
    static func member(
        _ value: JSONValue,
        vocabulary: AttributeVocabulary,
        wanted: ValueType?
    ) throws(MemberMistake) -> CompiledExpression? {
        let source: String
        switch value {
        case .string(let text): source = text
        case .integer, .number, .bool: source = value.text()
        case .null: return nil
        case .array, .object: throw MemberMistake(message: "is a \(value.typeName), not an expression")
        }
        if source.allSatisfy(\.isWhitespace) { return nil }
        do throws(ExpressionError) {
            return try CompiledExpression(source, vocabulary: vocabulary, wanted: wanted)
        } catch {
            throw MemberMistake(message: "\(error); in: \(source)")
        }
    }
}
