import DNSProxy
import MeshModel
import Testing

@Suite struct NameTableFileTests {
    /// Stands in for the decoder of the message: the piece itself becomes the host's short name.
    private static func host(_ piece: NameTableFile.Piece) throws(NameTableText.Fault) -> DNSHost {
        let text = String(decoding: piece.text.bytes[piece.range], as: UTF8.self)
        if text == "false" { throw piece.fault(at: piece.range.lowerBound, ".x", "is false") }
        let other = piece.other("i." + piece.name).map { String(decoding: piece.text.bytes[$0], as: UTF8.self) }
        return DNSHost(name: piece.name, addresses: [], registry: .kubernetes(name: text, namespace: other ?? ""))
    }

    private static func read(_ file: inout NameTableFile, _ text: String) throws -> NameTableFile.Change {
        try file.read(Array(text.utf8), Self.host)
    }

    private static func fault(_ text: String) -> String? {
        var file = NameTableFile()
        do {
            _ = try file.read(Array(text.utf8), Self.host)
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test("The first reading gives all names, each later one what is new")
    func changes() throws {
        var file = NameTableFile()

        let first = try Self.read(&file, #"{"table": {"a.test": {"ips": ["1.2.3.4"]}, "B.test": {}}}"#)
        #expect(Set(first.changed.map(\.name)) == ["a.test", "b.test"] && first.removed.isEmpty)

        // Other space and another order outside of the pieces change nothing.
        let same = try Self.read(&file, "{ \"table\" :\n{\"B.test\":{} , \"a.test\": {\"ips\": [\"1.2.3.4\"]}}}")
        #expect(same == NameTableFile.Change())

        let third = try Self.read(&file, #"{"table": {"a.test": {"ips": ["1.2.3.5"]}, "c.test": {}}}"#)
        #expect(Set(third.changed.map(\.name)) == ["a.test", "c.test"] && third.removed == ["b.test"])
        #expect(file.count == 2)
    }

    @Test("A broken text changes nothing: the next good one is compared with the last good one")
    func broken() throws {
        var file = NameTableFile()
        _ = try Self.read(&file, #"{"table": {"a.test": {}, "b.test": {}}}"#)

        #expect(throws: NameTableText.Fault.self) {
            try Self.read(&file, #"{"table": {"a.test": {"x": 1}, "b.test": false}}"#)
        }
        #expect(throws: NameTableText.Fault.self) { try Self.read(&file, #"{"table": {"a.test": {"#) }

        let change = try Self.read(&file, #"{"table": {"a.test": {}}}"#)
        #expect(change.changed.isEmpty && change.removed == ["b.test"])
    }

    @Test(
        "An empty table and a table of null are tables",
        arguments: ["{}", #"{"table": {}}"#, #" {"table" : null } "#]
    )
    func empty(_ text: String) throws {
        var file = NameTableFile()
        _ = try Self.read(&file, #"{"table": {"a.test": {}}}"#)

        #expect(try Self.read(&file, text).removed == ["a.test"])
    }

    @Test("Names without addresses stand in a field of their own, and only once in both")
    func unaddressed() throws {
        var file = NameTableFile()
        let change = try Self.read(&file, #"{"table": {"a": {}}, "unaddressed": {"b": {}}}"#)
        #expect(change.changed.map(\.name) == ["a", "b"])

        #expect(
            Self.fault(#"{"table": {"a": {}}, "unaddressed": {"a": {}}}"#)
                == #"line 1, column 38: unaddressed["a"]: the name stands in the table twice"#
        )
        #expect(Self.fault(#"{"unaddressed": 1}"#)?.contains("unaddressed: must be an object") == true)
    }

    @Test("What names its instances is read again with them")
    func instances() throws {
        var file = NameTableFile()
        _ = try Self.read(&file, #"{"table": {"a": {"instances": ["i"]}, "i.a": {}, "b": {}}}"#)

        let change = try Self.read(&file, #"{"table": {"a": {"instances": ["i"]}, "i.a": {"x": 1}, "b": {}}}"#)

        #expect(
            change.changed.map(\.registry) == [
                .kubernetes(name: #"{"instances": ["i"]}"#, namespace: #"{"x": 1}"#),
                .kubernetes(name: #"{"x": 1}"#, namespace: ""),
            ]
        )
    }

    @Test("Names with escapes are read")
    func escapes() throws {
        var file = NameTableFile()
        let change = try Self.read(&file, #"{"ta\u0062le": {"\u0061.t\u00e9\ud83d\ude00st": {}}}"#)
        #expect(change.changed.map(\.name) == ["a.té😀st"])
    }

    @Test(
        "A mistake is named with its place",
        arguments: [
            ("", "line 1, column 1: the text ends where an object is due"),
            ("[]", "line 1, column 1: \"[\" stands where an object is due"),
            ("{} x", "line 1, column 4: something follows the object"),
            (
                "{\"tables\": {}}",
                "line 1, column 2: the name table has no field \"tables\", only \"table\" and \"unaddressed\""
            ),
            ("{\"table\": []}", "line 1, column 11: table: must be an object with a member for each name"),
            (
                "{\"table\": {\n  \"a.test\": {},\n  \"é\": {},\n \"A.test\": {}\n}}",
                "line 4, column 2: table[\"A.test\"]: the name stands in the table twice"
            ),
            ("{\"table\": {\"a..b\": {}}}", "line 1, column 12: table[\"a..b\"]: this is no domain name"),
            ("{\"table\": {\"é\": {}, \"a\": false}}", "line 1, column 26: table[\"a\"].x: is false"),
            (
                "{\"table\": {\"a\": {}",
                "line 1, column 19: the text ends where a comma or the end of the object is due"
            ),
            ("{\"table\": {\"a\": {},}}", "line 1, column 20: \"}\" stands where a string is due"),
            (
                "{\"table\": {\"a\": 01}}",
                "line 1, column 18: \"1\" stands where a comma or the end of the object is due"
            ),
            ("{\"table\": {\"a\": tru}}", "line 1, column 20: \"}\" stands where \"true\" is due"),
            ("{\"table\": {\"a\n\": 1}}", "line 1, column 14: control characters in strings must be escaped"),
            ("{\"table\": {\"a", "line 1, column 12: a string has no end"),
            ("{\"table\": {\"\\x\": 1}}", "line 1, column 14: \"x\" stands where an escape is due"),
        ]
    )
    func mistakes(_ text: String, _ expected: String) {
        #expect(Self.fault(text) == expected)
    }

    @Test("Text that is nested without end does not exhaust the stack")
    func nested() {
        let text = "{\"table\": {\"a\": " + String(repeating: "[", count: 100_000)
        #expect(Self.fault(text)?.contains("nested too deeply") == true)
    }
}

@Suite struct DNSUpstreamTextTests {
    @Test(
        "An address with or without a port",
        arguments: [
            ("10.0.0.2", "10.0.0.2:53"), ("10.0.0.2:5353", "10.0.0.2:5353"), ("::1", "[::1]:53"),
            ("[2001:db8::2]", "[2001:db8::2]:53"), ("[2001:db8::2]:54", "[2001:db8::2]:54"),
            ("[fe80::1%eth0]:53", "[fe80::1%eth0]:53"),
        ]
    )
    func good(_ text: String, _ expected: String) {
        #expect(DNSUpstream(text)?.description == expected)
    }

    @Test(
        "Anything else is none",
        arguments: [
            "", ":53", "10.0.0.2:", "10.0.0.2:65536", "10.0.0.2:-1", "name:53", "[::1", "[::1]x", "[::1]53", "::1]:53",
            "[fe80::1%]:53", "10.0.0.2:53:53",
        ]
    )
    func bad(_ text: String) {
        #expect(DNSUpstream(text) == nil)
    }
}
