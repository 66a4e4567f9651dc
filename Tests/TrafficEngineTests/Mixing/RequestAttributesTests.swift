import MeshModel
import Testing
import TrafficEngine

@Suite struct RequestAttributesTests {
    @Test("A request is told in Istio's words")
    func all() {
        var request = MixedRequest(
            "/a/b?k=1&k=2&l",
            headers: [("User-Agent", "curl"), ("X-A", "1"), ("x-a", "2"), ("Content-Type", "application/grpc")]
        )
        request.text.method = "POST"
        request.facts.peer = PeerIdentity(uris: ["spiffe://cluster.local/ns/shop/sa/web"])
        let values = request.withAttributes { $0.all(at: 7) }
        #expect(values["request.method"] == .text("POST"))
        #expect(values["request.path"] == .text("/a/b?k=1&k=2&l"))
        #expect(values["request.url_path"] == .text("/a/b"))
        #expect(values["request.host"] == .text("example.com"))
        #expect(values["request.scheme"] == .text("http"))
        #expect(values["request.useragent"] == .text("curl"))
        #expect(values["request.referer"] == nil)
        #expect(values["context.protocol"] == .text("grpc"))
        #expect(values["source.ip"] == .bytes([10, 0, 0, 1]))
        #expect(values["source.principal"] == .text("cluster.local/ns/shop/sa/web"))
        #expect(values["source.namespace"] == .text("shop"))
        #expect(values["connection.mtls"] == .truth(true))
        #expect(values["request.query_params"] == MixerValue.map(["k": "1", "l": ""]))
        #expect(values["request.time"] == .moment(milliseconds: 7))
        #expect(values["destination.namespace"] == .text("shop"))
        guard case .map(let headers) = values["request.headers"] else {
            Issue.record("no headers")
            return
        }
        #expect(headers["x-a"] == "1,2")
        #expect(headers[":path"] == "/a/b?k=1&k=2&l" && headers[":method"] == "POST")
    }

    @Test("Without a certificate nobody is named")
    func stranger() {
        let values = MixedRequest().withAttributes { $0.all(at: 0) }
        #expect(values["source.principal"] == nil && values["source.namespace"] == nil)
        #expect(values["connection.mtls"] == .truth(false))
    }

    @Test("Who a peer's proxy says that it is counts, if the certificate proves the namespace and it is said once")
    func forwarded() {
        let told = String(decoding: ForwardedAttributes.value(sourceUID: "kubernetes://a-1.shop"), as: UTF8.self)
        let line = ("x-istio-Attributes", told)
        func uid(_ peer: String?, _ lines: [(String, String)], isOfMesh: Bool = true) -> MixerValue? {
            var request = MixedRequest("/", headers: lines)
            request.policy = MixerPolicy(
                checkServer: nil,
                reportServer: nil,
                failsOpen: false,
                attributes: ["source.uid": .text("own")]
            )
            request.facts.peer = peer.map { PeerIdentity(uris: [$0]) }
            request.facts.isPeerOfMesh = isOfMesh
            return request.withAttributes { $0.all(at: 0) }["source.uid"]
        }
        let peer = "spiffe://cluster.local/ns/shop/sa/a"
        #expect(uid(peer, [line]) == .text("kubernetes://a-1.shop"))
        #expect(uid(peer, []) == .text("own"))
        // Another authority may call its clients anything.
        #expect(uid(peer, [line], isOfMesh: false) == .text("own"))
        #expect(uid(peer, [line, line]) == .text("own"))
        #expect(uid(nil, [line]) == .text("own"))
        #expect(uid("spiffe://cluster.local/ns/bank/sa/a", [line]) == .text("own"))
        #expect(uid("https://other.test/", [line]) == .text("own"))
    }

    @Test("An answer that rests on who sends a request is not for another sender, and what proxies say is no header")
    func forwardedKeys() {
        var cache = CheckCache()
        func request(_ pod: String) -> MixedRequest {
            let told = ForwardedAttributes.value(sourceUID: "kubernetes://\(pod).shop")
            var request = MixedRequest("/", headers: [("x-istio-attributes", String(decoding: told, as: UTF8.self))])
            request.facts.peer = PeerIdentity(uris: ["spiffe://cluster.local/ns/shop/sa/a"])
            request.facts.isPeerOfMesh = true
            return request
        }
        let uid = CheckReference(name: "source.uid", condition: .exact)
        request("a").withAttributes { cache.keep(.test([uid]), for: $0, now: .zero) }
        #expect(request("a").withAttributes { cache.verdict(for: $0, now: .zero) } != nil)
        #expect(request("b").withAttributes { cache.verdict(for: $0, now: .zero) } == nil)
        var others = CheckCache()
        let header = CheckReference(name: "request.headers", key: "x-istio-attributes", condition: .absent)
        let all = CheckReference(name: "request.headers", condition: .exact)
        request("a").withAttributes { others.keep(.test([header, all]), for: $0, now: .zero) }
        #expect(request("b").withAttributes { others.verdict(for: $0, now: .zero) } != nil)
    }

