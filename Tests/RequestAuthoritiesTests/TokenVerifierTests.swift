import Foundation
import JWTKit
import Testing
import TrafficEngine

@Suite struct TokenVerifierTests {
    private static let now = 1_000_000

    @Test("Tokens signed with RSA, elliptic curves and Edwards curves are verified; what they claim is read")
    func algorithms() async throws {
        for issuer in [try await TestIssuer.ellipticCurve(), try await .rsa(), try await .edwards()] {
            let verifier = TestVerifier()
            try await verifier.run {
                let claims = TestClaims(aud: ["a", "b"], exp: Self.now + 10, scope: "read write")
                let verdict = await verifier.verify(try await issuer.token(claims), .inline(issuer.jwks))
                guard case .verified(let token) = verdict else {
                    Issue.record("refused: \(verdict)")
                    return
                }
                #expect(token.principal == "https://issuer.test/me")
                #expect(token.expires == Int64(Self.now + 10))
                #expect(token.claims.value(at: ["scope"]) == .list([.text("read"), .text("write")]))
            }
        }
    }

    @Test("A token of another key, or one that was changed, is refused")
    func signatures() async throws {
        let (issuer, other) = (try await TestIssuer.ellipticCurve(), try await TestIssuer.ellipticCurve())
        let verifier = TestVerifier()
        try await verifier.run {
            let policy = TokenPolicy.inline(issuer.jwks)
            try await verifier.check(other.token(), policy, .badSignature)
            let token = try await issuer.token()
            let parts = token.split(separator: ".")
            let claims = try await other.token(TestClaims(sub: "admin")).split(separator: ".")[1]
            #expect(await verifier.fault("\(parts[0]).\(claims).\(parts[2])", policy) == .badSignature)
            #expect(await verifier.fault("\(parts[0]).\(parts[1]).AAAA", policy) == .badSignature)
            #expect(await verifier.fault(token, policy) == nil)
        }
    }

    @Test("A key verifies only its own algorithm: no `none`, no HMAC with the public key, no other type")
    func algorithmConfusion() async throws {
        let issuer = try await TestIssuer.rsa()
        let verifier = TestVerifier()
        try await verifier.run {
            let policy = TokenPolicy.inline(issuer.jwks)
            try await verifier.check(issuer.token(), policy, nil)

            let payload = try await issuer.token().split(separator: ".")[1]
            for algorithm in ["none", "None", "HS256", "", "RS1"] {
                let header = TestIssuer.text(Data("{\"alg\":\"\(algorithm)\",\"kid\":\"k1\"}".utf8))
                #expect(await verifier.fault("\(header).\(payload).AAAA", policy) == .badAlgorithm)
                #expect(await verifier.fault("\(header).\(payload).", policy) == .badAlgorithm)
            }

            let secret = JWTKeyCollection()
            await secret.add(hmac: HMACKey(from: issuer.jwks), digestAlgorithm: .sha256)
            let forged = try await secret.sign(TestClaims(), header: JWTHeader(fields: ["kid": "k1"]))
            #expect(await verifier.fault(forged, policy) == .badAlgorithm)

            let curve = try await TestIssuer.ellipticCurve()
            try await verifier.check(curve.token(), policy, .noKey)
        }
    }

    @Test("A key for one algorithm, or for encryption, is used for nothing else")
    func restrictedKeys() async throws {
        for (extra, fault) in [
            (["alg": "RS256"], nil), (["alg": "RS512"], TokenFault.noKey), (["use": "enc"], .noKey),
            (["use": "sig"], nil),
        ] {
            let issuer = try await TestIssuer.rsa(extra: extra)
            let verifier = TestVerifier()
            try await verifier.run {
                try await verifier.check(issuer.token(), .inline(issuer.jwks), fault)
            }
        }
    }

    @Test(
        "Times are checked with a minute to spare",
        arguments: [
            (TestClaims(exp: now - 60), nil), (TestClaims(exp: now - 61), .expired), (TestClaims(nbf: now + 60), nil),
            (TestClaims(nbf: now + 61), .notYetValid), (TestClaims(exp: .max), .badPayload),
            (TestClaims(exp: 0), .expired),
        ] as [(TestClaims, TokenFault?)]
    )
    func times(_ claims: TestClaims, _ fault: TokenFault?) async throws {
        let issuer = try await TestIssuer.ellipticCurve()
        let verifier = TestVerifier()
        try await verifier.run {
            try await verifier.check(issuer.token(claims), .inline(issuer.jwks), fault)
        }
    }

