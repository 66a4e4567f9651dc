import MeshModel
import Testing
import TrafficEngine

@Suite struct ClientAddressTests {
    @Test(
        "The client's address is the peer's at an edge, and what trusted proxies say behind them",
        arguments: [
            ([], 0, true, "10.0.0.1"), (["1.1.1.1, 2.2.2.2"], 0, true, "10.0.0.1"),
            (["1.1.1.1, 2.2.2.2"], 1, true, "2.2.2.2"), (["1.1.1.1, 2.2.2.2"], 2, true, "1.1.1.1"),
            (["1.1.1.1, 2.2.2.2"], 3, true, "10.0.0.1"), (["1.1.1.1, 2.2.2.2"], 0, false, "2.2.2.2"),
            (["1.1.1.1, 2.2.2.2"], 1, false, "1.1.1.1"), (["1.1.1.1", "2.2.2.2"], 0, false, "2.2.2.2"),
            (["1.1.1.1", "2.2.2.2"], 1, false, "1.1.1.1"), (["garbage"], 0, false, "10.0.0.1"),
            (["1.1.1.1,"], 0, false, "10.0.0.1"), ([], 0, false, "10.0.0.1"),
        ] as [([String], Int, Bool, String)]
    )
    func remote(_ values: [String], _ hops: Int, _ isEdge: Bool, _ expected: String) {
        let request = RequestText(headers: values.map { ("X-Forwarded-For", $0) })
        let found = request.withView {
            ClientAddress.remote($0, peer: IPAddress("10.0.0.1"), trustedHops: hops, isEdge: isEdge)
        }
        #expect(found == IPAddress(expected))
    }
}

@Suite struct PolicyNameTests {
    @Test("Names of rules are read and written in Istio's form")
    func roundTrip() {
        for name in ["ns[a]-policy[b]-rule[0]", "istio-ext-authz-opa-ns[a]-policy[b-c]-rule[12]"] {
            #expect(PolicyName(name)?.text == name)
        }
        #expect(PolicyName("istio-ext-authz-o-ns-a-ns[x]-policy[y]-rule[1]")?.provider == "o-ns-a")
        #expect(PolicyName("ns[a]-policy[b]-rule[0]")?.description == "a/b rule 0")
    }

    @Test(
        "Other names are none",
        arguments: [
            "", "ns[a]", "ns[a]-policy[b]-rule[x]", "ns[a]-rule[0]-policy[b]", "x-ns[a]-policy[b]-rule[0]",
            "ns[a]-policy[b]-rule[0",
        ]
    )
    func refuses(_ text: String) { #expect(PolicyName(text) == nil) }
}

@Suite struct PolicyEffectsTests {
    private func entry(_ name: String, _ value: String) -> HeaderEdits.Entry {
        HeaderEdits.Entry(name: [UInt8](name), value: [UInt8](value))
    }

    @Test("Later header changes undo earlier ones of the same name")
    func order() {
        let first = HeaderEdits(set: [self.entry("a", "1"), self.entry("b", "1")], add: [self.entry("c", "1")])
        let second = HeaderEdits(remove: [[UInt8]("a")], set: [self.entry("c", "2")], add: [self.entry("b", "2")])
        let all = first.then(second)
        #expect(all.set == [self.entry("b", "1"), self.entry("c", "2")])
        #expect(all.add == [self.entry("b", "2")])
        #expect(all.remove == [[UInt8]("a")])
    }

    @Test("A copied request shows the headers as they were changed")
    func copies() {
        let request = RequestText(method: "PUT", target: "/x", headers: [("X-A", "1"), ("x-b", "2"), ("X-a", "3")])
        var owned = request.withView { OwnedRequest($0) }
        owned.apply(HeaderEdits(remove: [[UInt8]("x-b")], set: [self.entry("x-a", "9")], add: [self.entry("x-c", "4")]))
        let lines = owned.withView { view in
            view.headers.map { String(decoding: Array(view[$0.name]) + [58] + Array(view[$0.value]), as: UTF8.self) }
        }
        #expect(lines == ["x-a:9", "x-c:4"])
        #expect(owned.withView { Array($0[$0.method]) } == [UInt8]("PUT"))
    }