    @Test("An API key is found where Istio looks for one, and the own identity is told to those who proved theirs")
    func keys() {
        func values(_ target: String, _ headers: [(String, String)] = []) -> [String: MixerValue] {
            var request = MixedRequest(target, headers: headers)
            request.facts.localURI = "spiffe://cluster.local/ns/shop/sa/own"
            if target == "/" { request.facts.peer = PeerIdentity(uris: ["spiffe://cluster.local/ns/a/sa/b"]) }
            return request.withAttributes { $0.all(at: 0) }
        }
        #expect(values("/?api_key=a&key=b")["request.api_key"] == .text("b"))
        #expect(values("/?api_key=a", [("X-Api-Key", "c")])["request.api_key"] == .text("a"))
        #expect(values("/", [("X-Api-Key", "c")])["request.api_key"] == .text("c"))
        #expect(values("/?keys=1")["request.api_key"] == nil)
        #expect(values("/")["destination.principal"] == .text("cluster.local/ns/shop/sa/own"))
        #expect(values("/a")["destination.principal"] == nil)
    }

    @Test("A verified token is told in Istio's words, and answers that rest on it are for its claims alone")
    func claims() {
        func request(_ claims: [String: ClaimValue]?) -> MixedRequest {
            var request = MixedRequest()
            request.facts.claims = claims.map { .object($0) }
            return request
        }
        let ann: [String: ClaimValue] = [
            "iss": .text("https://issuer.test"), "sub": .text("ann"),
            "aud": .list([.text("a"), .text("b"), .number(1)]),
            "azp": .text("app"), "exp": .number(5), "groups": .list([]),
        ]
        let values = request(ann).withAttributes { $0.all(at: 0) }
        #expect(values["request.auth.principal"] == .text("https://issuer.test/ann"))
        #expect(values["request.auth.audiences"] == .text("a,b") && values["request.auth.presenter"] == .text("app"))
        #expect(
            values["request.auth.claims"]
                == .map(["iss": "https://issuer.test", "sub": "ann", "aud": "a,b", "azp": "app"])
        )
        let none = request(nil).withAttributes { $0.all(at: 0) }
        #expect(!none.keys.contains { $0.hasPrefix("request.auth.") })
        #expect(request(["sub": .text("x")]).withAttributes { $0.all(at: 0) }["request.auth.principal"] == nil)

        var bob = ann
        bob["sub"] = .text("bob")
        for reference in [
            CheckReference(name: "request.auth.principal", condition: .exact),
            CheckReference(name: "request.auth.claims", key: "sub", condition: .exact),
            CheckReference(name: "request.auth.claims", condition: .exact),
        ] {
            var cache = CheckCache()
            request(ann).withAttributes { cache.keep(.test([reference]), for: $0, now: .zero) }
            #expect(request(ann).withAttributes { cache.verdict(for: $0, now: .zero) } != nil)
            #expect(request(bob).withAttributes { cache.verdict(for: $0, now: .zero) } == nil)
            #expect(request(nil).withAttributes { cache.verdict(for: $0, now: .zero) } == nil)
        }
    }

    @Test("The claims are told as the token has them, and an answer that rests on them is for this token alone")
    func rawClaims() {
        func request(_ payload: String?) -> MixedRequest {
            var request = MixedRequest()
            request.facts.claims = payload.map { _ in .object(["sub": .text("ann")]) }
            request.facts.claimsPayload = payload.map { Array($0.utf8) }
            return request
        }
        // {"sub":"ann", "n":1}, and the same with n 2.
        let (one, two) = ("eyJzdWIiOiJhbm4iLCAibiI6MX0", "eyJzdWIiOiJhbm4iLCAibiI6Mn0")
        let name = "request.auth.raw_claims"
        #expect(request(one).withAttributes { $0.all(at: 0) }[name] == .text(#"{"sub":"ann", "n":1}"#))
        #expect(request(nil).withAttributes { $0.all(at: 0) }[name] == nil)
        #expect(request("?").withAttributes { $0.all(at: 0) }[name] == nil)

        var cache = CheckCache()
        let reference = CheckReference(name: name, condition: .exact)
        request(one).withAttributes { cache.keep(.test([reference]), for: $0, now: .zero) }
        #expect(request(one).withAttributes { cache.verdict(for: $0, now: .zero) } != nil)
        #expect(request(two).withAttributes { cache.verdict(for: $0, now: .zero) } == nil)
        #expect(request(nil).withAttributes { cache.verdict(for: $0, now: .zero) } == nil)
    }

    @Test("A foreign identity has no namespace")
    func foreign() {
        let values = MixedRequest(peer: "https://other.test/x").withAttributes { $0.all(at: 0) }
        #expect(values["source.principal"] == .text("https://other.test/x"))
        #expect(values["source.namespace"] == nil)
    }

    @Test(
        "Codes of gRPC become statuses of HTTP",
        arguments: [
            (0, 200, "OK"), (5, 404, "NOT_FOUND"), (7, 403, "PERMISSION_DENIED"), (8, 429, "RESOURCE_EXHAUSTED"),
            (13, 500, "INTERNAL"), (14, 503, "UNAVAILABLE"), (16, 401, "UNAUTHENTICATED"), (17, 500, "UNKNOWN"),
            (-1, 500, "UNKNOWN"),
        ]
    )
    func statuses(_ code: Int32, _ http: Int, _ name: String) {
        let status = MixerStatus(code: code, message: "why")
        #expect(status.httpStatus == http && status.name == name)
        #expect(status.text == "\(name):why")
    }
}
