import Testing
import TrafficEngine

@Suite struct PolicyPathTests {
    private func normalized(_ path: String) -> String {
        String(decoding: Array(path.utf8).withUnsafeBytes { PolicyPath.normalized($0) }, as: UTF8.self)
    }

    @Test(
        "Dot segments go, unreserved characters are decoded, and nothing else is changed",
        arguments: [
            ("/a/b", "/a/b"), ("/a/../b", "/b"), ("/a/./b/", "/a/b/"), ("/a/..", "/"), ("/..", "/"), ("/a//b", "/a//b"),
            ("/%61%2E%2e", "/a.."), ("/%2e%2e/a", "/a"), ("/a%2Fb", "/a%2Fb"), ("/a\\..\\b", "/b"), ("/%5c", "/%5c"),
            ("/...", "/..."), ("/%zz", "/%zz"), ("/%", "/%"), ("/%6", "/%6"),
        ]
    )
    func normalizes(_ path: String, _ expected: String) { #expect(self.normalized(path) == expected) }

    @Test(
        "What is decoded does not become an escape of something else",
        arguments: ["/%%361", "/%%36%31", "/%6%31", "/%%32e%%32e/a"]
    )
    func keepsNestedEscapes(_ path: String) {
        let once = self.normalized(path)
        #expect(self.normalized(once) == once)
        #expect(!once.contains("%61") && !once.contains("%2e"))
    }

    @Test("A second time changes nothing, and no path grows", arguments: 0..<200)
    func isStable(_ seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        for _ in 0..<50 {
            let length = Int.random(in: 0..<24, using: &generator)
            let path = "/" + String((0..<length).map { _ in "%2e6136/\\.".randomElement(using: &generator) ?? "/" })
            let once = self.normalized(path)
            #expect(self.normalized(once) == once, "\(path)")
            #expect(once.utf8.count <= path.utf8.count, "\(path)")
        }
    }
}