    @Test("A challenge names the request's address and cannot be broken out of")
    func challenge() {
        let request = RequestText(target: "/a\"b?secret", authority: "web\\x")
        let text = request.withView { PolicyText.challenge($0, scheme: "http", .expired) }
        #expect(String(decoding: text, as: UTF8.self) == "Bearer realm=\"http://webx/ab\", error=\"invalid_token\"")
        let missing = request.withView { PolicyText.challenge($0, scheme: "https", .missing) }
        #expect(String(decoding: missing, as: UTF8.self) == "Bearer realm=\"https://webx/ab\"")
    }

    @Test("Faults of tokens are in Envoy's words")
    func words() {
        #expect(TokenFault.expired.details == "jwt_authn_access_denied{Jwt_is_expired}")
    }
}

@Suite struct RulePolicyTests {
    private let facts = PolicyFacts(source: nil, destination: NetworkAddress(ip: .v4(1), port: 80))

    private func entry(_ name: String, _ permission: PolicyCondition) -> RulePolicy.Entry {
        RulePolicy.Entry(name: name, permissions: [permission], principals: [.any])
    }

    @Test("The first entry that matches is named, in the order of names")
    func firstMatch() {
        let policy = RulePolicy(
            action: .deny,
            entries: [self.entry("b", .any), self.entry("a", .any), self.entry("0", .not(.any))]
        )
        let verdict = RequestText().withView { policy.decide($0, self.facts, claims: nil) }
        #expect(verdict == .denied(by: 1))
        #expect(policy.entries[1].name == "a")
        #expect(PolicyText.details(policy, 1) == "rbac_access_denied_matched_policy[a]")
        #expect(PolicyText.details(policy, nil) == "rbac_access_denied_matched_policy[none]")
    }

    @Test("An entry needs a permission and a principal")
    func bothSides() {
        for (permissions, principals) in [([PolicyCondition.any], [PolicyCondition]()), ([], [.any]), ([], [])] {
            let entry = RulePolicy.Entry(name: "x", permissions: permissions, principals: principals)
            let policy = RulePolicy(action: .allow, entries: [entry])
            #expect(RequestText().withView { policy.decide($0, self.facts, claims: nil) } == .denied(by: nil))
        }
    }

    @Test("What asks for a request does not hold for a connection")
    func connections() {
        let conditions: [PolicyCondition] = [
            .header(HeaderMatch(name: [UInt8](":method"), value: .present)), .path(.prefix([])),
            .authority(.prefix([])),
            .claim(path: ["iss"], .present), .sourceBlock(CIDR(.v4(0))), .remoteBlock(CIDR(.v4(0))), .principal(nil),
        ]
        for condition in conditions { #expect(!condition.holds(nil, self.facts, claims: nil), "\(condition)") }
    }

    @Test("All names of a certificate count, URIs, DNS names and the subject")
    func peers() {
        var facts = self.facts
        facts.peer = PeerIdentity(uris: ["u1", "u2"], dnsNames: ["d"], subject: "CN=s")
        for name in ["u1", "u2", "d", "CN=s"] {
            #expect(PolicyCondition.principal(.exact([UInt8](name))).holds(nil, facts, claims: nil))
        }
        #expect(!PolicyCondition.principal(.exact([UInt8]("x"))).holds(nil, facts, claims: nil))
    }

    @Test("The culprit is named, or the policies of which none allowed")
    func culprits() {
        let policy = RulePolicy(
            action: .allow,
            entries: (0..<5).map { self.entry("ns[n]-policy[p\($0)]-rule[0]", .any) }
        )
        #expect(String(decoding: PolicyText.culprit(policy, 2), as: UTF8.self) == "AuthorizationPolicy n/p2 rule 0")
        let none = String(decoding: PolicyText.culprit(policy, nil), as: UTF8.self)
        #expect(none == "AuthorizationPolicy: none that allows matched (n/p0, n/p1, n/p2, ...)")
    }
}
