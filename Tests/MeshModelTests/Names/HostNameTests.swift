import MeshModel
import MeshTestSupport
import Testing

@Suite struct HostNameTests {
    @Test("Names are kept in lower case and without the root's dot")
    func canonical() {
        #expect(HostName("Reviews.Default.SVC.cluster.local.")?.text == "reviews.default.svc.cluster.local")
        #expect(HostName("A") == HostName("a."))
    }

    @Test(
        "Malformed names are refused",
        arguments: [
            "", ".", "..", "-a", "a-", "a..b", ".a", "a b", "a/b", "a:80", "ä.test", "a.*.test", "a*.test", "**",
            "user@a.test", "a\n",
        ]
    )
    func refuses(_ text: String) {
        #expect(HostName(text) == nil)
    }

    @Test("Odd names that exist are taken", arguments: ["_mysql._tcp.db", "*", "*.test", "1.2.3.4", "a--b", "x_y"])
    func accepts(_ text: String) {
        #expect(HostName(text)?.text == text)
    }

    @Test("A label has 1 to 63 bytes, a name 1 to 253")
    func limits() {
        let label = String(repeating: "a", count: 63)
        let name = "\(label).\(label).\(label)." + String(repeating: "b", count: 61)

        #expect(HostName(label) != nil && HostName(label + "a") == nil)
        #expect(name.utf8.count == 253 && HostName(name) != nil && HostName(name + ".") != nil)
        #expect(HostName(name + "b") == nil)
    }

    @Test(
        "A wildcard stands for names below it, at any depth, and not for itself",
        arguments: [
            ("*.foo.com", "a.foo.com", true), ("*.foo.com", "a.b.foo.com", true), ("*.foo.com", "foo.com", false),
            ("*.foo.com", "afoo.com", false), ("*.foo.com", "a.foo.com.evil", false), ("*", "anything.test", true),
            ("foo.com", "foo.com", true), ("foo.com", "a.foo.com", false), ("*.FOO.com", "A.foo.COM", true),
            ("*.foo.com", "*.bar.foo.com", true), ("*.bar.foo.com", "*.foo.com", false),
        ]
    )
    func covers(_ name: String, _ other: String, _ isCovered: Bool) throws {
        let name = try #require(HostName(name))
        let other = try #require(HostName(other))

        #expect(name.covers(other) == isCovered)
    }

    @Test("Whatever the text, what is taken is canonical", arguments: [UInt64](1...50))
    func random(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let letters = Array("aZ0-_.* /ä")
        let text = String((0..<random.number(0...12)).map { _ in letters[random.number(0...letters.count - 1)] })
        guard let name = HostName(text) else { return }

        #expect(HostName(name.text) == name && name.text == name.text.lowercased() && !name.text.hasSuffix("."))
    }
}
