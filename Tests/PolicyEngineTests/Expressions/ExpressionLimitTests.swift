import PolicyEngine
import Testing

@Suite struct ExpressionLimitTests {
    private func compile(_ source: String) throws(ExpressionError) -> CompiledExpression {
        try CompiledExpression(source, vocabulary: testVocabulary)
    }

    @Test("An expression may have 16384 bytes and not one more")
    func length() throws {
        let text = #""\#(String(repeating: "a", count: 16_382))""#
        #expect(try self.compile(text).type == .string)
        #expect(throws: ExpressionError.self) { try self.compile(text + " ") }
    }

    @Test(
        "Nesting is refused before it exhausts the stack",
        arguments: [
            String(repeating: "(", count: 8000) + "1" + String(repeating: ")", count: 8000),
            String(repeating: "size(", count: 3000), String(repeating: "a[", count: 8000),
            "1" + String(repeating: " == true", count: 2000), String(repeating: "-", count: 16_000),
            String(repeating: "conditional(true, ", count: 900),
            "request.path" + String(repeating: ".toLower()", count: 1600),
            "request.path" + String(repeating: " + request.path | request.path", count: 540),
            String(repeating: "a.", count: 8000) + "a",
        ]
    )
    func nesting(_ source: String) {
        #expect(throws: ExpressionError.self) { try self.compile(source) }
    }

    @Test("Long chains of one operator are no nesting")
    func chains() throws {
        let either = "false" + String(repeating: " || false", count: 1700) + " || true"
        #expect(try evaluated(either) == "BOOL true")
        #expect(try evaluated("1" + String(repeating: " + 1", count: 4000)) == "INT64 4001")
        let alternatives = String(repeating: "source.principal | ", count: 800) + #""x""#
        #expect(try evaluated(alternatives) == #"STRING "x""#)
    }

    @Test("Deep conditionals are checked in linear time")
    func conditionals() throws {
        var source = "1"
        for _ in 0..<95 { source = "conditional(is.safe, \(source), 2)" }
        #expect(try evaluated(source) == "INT64 1")
    }

    @Test("Texts cannot be doubled without end")
    func doubling() throws {
        let bag = AttributeBag(["request.path": .string(String(repeating: "a", count: 65_536))])
        let fits = "size(" + String(repeating: "request.path + ", count: 15) + "request.path)"
        #expect(try evaluated(fits, bag) == "INT64 1048576")
        #expect(throws: EvaluationError.self) {
            try evaluated("size(" + String(repeating: "request.path + ", count: 16) + "request.path)", bag)
        }
    }

    @Test("A regular expression on a long text is refused when it would take too long")
    func patterns() throws {
        let bag = AttributeBag(["request.path": .string(String(repeating: "a", count: 1 << 20))])
        #expect(throws: EvaluationError.self) { try evaluated(#""(a*)*b".matches(request.path)"#, bag) }
        let short = AttributeBag(["request.path": .string(String(repeating: "a", count: 4096))])
        #expect(try evaluated(#""(a*)*(a*)*b".matches(request.path)"#, short) == "BOOL false")
        #expect(throws: ExpressionError.self) { try evaluated(#""a)(b".matches(request.path)"#) }
    }
}
