internal import MeshModel

/// A regular expression that is looked for anywhere in a text, in RE2's syntax, in linear time and within bounds.
struct TextSearch: Sendable {
    /// Bytes of an expression.
    static let sourceBytesMax = 1024
    /// Steps of the expression times bytes of the text: some 50 ms of one processor, which no honest rule needs.
    static let workMax = 1 << 23

    /// Why a text is no expression.
    struct Invalid: Error, Sendable, Hashable, CustomStringConvertible {
        var description: String
    }

    private let pattern: Pattern

    /// What each byte of a text costs.
    var stepCount: Int { self.pattern.stepCount }

    init(_ source: String) throws(Invalid) {
        guard source.utf8.count <= Self.sourceBytesMax else {
            throw Invalid(description: "it has more than \(Self.sourceBytesMax) bytes")
        }
        do throws(Pattern.SyntaxError) {
            // On its own first, so that parentheses of its own cannot close those around it.
            _ = try Pattern(compiling: source)
            self.pattern = try Pattern(compiling: "(?s:.*)(?:\(source))(?s:.*)")
        } catch {
            throw Invalid(description: error.message)
        }
    }

    func isFound(in text: String) throws(EvaluationError) -> Bool {
        guard text.utf8.count <= Self.workMax / max(1, self.pattern.stepCount) else {
            throw EvaluationError(
                code: .tooLarge,
                message: "a text of \(text.utf8.count) bytes is too long for this regular expression"
            )
        }
        return self.pattern.matches(Array(text.utf8))
    }
}
