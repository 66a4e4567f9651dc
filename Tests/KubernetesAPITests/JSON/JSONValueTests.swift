import KubernetesAPI
import Testing

@Suite struct JSONValueTests {
    @Test("Whole numbers of 64 bits stay exact, larger ones become doubles")
    func wholeNumbers() throws {
        #expect(try JSONValue.parse("9223372036854775807") == .integer(.max))
        #expect(try JSONValue.parse("-9223372036854775808") == .integer(.min))
        #expect(try JSONValue.parse("9223372036854775808") == .number(9_223_372_036_854_775_808))
        #expect(try JSONValue.parse("1.0") == .number(1))
        #expect(try JSONValue.parse("1e2").int == 100)
    }

    @Test("Of two members with one name the last wins")
    func duplicates() throws {
        #expect(try JSONValue.parse(#"{"a":1,"a":2}"#) == ["a": 2])
    }

    @Test("Nesting is accepted up to the limit and refused beyond it")
    func depth() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(throws: Never.self) { try JSONValue.parse(nested(JSONValue.depthMax)) }
        #expect(throws: JSONParseError.self) { try JSONValue.parse(nested(JSONValue.depthMax + 1)) }
    }

    @Test("A document is accepted up to the caller's limit of bytes and refused beyond it")
    func size() throws {
        #expect(try JSONValue.parse("[1]", bytesMax: 3) == [1])
        #expect(throws: JSONParseError.self) { try JSONValue.parse("[1]", bytesMax: 2) }
    }

    @Test(
        "Malformed documents are refused",
        arguments: [
            "", "{", "[1,]", "{\"a\"}", "{a:1}", "01", "1.", "-", "1e", "nul", "\"\\x\"", "\"a", "\"\n\"", "[1] 2",
            "1e999", "\"\\u12G4\"", "'a'", "[1 2]",
        ]
    )
    func refuses(_ text: String) {
        #expect(throws: JSONParseError.self) { try JSONValue.parse(text) }
    }

    @Test("Bytes that are no UTF-8 are refused")
    func refusesBadUTF8() {
        #expect(throws: JSONParseError.self) { try JSONValue.parse([0x22, 0xFF, 0x22]) }
    }

    @Test("An error says the line and the column")
    func errorPosition() {
        let error = #expect(throws: JSONParseError.self) { try JSONValue.parse("{\n  \"a\": x\n}") }
        #expect(error?.line == 2)
        #expect(error?.column == 8)
    }

    @Test("Escapes are read, surrogate pairs included, and a lone surrogate is replaced")
    func escapes() throws {
        #expect(try JSONValue.parse(#""a\n\t\"\\\/\u00e9\ud83d\ude00b""#) == "a\n\t\"\\/é😀b")
        #expect(try JSONValue.parse(#""\ud83dx""#) == "\u{FFFD}x")
        #expect(try JSONValue.parse(#""\ud83d\u0041""#) == "\u{FFFD}A")
    }

    @Test("What is written reads back equal, with members in order")
    func roundTrip() throws {
        let value: JSONValue = [
            "z": [1, 2.5, true, .null, "é\u{1}\"\\\n"], "a": [:], "m": [], "n": -7, "o": ["p": ["q": "r"]],
        ]
        #expect(try JSONValue.parse(value.serialize()) == value)
        #expect(try JSONValue.parse(value.serialize(pretty: true)) == value)
        #expect(JSONValue(["b": "2", "a": "1"]).text() == #"{"a":"1","b":"2"}"#)
    }

    @Test("A path reads through objects and lists")
    func readsPaths() {
        let value: JSONValue = ["spec": ["hosts": ["a", "b"]]]
        #expect(value[path: "spec", "hosts", "1"] == "b")
        #expect(value[path: "spec", "hosts", "2"] == nil)
        #expect(value[path: "spec", "hosts", "-1"] == nil)
        #expect(value[path: "spec", "none", "x"] == nil)
    }

    @Test("Writing to a path makes the objects on the way, and nil removes")
    func writesPaths() {
        var value: JSONValue = [:]
        value[path: "a", "b"] = 1
        value[path: "a", "c"] = [1, 2, 3]
        value[path: "a", "c", "1"] = "two"
        #expect(value == ["a": ["b": 1, "c": [1, "two", 3]]])
        value[path: "a", "c", "0"] = nil
        value[path: "a", "b"] = nil
        value[path: "x", "y"] = nil
        #expect(value == ["a": ["c": ["two", 3]]])
    }
}
