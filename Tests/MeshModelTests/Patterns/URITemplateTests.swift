import MeshModel
import Testing

/// Paths with variables.
@Suite struct URITemplateTests {
    private func variable(_ prefix: String = "", _ suffix: String = "") -> URITemplate.Segment {
        .variable(prefix: Array(prefix.utf8), suffix: Array(suffix.utf8))
    }

    @Test("What stands between slashes is a text or one variable")
    func segments() throws {
        let template = try URITemplate(parsing: "/v1/pets/{id}/photo-{number}.jpg/*/{owner.name=*}")
        #expect(
            template.segments == [
                .text(Array("v1".utf8)), .text(Array("pets".utf8)), self.variable(), self.variable("photo-", ".jpg"),
                self.variable(), self.variable(),
            ]
        )
        #expect(!template.isOpen)
    }

    @Test("Two stars at the end stand for what follows, and slashes there for nothing")
    func end() throws {
        for text in ["/a/**", "/a/{rest=**}"] {
            let template = try URITemplate(parsing: text)
            #expect(template.isOpen && template.segments == [.text(Array("a".utf8))])
        }
        #expect(try URITemplate(parsing: "/a/").segments == [.text(Array("a".utf8))])
        #expect(try URITemplate(parsing: "/").segments.isEmpty)
        // One inside is a part of its own.
        #expect(try URITemplate(parsing: "/a//b").segments.count == 3)
    }

    @Test(
        "What is no such path is refused",
        arguments: [
            "", "a", "{id}", "/{", "/{}", "/}", "/{a", "/a}", "/{a}{b}", "/{a b}", "/{a:1}", "/{?q*,lang}", "/a?b=c",
            "/a#b", "/**/a", "/{a=**}/b", "/{a=b/*}", "/a{b=**}", "/{.a}", "/{a..b}", "/a b", "/\u{7f}", "/é", "/[",
        ]
    )
    func malformed(_ text: String) {
        #expect(throws: URITemplate.SyntaxError.self) { try URITemplate(parsing: text) }
    }

    @Test("Templates have bounds")
    func bounds() throws {
        let longest = "/" + String(repeating: "a", count: URITemplate.bytesMax - 1)
        #expect(try URITemplate(parsing: longest).segments.count == 1)
        #expect(throws: URITemplate.SyntaxError.self) { try URITemplate(parsing: longest + "a") }
        let deepest = String(repeating: "/a", count: URITemplate.segmentsMax)
        #expect(try URITemplate(parsing: deepest).segments.count == URITemplate.segmentsMax)
        #expect(throws: URITemplate.SyntaxError.self) { try URITemplate(parsing: deepest + "/a") }
    }
}
