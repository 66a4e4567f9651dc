import PolicyEngine
import Testing

@Suite struct ExpressionErrorTests {
    private func refusal(_ source: String, wanted: ValueType? = nil) -> ExpressionError? {
        do throws(ExpressionError) {
            _ = try CompiledExpression(source, vocabulary: testVocabulary, wanted: wanted)
            return nil
        } catch {
            return error
        }
    }

    private func failure(_ source: String, _ bag: AttributeBag = testRequest) throws -> EvaluationError? {
        let expression = try CompiledExpression(source, vocabulary: testVocabulary)
        var evaluation = Evaluation(bag)
        do throws(EvaluationError) {
            _ = try expression.evaluate(&evaluation)
            return nil
        } catch {
            return error
        }
    }

    @Test(
        "What is no expression is a syntax error with its column",
        arguments: [
            ("", 1), ("response.code = 2", 15), ("response.code ==", 17), ("(1 == 1", 8), ("1 == 1)", 7), ("a.b.", 5),
            (#""abc"#, 1), (#""\q""#, 2), ("1 == 0x10", 6), ("99999999999999999999", 1), ("is.safe & true", 9),
            ("!is.safe", 1),
            ("load * 2", 6), ("request.size - 1", 14), ("-is.safe", 2), (#"request.headers["a""#, 20), ("size(", 6),
            (#"size("a",)"#, 10), ("1 2", 3), (#"("a").b"#, 7), ("§", 1), (#""é" = 1"#, 5), (#""\xff""#, 1),
            ("'a\nb'", 1),
            (#""\ud800""#, 2), ("a b", 3), ("[1]", 1), (".a", 1), ("1.5.2", 4),
        ]
    )
    func syntax(_ source: String, _ column: Int) throws {
        let error = try #require(self.refusal(source))
        #expect(error.kind == .syntax)
        #expect(error.column == column, "\(error)")
    }

    @Test(
        "What mixes types is a type error with its column",
        arguments: [
            ("true == response.code", 9), ("3.14 == response.code", 9), (#"response.code == "200""#, 18),
            ("source.ip == \"10.0.0.1\"", 14), ("request.path && true", 1), ("true || 1", 9),
            ("request.size | \"x\"", 16),
            ("source.unknown", 1), ("is.safe < is.known", 1), ("request.headers == source.labels", 1),
            ("is.safe + is.known", 1), ("frobnicate(1)", 1), ("size(1)", 6), ("size()", 1), (#"size("a", "b")"#, 1),
            ("ip(2)", 4), (#"match(request.host, 1)"#, 21), ("conditional(1, 2, 3)", 13),
            (#"conditional(true, 2, "a")"#, 22),
            (#"request.path["x"]"#, 1), ("request.headers[1]", 17), (#"mail == "a@b.c""#, 9),
            ("response.duration == \"soon\"", 22),
            (#"ip("10.1.12")"#, 4), (#"timestamp("242233")"#, 11), (#"timestamp("2015-02-30T00:00:00Z")"#, 11),
            (#"dnsName("a b")"#, 9), (#"email("Ann <a@b.c>")"#, 7), (#"uri("")"#, 5),
            (#""(".matches(request.path)"#, 1),
            (#"request.path.matches("a{1001}")"#, 22), ("request.path == 1 || is.safe", 17),
        ]
    )
    func types(_ source: String, _ column: Int) throws {
        let error = try #require(self.refusal(source))
        #expect(error.kind == .type)
        #expect(error.column == column, "\(error)")
    }

    @Test("A field's type decides what a text is, and refuses other types")
    func wanted() throws {
        let five = try CompiledExpression(#""5s""#, vocabulary: testVocabulary, wanted: .string)
        #expect(five.type == .string)
        #expect(try CompiledExpression(#""5s""#, vocabulary: testVocabulary, wanted: .duration).type == .duration)
        #expect(self.refusal("response.code", wanted: .string)?.kind == .type)
        #expect(self.refusal(#"request.path | "0""#, wanted: .string) == nil)
    }

    @Test("A mistyped attribute is told the name that was meant")
    func suggestion() throws {
        #expect(try #require(self.refusal("request.pth")).message.contains("`request.path`"))
        #expect(try #require(self.refusal("completely.other")).message.contains("attributemanifest"))
    }

    @Test(
        "What only a request can show is an error of evaluation",
        arguments: [
            (#"source.principal == "x""#, EvaluationError.Code.missingAttribute), ("source.labels", .missingAttribute),
            (#"source.labels["app"] == "x""#, .missingAttribute), (#"request.headers["absent"]"#, .missingKey),
            (#"source.principal | source.labels["x"]"#, .missingAttribute), (#"ip(request.path)"#, .invalidValue),
            (#"timestamp(request.path) == request.time"#, .invalidValue),
            (#"(request.path + "(").matches(request.host)"#, .invalidValue),
            ("9223372036854775807 + response.code", .tooLarge), (#"size(source.principal) | 1"#, .missingAttribute),
            ("-9223372036854775807 + -2", .tooLarge),
        ]
    )
    func evaluation(_ source: String, _ code: EvaluationError.Code) throws {
        #expect(try self.failure(source)?.code == code)
    }

    @Test("An attribute that is sent with another type than its manifest says is an error of evaluation")
    func otherType() throws {
        #expect(try self.failure("request.size == 1", AttributeBag(["request.size": .string("1")]))?.code == .otherType)
        #expect(try self.failure("request.size | 1", AttributeBag(["request.size": .string("1")]))?.code == .otherType)
        #expect(try self.failure("source.labels", AttributeBag(["source.labels": .bool(true)]))?.code == .otherType)
        #expect(
            try self.failure(#"mail == mail"#, AttributeBag(["mail": .emailAddress("none")]))?.code == .invalidValue
        )
    }
}
