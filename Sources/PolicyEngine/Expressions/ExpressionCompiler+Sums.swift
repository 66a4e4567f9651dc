/// `+` on texts and whole numbers.
extension ExpressionCompiler {
    func joined(_ operands: [ExpressionNode]) throws(ExpressionError) -> Code<String> {
        var parts: [Code<String>] = []
        for operand in operands { parts.append(try self.string(operand)) }
        return Code { [parts] (evaluation: inout Evaluation) throws(EvaluationError) -> String in
            var text = ""
            for part in parts {
                text += try part.value(&evaluation)
                guard text.utf8.count <= Self.textBytesMax else {
                    throw EvaluationError(
                        code: .tooLarge,
                        message: "`+` would make a text of more than \(Self.textBytesMax) bytes"
                    )
                }
            }
            return text
        }
    }

    /// Mixer wraps around when a sum is too large; here it is an error, since no rule means the wrapped number.
    func sum(_ operands: [ExpressionNode]) throws(ExpressionError) -> Code<Int64> {
        var terms: [Code<Int64>] = []
        for operand in operands { terms.append(try self.int64(operand)) }
        return Code { [terms] (evaluation: inout Evaluation) throws(EvaluationError) -> Int64 in
            var sum: Int64 = 0
            for term in terms {
                let (next, overflows) = sum.addingReportingOverflow(try term.value(&evaluation))
                guard !overflows else {
                    throw EvaluationError(code: .tooLarge, message: "`+` exceeds what INT64 holds")
                }
                sum = next
            }
            return sum
        }
    }
}
