import PolicyEngine
import Testing

@Suite struct ReferenceTests {
    /// `name`, `name[key]` if read; with `!` in front if missed.
    private func references(_ source: String) throws -> [String] {
        let expression = try CompiledExpression(source, vocabulary: testVocabulary)
        var evaluation = Evaluation(testRequest)
        do throws(EvaluationError) { _ = try expression.evaluate(&evaluation) } catch {}
        return evaluation.references.all.map { reference in
            let name = testVocabulary.attributes[reference.slot].name + (reference.key.map { "[\($0)]" } ?? "")
            return (reference.condition == .absent ? "!" : "") + name
        }
    }

    @Test(
        "What was read or missed is noted, and nothing else",
        arguments: [
            ("1 == 1", []), ("response.code == 200", ["response.code"]),
            (#"source.principal | request.path"#, ["request.path", "!source.principal"]),
            (#"request.path | source.principal"#, ["request.path"]),
            (#"is.safe || response.code == 1"#, ["is.safe"]), (#"source.principal == "a""#, ["!source.principal"]),
            (#"request.headers["x-user"] == "ann""#, ["request.headers[x-user]"]),
            (#"request.headers["none"] | "" == """#, ["!request.headers[none]"]),
            (#"source.labels["app"] | """#, ["!source.labels"]),
            (#"(source.labels | request.headers)["x-user"]"#, ["request.headers[x-user]", "!source.labels"]),
            ("request.headers", ["request.headers"]), ("size(request.headers)", ["request.headers"]),
            (#"size(request.headers) == 2 && request.headers["x-user"] == "a""#, ["request.headers"]),
            (#"request.headers["x-user"] == "a" || request.headers["x-user"] == "ann""#, ["request.headers[x-user]"]),
        ]
    )
    func references(_ source: String, _ expected: [String]) throws {
        #expect(try self.references(source) == expected)
    }

    @Test("Expressions of one request add to the same references")
    func shared() throws {
        var evaluation = Evaluation(testRequest)
        for source in ["response.code", "request.path"] {
            _ = try CompiledExpression(source, vocabulary: testVocabulary).evaluate(&evaluation)
        }
        #expect(evaluation.references.all.count == 2)
    }

    @Test("Vocabularies of any size are tracked")
    func large() throws {
        let names = Dictionary(uniqueKeysWithValues: (0..<1000).map { ("a\($0)", ValueType.int64) })
        let vocabulary = AttributeVocabulary(names)
        var evaluation = Evaluation(AttributeBag(vocabulary))
        let source = (0..<1000).map { "a\($0)" }.joined(separator: "|") + "|1"
        _ = try CompiledExpression(source, vocabulary: vocabulary).evaluate(&evaluation)
        #expect(evaluation.references.all.count == 1000)
        #expect(evaluation.references.all.allSatisfy { $0.condition == .absent })
    }
}
