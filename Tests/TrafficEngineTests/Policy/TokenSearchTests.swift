import MeshModel
import Testing
import TrafficEngine

@Suite struct TokenSearchTests {
    private func provider(_ change: (inout TokenPolicy.Provider) -> Void = { _ in }) -> TokenPolicy.Provider {
        var provider = TokenPolicy.Provider(name: "p", issuer: "i", keys: .inline(""))
        change(&provider)
        return provider
    }

    private func found(_ request: RequestText, _ providers: TokenPolicy.Provider...) -> [PresentedToken]? {
        request.withView { TokenPolicy(providers: providers).tokens(in: $0) }
    }

    @Test("Without places, the bearer token and the query parameter access_token are looked at")
    func defaults() {
        let request = RequestText(
            target: "/a?x=1&access_token=two",
            headers: [("Authorization", "bearer one"), ("x-token", "three")]
        )
        let tokens = self.found(request, self.provider())
        #expect(tokens?.map(\.text) == ["one", "two"])
        #expect(tokens?.map(\.header) == [[UInt8]("authorization"), nil])
    }

    @Test(
        "Other schemes and empty values are no tokens",
        arguments: ["Basic abc", "Bearer ", "Bearer", "", "xBearer a"]
    )
    func noTokens(_ value: String) {
        #expect(self.found(RequestText(headers: [("authorization", value)]), self.provider()) == [])
    }

    @Test("Headers with a prefix, parameters and cookies that a provider names replace the usual places")
    func namedPlaces() {
        let provider = self.provider {
            $0.fromHeaders = [RequestAuthenticationRules.Header(name: "X-Token", prefix: "t:")]
            $0.fromParameters = ["jwt"]
            $0.fromCookies = ["session"]
        }
        let request = RequestText(
            target: "/?jwt=b",
            headers: [
                ("authorization", "Bearer no"), ("x-token", "t:a"), ("cookie", "other=x; session=c"), ("x-token", "no"),
            ]
        )
        #expect(self.found(request, provider)?.map(\.text) == ["a", "b", "c"])
    }

    @Test("One token in one place is one token for all providers that look there")
    func shared() {
        let request = RequestText(headers: [("authorization", "Bearer a")])
        let tokens = self.found(request, self.provider(), self.provider())
        #expect(tokens == [PresentedToken(text: "a", header: [UInt8]("authorization"), providers: [0, 1])])
    }

    @Test("More tokens than eight are too many", arguments: [(8, true), (9, false)])
    func limit(_ count: Int, _ isAllowed: Bool) {
        let headers = (0..<count).map { ("authorization", "Bearer \($0)") }
        #expect((self.found(RequestText(headers: headers), self.provider()) != nil) == isAllowed)
    }

    @Test("A token is taken out and its claims are put in; only what a header can carry")
    func edits() {
        let provider = self.provider {
            $0.payloadHeader = "X-Payload"
            $0.claimHeaders = [
                .init(header: "X-Sub", claim: "sub"), .init(header: "x-name", claim: "org.name"),
                .init(header: "x-level", claim: "level"), .init(header: "x-bad", claim: "bad"),
                .init(header: "x-list", claim: "list"), .init(header: "x-dotted", claim: "a.b"),
            ]
        }
        let policy = TokenPolicy(providers: [provider])
        let token = VerifiedToken(
            provider: 0,
            issuer: "i",
            subject: "me",
            expires: nil,
            claims: .object([
                "sub": .text("me"), "org": .object(["name": .text("blue")]), "level": .number(3),
                "bad": .text("a\r\nx-evil: 1"), "list": .list([]), "a.b": .flag(true),
            ]),
            payload: [UInt8]("e30")
        )
        let edits = policy.edits(
            for: token,
            of: PresentedToken(text: "t", header: [UInt8]("authorization"), providers: [0])
        )
        #expect(edits.remove == [[UInt8]("authorization")])
        let set = edits.set.map {
            "\(String(decoding: $0.name, as: UTF8.self))=\(String(decoding: $0.value, as: UTF8.self))"
        }
        #expect(set == ["x-payload=e30", "x-sub=me", "x-name=blue", "x-level=3", "x-dotted=true"])
        #expect(policy.writtenHeaders.count == 7)
        #expect(token.principal == "i/me")
    }

    @Test("Claims with spaces in between become lists where the provider says so")
    func spaces() {
        let claims = ClaimValue.object(["scope": .text("read write"), "name": .text("a b")])
        let split = claims.splittingSpaces(in: ["scope", "missing"])
        #expect(split.value(at: ["scope"]) == .list([.text("read"), .text("write")]))
        #expect(split.value(at: ["name"]) == .text("a b"))
    }
}
