import MeshConfig
import MeshModel
import Testing

@Suite struct RequestAuthenticationTests {
    private static let keys = #"'{"keys": [{"kty": "RSA", "n": "x", "e": "AQAB"}]}'"#

    @Test("A whole object is read")
    func whole() throws {
        let mesh = try Mesh(
            Samples.security(
                "RequestAuthentication",
                """
                {selector: {matchLabels: {app: a}}, jwtRules: [
                  {issuer: i.test, audiences: [x], jwksUri: "https://i.test/keys", timeout: 2s, fromParams: [t],
                   fromHeaders: [{name: X-Token, prefix: "Bearer "}], fromCookies: [c], forwardOriginalToken: true,
                   outputPayloadToHeader: X-Payload, outputClaimToHeaders: [{header: X-Sub, claim: sub}]},
                  {issuer: j.test, jwks: \(Self.keys)}]}
                """
            )
        )
        #expect(mesh.snapshot.diagnoses == [])
        let rules = try #require(mesh.snapshot.requestAuthentications.first)
        #expect(rules.selector == ["app": "a"] && !rules.isRequired)
        let first = try #require(rules.issuers.first)
        #expect(first.audiences == ["x"] && first.keysURI == "https://i.test/keys" && first.keys == nil)
        #expect(first.timeout == .seconds(2) && first.fromParameters == ["t"] && first.fromCookies == ["c"])
        #expect(first.fromHeaders == [.init(name: "x-token", prefix: "Bearer ")] && first.forwardsToken)
        #expect(first.payloadHeader == "x-payload" && first.claimHeaders == [.init(header: "x-sub", claim: "sub")])
        #expect(rules.issuers.last?.keys?.contains("RSA") == true && rules.issuers.last?.timeout == .seconds(5))
    }

    @Test(
        "Each mistake is named with its path, and its issuer is left out",
        arguments: [
            ("{jwksUri: 'https://a/k'}", "issuer: is needed"), ("{issuer: a}", "jwksUri: is needed, or jwks"),
            ("{issuer: a, jwksUri: 'ftp://a'}", "jwksUri: `ftp://a` is no http"),
            ("{issuer: a, jwksUri: 'https://'}", "jwksUri: `https://` is no http"),
            ("{issuer: a, jwks: 'x'}", "jwks: is no JSON"), ("{issuer: a, jwks: '{}'}", "jwks: is no JSON"),
            ("{issuer: a, jwks: '{\"keys\": [{}]}'}", "jwks: is no JSON"),
            ("{issuer: a, jwks: \(keys), jwksUri: 'https://a'}", "jwks: not together with jwksUri"),
            ("{issuer: a, jwks: \(keys), audiences: ['']}", "audiences[0]: is empty"),
            (
                "{issuer: a, jwks: \(keys), fromHeaders: [{name: 'a b'}]}",
                "fromHeaders[0].name: `a b` is no header name"
            ),
            ("{issuer: a, jwks: \(keys), outputPayloadToHeader: 'a:'}", "outputPayloadToHeader: `a:`"),
            (
                "{issuer: a, jwks: \(keys), outputClaimToHeaders: [{header: a}]}",
                "outputClaimToHeaders[0].claim: is needed"
            ),
            ("{issuer: a, jwks: \(keys), timeout: -1s}", "timeout: must not be negative"),
        ]
    )
    func mistakes(_ rule: String, _ expected: String) throws {
        let good = "{issuer: good, jwks: \(Self.keys)}"
        let mesh = try Mesh(Samples.security("RequestAuthentication", "{jwtRules: [\(rule), \(good)]}"))
        #expect(mesh.errors().contains { $0.hasPrefix("spec.jwtRules[0].\(expected)") }, "\(mesh.errors())")
        #expect(mesh.snapshot.requestAuthentications.first?.issuers.map(\.issuer) == ["good"])
    }
}
