import PolicyEngine
import Testing

@Suite struct ExpressionValueTests {
    @Test(
        "Literals have the type of their form",
        arguments: [
            (#""abc""#, #"STRING "abc""#), ("`a\\b`", #"STRING "a\\b""#), ("'x'", #"STRING "x""#),
            (#""\x41\u00e9\101\n""#, #"STRING "AéA\n""#), ("200", "INT64 200"), ("010", "INT64 10"), ("-5", "INT64 -5"),
            ("3.14", "DOUBLE 3.14"), (".5", "DOUBLE 0.5"), ("1e3", "DOUBLE 1000.0"), ("true", "BOOL true"),
            ("False", "BOOL false"), (#""19ms""#, "DURATION 19ms"), (#""0""#, #"STRING "0""#), (#""""#, #"STRING """#),
            ("  ( (\n\t7 ) ) ", "INT64 7"), ("9223372036854775807", "INT64 9223372036854775807"),
        ]
    )
    func literals(_ source: String, _ expected: String) throws {
        #expect(try evaluated(source) == expected)
    }

    @Test(
        "Comparisons compare values of one type",
        arguments: [
            ("response.code == 200", true), ("response.code != 200", false), ("200 == response.code", true),
            ("response.code < 200", false), ("response.code <= 200", true), ("response.code > 199", true),
            ("response.code >= 201", false), ("load == 0.5", true), ("load < 0.6", true), ("is.safe == true", true),
            ("is.safe != is.safe", false), (#"request.path == "/api/v1/users""#, true),
            (#"request.path < "/b""#, true), (#"source.ip == ip("10.0.0.1")"#, true),
            (#"source.ip == ip("::ffff:10.0.0.1")"#, true), (#"source.ip != ip("fe80::1")"#, true),
            (#"request.time == timestamp("2020-01-01T01:00:00+01:00")"#, true),
            (#"request.time < timestamp("2020-01-01T00:00:00.000000001Z")"#, true),
            (#"response.duration == "1.5s""#, true), (#""1s" < response.duration"#, true),
            (#"response.duration >= "1501ms""#, false), (#""1s" < "2000ms""#, true),
            (#"name == dnsName("www.EXAMPLE.com")"#, true), (#"name == dnsName("example.com")"#, false),
            (#"dnsName("bücher.de") == dnsName("xn--bcher-kva.de")"#, true),
            (#"mail == email("ann@example.com")"#, true), (#"mail == email("Ann@example.com")"#, false),
            (#"link == uri("http://EXAMPLE.com/a")"#, true), (#"link == uri("http://example.com/A")"#, false),
            (#"link != uri("https://example.com/a")"#, true),
            (#"uri("http://a:80/") == uri("http://a/")"#, false), (#"1 == 1 == true"#, true),
        ]
    )
    func comparisons(_ source: String, _ expected: Bool) throws {
        #expect(try evaluated(source) == "BOOL \(expected)")
    }

    @Test("Texts are equal if their bytes are, whatever Unicode holds for the same character")
    func bytes() throws {
        #expect(try evaluated(#""e\u0301" == "\u00e9""#) == "BOOL false")
        #expect(try evaluated(#""z" < "\u00e9""#) == "BOOL true")
    }

    @Test(
        "Operators bind as in Go: or, and, comparison, then | and +",
        arguments: [
            ("true || false && false", true), ("false && true || true", true), ("(true || false) && false", false),
            (#"source.principal | "ann" == "ann""#, true), (#""a" + "b" == "ab""#, true),
            (#"source.principal | "a" + "b" == "ab""#, true), ("1 + 2 < 2 + 2 && true", true),
            ("1 == 1 && 2 == 2 || 3 == 4", true),
        ]
    )
    func precedence(_ source: String, _ expected: Bool) throws {
        #expect(try evaluated(source) == "BOOL \(expected)")
    }

    @Test("The right side of && and || is not looked at if the left decides")
    func shortCircuit() throws {
        #expect(try evaluated(#"true || source.principal == "x""#) == "BOOL true")
        #expect(try evaluated(#"false && source.principal == "x""#) == "BOOL false")
        #expect(throws: EvaluationError.self) { try evaluated(#"false || source.principal == "x""#) }
    }

    @Test(
        "| takes the first that is there",
        arguments: [
            (#"source.principal | "nobody""#, #"STRING "nobody""#),
            (#"request.path | "nobody""#, #"STRING "/api/v1/users""#),
            ("request.size | 7", "INT64 120"), (#"request.headers["x-user"] | "none""#, #"STRING "ann""#),
            (#"request.headers["absent"] | "none""#, #"STRING "none""#),
            (#"source.labels["app"] | "none""#, #"STRING "none""#),
            (#"request.headers[source.principal] | "none""#, #"STRING "none""#),
            (#"source.labels["app"] | source.principal | request.path | "none""#, #"STRING "/api/v1/users""#),
            (#"(source.principal | source.labels["x"]) | "none""#, #"STRING "none""#),
            (#"(source.labels | request.headers)["x-user"]"#, #"STRING "ann""#),
            (#"(source.labels | emptyStringMap())["x"] | "none""#, #"STRING "none""#),
            (#"source.ip | ip("1.2.3.4")"#, "IP_ADDRESS 10.0.0.1"), (#"response.duration | "1s""#, "DURATION 1.5s"),
            (#"source.labels | emptyStringMap()"#, "STRING_MAP {}"), ("is.known | false", "BOOL false"),
        ]
    )
    func defaults(_ source: String, _ expected: String) throws {
        #expect(try evaluated(source) == expected)
    }

    @Test(
        "Functions may be written as functions and as methods",
        arguments: [
            (#"match(request.host, "*.example.com")"#, "BOOL true"), (#"match(request.host, "api.*")"#, "BOOL true"),
            (#"match(request.host, "api.example")"#, "BOOL false"), (#"match(request.host, "*")"#, "BOOL true"),
            (#"request.host.match("*.org")"#, "BOOL false"), (#""^/api/v[0-9]+/".matches(request.path)"#, "BOOL true"),
            (#""v1".matches(request.path)"#, "BOOL true"), (#""^v1$".matches(request.path)"#, "BOOL false"),
            (#"request.path.matches("^/api")"#, "BOOL true"), (#"matches("users$", request.path)"#, "BOOL true"),
            (#"request.path.startsWith("/api")"#, "BOOL true"), (#"startsWith(request.path, "/x")"#, "BOOL false"),
            (#"request.path.endsWith("users")"#, "BOOL true"),
            (#"request.headers["x-user"].endsWith("nn")"#, "BOOL true"),
            (#"(source.principal | "ab").startsWith("a")"#, "BOOL true"), (#""abc".startsWith("abcd")"#, "BOOL false"),
            (#"size("admin")"#, "INT64 5"), ("size(request.headers)", "INT64 2"), ("request.path.size()", "INT64 13"),
            (#"toLower("User-Agent")"#, #"STRING "user-agent""#),
            (#"conditional(response.code == 200, "ok", "bad")"#, #"STRING "ok""#),
            (#"conditional(is.safe, 1, 2) + 1"#, "INT64 2"), (#"conditionalString(false, "a", "b")"#, #"STRING "b""#),
            (#"conditional(is.safe, "1s", response.duration)"#, "DURATION 1s"),
            (#"dnsName("a.b")"#, #"DNS_NAME "a.b""#), (#"email("a@b.c")"#, #"EMAIL_ADDRESS "a@b.c""#),
            (#"uri("/a?b#c")"#, #"URI "/a?b#c""#),
            (#"timestamp("2015-01-02T15:04:35Z")"#, "TIMESTAMP 2015-01-02T15:04:35Z"),
            (#"ip("2001:db8:0:0::1")"#, "IP_ADDRESS 2001:db8::1"), (#"ip("1.2." + "3.4")"#, "IP_ADDRESS 1.2.3.4"),
        ]
    )
    func functions(_ source: String, _ expected: String) throws {
        #expect(try evaluated(source) == expected)
    }

    @Test("A branch that is not taken may lack its attributes")
    func branches() throws {
        #expect(try evaluated(#"conditional(is.safe, "a", source.principal)"#) == #"STRING "a""#)
    }

    @Test("Words of Go may be parts of a name")
    func keywords() throws {
        let bag = AttributeBag(["context.reporter.type": .string("inbound")])
        #expect(try evaluated(#"context.reporter.type == "inbound""#, bag) == "BOOL true")
    }

    @Test("Maps are shown with their keys in order")
    func maps() throws {
        #expect(try evaluated("request.headers") == #"STRING_MAP {"content-type": "text/plain", "x-user": "ann"}"#)
    }
}