    @Test("Issuers are compared exactly, of audiences one is enough")
    func issuerAndAudience() async throws {
        let issuer = try await TestIssuer.ellipticCurve()
        let verifier = TestVerifier()
        try await verifier.run {
            let token = try await issuer.token(TestClaims(aud: ["x", "https://api.test/"]))
            #expect(await verifier.fault(token, .inline(issuer.jwks, issuer: "https://issuer.test/")) == .unknownIssuer)
            #expect(await verifier.fault(token, .inline(issuer.jwks, audiences: ["y"])) == .wrongAudience)
            #expect(await verifier.fault(token, .inline(issuer.jwks, audiences: ["y", "x"])) == nil)
            #expect(await verifier.fault(token, .inline(issuer.jwks, audiences: ["api.test"])) == nil)
            let bare = try await issuer.token()
            #expect(await verifier.fault(bare, .inline(issuer.jwks, audiences: ["x"])) == .wrongAudience)
            let nobody = try await issuer.token(TestClaims(iss: nil))
            #expect(await verifier.fault(nobody, .inline(issuer.jwks)) == .unknownIssuer)
        }
    }

    @Test(
        "Garbage is refused for what it is",
        arguments: [
            ("", .badForm), ("a.b", .badForm), ("a.b.c.d", .badForm), ("!.b.c", .badHeader),
            ("e30.e30.AA", .badAlgorithm),
            ("W10.e30.AA", .badHeader), ("eyJhbGciOiJFUzI1NiJ9.W10.AA", .badPayload),
            ("eyJhbGciOiJFUzI1NiJ9.e30.", .badSignatureEncoding), ("eyJhbGciOiJFUzI1NiJ9.e30.A", .badSignatureEncoding),
            ("eyJhbGciOiJFUzI1NiJ9.e30.A=", .badSignatureEncoding),
            (String(repeating: "a", count: 16 * 1024 + 1), .tooLarge),
            (String(repeating: "a", count: 16 * 1024), .badForm),
        ] as [(String, TokenFault)]
    )
    func garbage(_ token: String, _ fault: TokenFault) async throws {
        let verifier = TestVerifier()
        try await verifier.run {
            #expect(await verifier.fault(token, .inline("{\"keys\":[]}")) == fault)
        }
    }

    @Test("A key set that cannot be read refuses all tokens", arguments: ["", "{}", "[]", "{\"keys\":1}", "x"])
    func badKeySets(_ jwks: String) async throws {
        let issuer = try await TestIssuer.ellipticCurve()
        let verifier = TestVerifier()
        try await verifier.run {
            try await verifier.check(issuer.token(), .inline(jwks), .badKeys)
        }
    }

    @Test("Of two issuers, each vouches for its own tokens")
    func twoIssuers() async throws {
        let (one, two) = (try await TestIssuer.ellipticCurve(), try await TestIssuer.rsa())
        let providers = [
            TokenPolicy.Provider(name: "1", issuer: "one", keys: .inline(one.jwks)),
            TokenPolicy.Provider(name: "2", issuer: "two", keys: .inline(two.jwks)),
        ]
        let policy = TokenPolicy(providers: providers)
        let verifier = TestVerifier()
        try await verifier.run {
            try await verifier.check(one.token(TestClaims(iss: "one")), policy, nil)
            try await verifier.check(two.token(TestClaims(iss: "two")), policy, nil)
            try await verifier.check(one.token(TestClaims(iss: "two")), policy, .noKey)
            try await verifier.check(one.token(TestClaims(iss: "three")), policy, .unknownIssuer)
        }
    }

    @Test("A good token is remembered until it expires")
    func cache() async throws {
        let issuer = try await TestIssuer.ellipticCurve()
        let verifier = TestVerifier()
        try await verifier.run {
            let policy = TokenPolicy.inline(issuer.jwks)
            let token = try await issuer.token(TestClaims(exp: Self.now + 100))
            guard case .verified(let first) = await verifier.verify(token, policy),
                case .verified(let second) = await verifier.verify(token, policy)
            else {
                Issue.record("refused")
                return
            }
            #expect(first === second)
            // For another issuer's keys it is not.
            let other = try await TestIssuer.ellipticCurve()
            #expect(await verifier.fault(token, .inline(other.jwks)) == .badSignature)
            verifier.edit { $0.wall += 161 }
            #expect(await verifier.fault(token, policy) == .expired)
        }
    }

    @Test("A token that many keys may have signed is not tried against all of them on the caller's thread")
    func manyKeys() async throws {
        let issuer = try await TestIssuer.ellipticCurve(nil)
        var others: [TestIssuer] = []
        for _ in 0..<4 { others.append(try await TestIssuer.ellipticCurve(nil)) }
        let few = TokenPolicy.inline(TestIssuer.join(others.dropLast() + [issuer]))
        let many = TokenPolicy.inline(TestIssuer.join(others + [issuer]))
        let token = try await issuer.token(keyID: nil)
        let stranger = try await TestIssuer.ellipticCurve().token(keyID: nil)
        // Others, so that none is remembered.
        let first = try await issuer.token(TestClaims(sub: "a"), keyID: nil)
        let second = try await issuer.token(TestClaims(sub: "b"), keyID: nil)
        let third = try await issuer.token(TestClaims(sub: "c"), keyID: nil)
        let verifier = TestVerifier()
        try await verifier.run {
            // Loads the keys.
            #expect(await verifier.fault(first, few) == nil)
            #expect(await verifier.fault(second, many) == nil)

            #expect(verifier.answersAtOnce(token, few))
            #expect(!verifier.answersAtOnce(stranger, many))
            #expect(await verifier.fault(third, many) == nil)
            #expect(await verifier.fault(stranger, many) == .badSignature)
        }
    }

