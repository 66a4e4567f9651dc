import KubernetesAPI
import Testing

@Suite struct YAMLTests {
    @Test("Plain scalars have the types that kubectl gives them")
    func scalars() throws {
        let text = """
            whole: 15
            negative: -3
            octal: 0644
            hex: 0x1F
            real: 1.5
            truth: true
            nothing: null
            tilde: ~
            empty:
            quoted: "3306"
            single: '1'
            word: yes
            version: 1.2.3
            address: 10.0.0.1/32
            tagged: !!str 5
            time: 2018-07-01T10:00:00Z
            block: |
              two
              lines
            """
        let value = try YAML.parse(text)
        #expect(
            value == [
                "whole": 15, "negative": -3, "octal": 420, "hex": 31, "real": 1.5, "truth": true, "nothing": .null,
                "tilde": .null, "empty": .null, "quoted": "3306", "single": "1", "word": "yes", "version": "1.2.3",
                "address": "10.0.0.1/32", "tagged": "5", "time": "2018-07-01T10:00:00Z", "block": "two\nlines",
            ]
        )
    }

    @Test("Documents are divided, empty ones left out, and each knows its line")
    func documents() throws {
        let documents = try YAML.documents("# comment\n---\na: 1\n---\n---\n# nothing\n---\nb: 2\n")
        #expect(documents.map(\.value) == [["a": 1], ["b": 2]])
        #expect(documents.map(\.line) == [3, 8])
    }

    @Test("Anchors and merge keys are unfolded; own members win")
    func mergeKeys() throws {
        let value = try YAML.parse("base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\n")
        #expect(value["use"] == ["x": 1, "y": 3])
    }

    @Test("Aliases that unfold without end are refused")
    func aliasBomb() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...7 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(aliases)]\n"
        }
        #expect(throws: YAMLError.self) { try YAML.parse(text) }
    }

    @Test("A mistake is reported with file and line")
    func mistakes() {
        let error = #expect(throws: YAMLError.self) { try YAML.parse("a: 1\nb: [1\nc: 2\n", file: "entry.yaml") }
        #expect(error?.file == "entry.yaml")
        #expect((2...4).contains(error?.line ?? 0))
        let twice = #expect(throws: YAMLError.self) { try YAML.parse("a: 1\na: 2\n", file: "twice.yaml") }
        #expect(twice?.description.contains("same name twice") == true)
    }

    @Test("What is written reads back equal")
    func roundTrip() throws {
        let value: JSONValue = [
            "strings": ["yes", "1", "", "a: b", "- x", "two\nlines\n", "null", "é", "#", "0x1", "2018-07-01", "<<"],
            "numbers": [1, -2, 2.5], "empty": ["list": [], "map": [:], "null": .null], "on": true, "5": "key",
        ]
        let text = YAML.serialize(value)
        #expect(try YAML.parse(text) == value, "\(text)")
    }

    @Test("Members are written in the order of their names, without tags or quotes where none are needed")
    func form() {
        let value: JSONValue = ["spec": ["ports": [["number": 3306, "name": "tcp"]]], "kind": "ServiceEntry"]
        #expect(
            YAML.serialize(value) == """
                kind: ServiceEntry
                spec:
                  ports:
                  - name: tcp
                    number: 3306

                """
        )
    }
}
