import KubernetesAPI
import PolicyEngine
import Testing

@Suite struct AttributeDocumentTests {
    @Test("Every type has its form in JSON; an object may stand for the parts of a name")
    func reads() throws {
        let json = try JSONValue.parse(
            """
            {"request.path": "/", "request": {"size": "7", "headers": {"a": "b"}}, "response.code": 200, "load": 1,
             "request.time": "2020-01-01T00:00:00Z", "response.duration": "3s", "source.ip": "::ffff:10.0.0.1",
             "is.safe": true, "mail": "a@b.c", "name": "a.b", "link": "/", "source.principal": null, "other": {"x": 1}}
            """
        )

        let document = try AttributeDocument(json, vocabulary: testVocabulary)

        #expect(document.unknown == ["other.x"])
        let expressions = [
            "request.size == 7", #"request.headers["a"] == "b""#, "load == 1.0", #"source.ip == ip("10.0.0.1")"#,
            #"response.duration == "3s""#, #"request.time == timestamp("2020-01-01T00:00:00Z")"#,
            #"(source.principal | "none") == "none""#, "is.safe",
        ]
        for expression in expressions {
            #expect(try evaluated(expression, document.bag) == "BOOL true", "\(expression)")
        }
    }

    @Test(
        "A value of another type is refused, with the attribute's name",
        arguments: [
            #"{"request.path": 1}"#, #"{"request.size": 1.5}"#, #"{"response.duration": "soon"}"#,
            #"{"source.ip": "10.0.0"}"#,
            #"{"request.headers": {"a": 1}}"#, #"{"is.safe": "true"}"#, #"{"request.time": "today"}"#, "[]", "1",
        ]
    )
    func refuses(_ text: String) throws {
        let json = try JSONValue.parse(text)
        #expect(throws: AttributeDocument.Mistake.self) { try AttributeDocument(json, vocabulary: testVocabulary) }
    }
}