    @Test("A token that names its key is tried at once, however many others there are")
    func namedKeys() async throws {
        var issuers: [TestIssuer] = []
        for number in 1...8 { issuers.append(try await TestIssuer.ellipticCurve("k\(number)")) }
        let policy = TokenPolicy.inline(TestIssuer.join(issuers))
        let eighth = try await issuers[7].token(keyID: "k8")
        let seventh = try await issuers[6].token(keyID: "k7")
        let verifier = TestVerifier()
        try await verifier.run {
            #expect(await verifier.fault(eighth, policy) == nil)
            #expect(verifier.answersAtOnce(seventh, policy))
        }
    }

    // MARK: Fetched keys

    @Test("Keys are fetched once, and again when they are old; a fetch that fails leaves the last good ones")
    func fetching() async throws {
        let issuer = try await TestIssuer.ellipticCurve()
        let verifier = TestVerifier()
        verifier.edit { $0.documents["https://issuer.test/keys"] = issuer.jwks }
        try await verifier.run {
            for name in ["a", "b"] {
                try await verifier.check(issuer.token(TestClaims(sub: name)), .remote(), nil)
            }
            #expect(verifier.fetchCount == 1)

            verifier.edit {
                $0.documents = [:]
                $0.uptime += 301_000
            }
            try await verifier.check(issuer.token(TestClaims(sub: "c")), .remote(), nil)
            while verifier.fetchCount < 2 { await Task.yield() }
            try await verifier.check(issuer.token(TestClaims(sub: "d")), .remote(), nil)
        }
    }

    @Test("A key that is not in the set is looked for once more, and not again for some seconds")
    func rotation() async throws {
        let (old, new) = (try await TestIssuer.ellipticCurve("old"), try await TestIssuer.ellipticCurve("new"))
        let verifier = TestVerifier()
        verifier.edit { $0.documents["https://issuer.test/keys"] = old.jwks }
        try await verifier.run {
            try await verifier.check(old.token(keyID: "old"), .remote(), nil)

            verifier.edit { $0.documents["https://issuer.test/keys"] = new.jwks }
            try await verifier.check(new.token(keyID: "new"), .remote(), .noKey)
            #expect(verifier.fetchCount == 1)
            verifier.edit { $0.uptime += 5000 }
            try await verifier.check(new.token(keyID: "new"), .remote(), nil)
            #expect(verifier.fetchCount == 2)
            let stale = try await old.token(TestClaims(sub: "again"), keyID: "old")
            #expect(await verifier.fault(stale, .remote()) == .noKey)
        }
    }

    @Test("Keys that cannot be fetched refuse tokens, and are not asked for at every request")
    func fetchFailure() async throws {
        let issuer = try await TestIssuer.ellipticCurve()
        let verifier = TestVerifier()
        try await verifier.run {
            let token = try await issuer.token()
            for _ in 1...3 { #expect(await verifier.fault(token, .remote()) == .fetchFailed) }
            #expect(verifier.fetchCount == 1)
            verifier.edit {
                $0.documents["https://issuer.test/keys"] = issuer.jwks
                $0.uptime += 5000
            }
            #expect(await verifier.fault(token, .remote()) == nil)
        }
    }

    @Test("Many requests that need the same keys wait for one fetch")
    func oneFetch() async throws {
        let issuer = try await TestIssuer.ellipticCurve()
        let verifier = TestVerifier()
        verifier.edit { $0.documents["https://issuer.test/keys"] = issuer.jwks }
        try await verifier.run {
            let token = try await issuer.token()
            await withTaskGroup(of: TokenFault?.self) { group in
                for _ in 1...20 { group.addTask { await verifier.fault(token, .remote()) } }
                for await fault in group { #expect(fault == nil) }
            }
            #expect(verifier.fetchCount == 1)
        }
    }

    @Test("An issuer's OpenID document leads to its keys")
    func discovery() async throws {
        let issuer = try await TestIssuer.ellipticCurve()
        let verifier = TestVerifier()
        let document = "https://issuer.test/.well-known/openid-configuration"
        verifier.edit {
            $0.documents[document] = "{\"jwks_uri\":\"https://issuer.test/keys\"}"
            $0.documents["https://issuer.test/keys"] = issuer.jwks
        }
        try await verifier.run {
            try await verifier.check(issuer.token(), .remote(document), nil)
        }
    }
}
