import MeshModel
import Testing
import TrafficEngine

@Suite struct CrossOriginPolicyTests {
    private func policy(
        _ origins: TextMatch...,
        allowsCredentials: Bool = true,
        forwardsUnmatchedPreflights: Bool = true
    ) -> CrossOriginPolicy {
        CrossOriginPolicy(
            origins: origins,
            methods: Array("GET,PUT".utf8),
            headers: Array("x-one".utf8),
            headersExposed: Array("x-two".utf8),
            maxAge: Array("86400".utf8),
            allowsCredentials: allowsCredentials,
            forwardsUnmatchedPreflights: forwardsUnmatchedPreflights
        )
    }

    private func decide(
        _ policy: CrossOriginPolicy,
        _ method: String,
        _ headers: [(String, String)]
    ) -> CrossOriginPolicy.OnRequest {
        var bytes = Array((method + "/").utf8)
        var fields: [HeaderField] = []
        func add(_ text: String) -> ByteRange {
            defer { bytes += Array(text.utf8) }
            return ByteRange(start: UInt32(bytes.count), count: UInt32(text.utf8.count))
        }
        for (name, value) in headers { fields.append(HeaderField(name: add(name), value: add(value))) }
        return bytes.withUnsafeBytes { raw in
            fields.withUnsafeBufferPointer { fields in
                policy.decide(
                    RequestView(
                        bytes: raw,
                        method: ByteRange(start: 0, count: UInt32(method.utf8.count)),
                        target: ByteRange(start: UInt32(method.utf8.count), count: 1),
                        authority: ByteRange(start: 0, count: 0),
                        headers: fields
                    )
                )
            }
        }
    }

    private func edits(_ lines: [(String, String)]) -> HeaderEdits {
        HeaderEdits(set: lines.map { HeaderEdits.Entry(name: Array($0.0.utf8), value: Array($0.1.utf8)) })
    }

    private let good = TextMatch.exact(Array("https://good.test".utf8))

    @Test("A request of an allowed origin is marked with it; one of no or another origin is not")
    func marks() {
        let marked = self.edits([
            ("access-control-allow-origin", "https://good.test"), ("access-control-allow-credentials", "true"),
            ("access-control-expose-headers", "x-two"),
        ])
        let policy = self.policy(self.good)

        #expect(self.decide(policy, "GET", [("Origin", "https://good.test")]) == .mark(marked))
        #expect(self.decide(policy, "GET", [("Origin", "https://bad.test")]) == .pass)
        #expect(self.decide(policy, "GET", [("Origin", "")]) == .pass)
        #expect(self.decide(policy, "GET", []) == .pass)
    }

    @Test("A preflight of an allowed origin is answered with all that it may know")
    func answers() {
        let answer = self.edits([
            ("access-control-allow-origin", "https://good.test"), ("access-control-allow-methods", "GET,PUT"),
            ("access-control-allow-headers", "x-one"), ("access-control-max-age", "86400"),
        ])
        let policy = self.policy(self.good, allowsCredentials: false)
        let asked = [("origin", "https://good.test"), ("Access-Control-Request-Method", "PUT")]

        #expect(self.decide(policy, "OPTIONS", asked) == .answer(answer))
    }

    @Test("OPTIONS without a method that is asked about is no preflight, and neither is another method")
    func knowsPreflights() {
        let policy = self.policy(self.good)

        guard case .mark = self.decide(policy, "OPTIONS", [("origin", "https://good.test")]),
            case .mark = self.decide(
                policy,
                "PUT",
                [("origin", "https://good.test"), ("access-control-request-method", "PUT")]
            )
        else {
            Issue.record("it was answered")
            return
        }
    }

    @Test("A preflight of another origin goes on, or is answered with nothing", arguments: [true, false])
    func unmatched(_ forwards: Bool) {
        let policy = self.policy(self.good, forwardsUnmatchedPreflights: forwards)
        let asked = [("origin", "https://bad.test"), ("access-control-request-method", "PUT")]

        #expect(self.decide(policy, "OPTIONS", asked) == (forwards ? .pass : .answer(HeaderEdits())))
    }

    @Test("Origins are compared by prefix, by pattern, or not at all")
    func origins() throws {
        let pattern = try Pattern(compiling: "https://[a-z]+\\.test")
        let policies = [
            self.policy(.prefix(Array("https://".utf8))), self.policy(.regex(pattern)),
            self.policy(.exact(Array("*".utf8))),
        ]
        for policy in policies {
            guard case .mark = self.decide(policy, "GET", [("origin", "https://good.test")]) else {
                Issue.record("not allowed")
                continue
            }
        }
        #expect(self.decide(policies[0], "GET", [("origin", "http://good.test")]) == .pass)
        #expect(self.decide(policies[1], "GET", [("origin", "https://good.test.evil")]) == .pass)
    }
}
