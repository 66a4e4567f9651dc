import MeshModel
import Testing

@Suite struct PatternTests {
    @Test(
        "Patterns match whole inputs",
        arguments: [
            ("abc", "abc"), ("a.c", "axc"), ("a*", ""), ("a*", "aaa"), ("a+b?", "aa"), ("(a|bc)+", "abca"),
            ("[a-c]{2,3}", "abc"), ("[^/]+", "abc"), ("/v[12]/.*", "/v2/x/y"), ("^/a$", "/a"), ("\\d+\\.\\d", "10.5"),
            ("[\\w-]+", "a_9-"), ("(?i)ABC", "abc"), ("(?:a|b)c", "bc"), ("(?P<n>a)b", "ab"), ("a{3}", "aaa"),
            ("a{2,}", "aaaa"), ("x{a", "x{a"), ("\\Qa.b\\E", "a.b"), ("[]a]", "]"), ("[a-]", "-"), ("\\x41", "A"),
            ("(a*)*", "aaa"), ("(|a)b", "b"), ("\\bfoo\\b.*", "foo bar"), ("é+", "éé"), ("[[:alpha:]]+", "Az"),
            ("a.*?b", "axxb"), ("(?s).", "\n"),
        ]
    )
    func matches(_ pattern: String, _ input: String) throws {
        #expect(try Pattern(compiling: pattern).matches(Array(input.utf8)))
    }

    @Test(
        "Patterns refuse what only a part of them matches",
        arguments: [
            ("abc", "abcd"), ("abc", "xabc"), ("a.c", "a\nc"), ("a+", ""), ("[^/]+", "a/b"), ("a{2}", "aaa"),
            ("a|bc", "abc"), ("\\d", "x"), ("^b", "ab"), ("a$b", "ab"), ("\\Bfoo", "foo"), ("(?i)a(?-i)b", "AB"),
        ]
    )
    func refuses(_ pattern: String, _ input: String) throws {
        #expect(try !Pattern(compiling: pattern).matches(Array(input.utf8)))
    }

    @Test(
        "Unsupported or broken syntax is refused with a reason",
        arguments: [
            "(", ")", "a**", "*a", "[a", "[z-a]", "(?=a)", "(?!a)", "(?<=a)b", "\\1", "\\p{L}", "a{2,1}", "a{1001}",
            "\\", "(?P<", "(?x)a", "[é]", String(repeating: "(", count: 200), "((a{100}){100})", "{2}",
        ]
    )
    func broken(_ pattern: String) {
        #expect(Pattern(pattern) == nil)
        do throws(Pattern.SyntaxError) {
            _ = try Pattern(compiling: pattern)
            Issue.record("compiled")
        } catch { #expect(!error.message.isEmpty) }
    }

    @Test("Time grows with the input, not exponentially with the pattern")
    func linear() throws {
        let pattern = try Pattern(compiling: "(a?){30}(a*)*b")

        #expect(!pattern.matches([UInt8](repeating: UInt8(ascii: "a"), count: 20_000)))
    }

    @Test("Repeating nothing a thousand times in a thousand is no work")
    func emptyRepetition() throws {
        let pattern = try Pattern(compiling: "((((){1000}){1000}){1000}){1000}")

        #expect(pattern.matches([]))
    }
}
