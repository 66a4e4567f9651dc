import MeshModel
import Testing
import TrafficEngine

@Suite struct CheckCacheTests {
    private static let path = CheckReference(name: "request.path", condition: .exact)

    /// The code that the cache has for a request, after it was told of an answer to another.
    private func code(
        for request: MixedRequest,
        after first: MixedRequest,
        _ answer: CheckAnswer,
        at now: Duration = .zero
    ) -> Int32? {
        var cache = CheckCache()
        first.withAttributes { cache.keep(answer, for: $0, now: .zero) }
        return request.withAttributes { cache.verdict(for: $0, now: now) }?.verdict.status.code
    }

    @Test("An answer is for requests that agree in what was read, whatever else they say")
    func readAttributes() {
        let answer = CheckAnswer.test(code: 7, [Self.path])
        let first = MixedRequest("/a", headers: [("x", "1")])
        #expect(self.code(for: MixedRequest("/a", headers: [("x", "2")]), after: first, answer) == 7)
        #expect(self.code(for: MixedRequest("/b", headers: [("x", "1")]), after: first, answer) == nil)
        #expect(self.code(for: MixedRequest("/"), after: first, .test([])) == 0)
    }

    @Test("Of a map only the entries that were read count, and their names have no case in HTTP")
    func mapEntries() {
        let answer = CheckAnswer.test([CheckReference(name: "request.headers", key: "user", condition: .exact)])
        let ann = MixedRequest(headers: [("User", "ann"), ("x", "1")])
        #expect(self.code(for: MixedRequest(headers: [("user", "ann")]), after: ann, answer) == 0)
        #expect(self.code(for: MixedRequest(headers: [("user", "bob")]), after: ann, answer) == nil)
        #expect(self.code(for: MixedRequest(), after: ann, answer) == nil)
        let twice = MixedRequest(headers: [("user", "ann"), ("user", "bob")])
        #expect(self.code(for: twice, after: ann, answer) == nil)
        let query = CheckAnswer.test([CheckReference(name: "request.query_params", key: "k", condition: .exact)])
        #expect(self.code(for: MixedRequest("/b?k=1"), after: MixedRequest("/a?j=2&k=1"), query) == 0)
        #expect(self.code(for: MixedRequest("/a?k=2"), after: MixedRequest("/a?k=1"), query) == nil)
    }

    @Test("What was looked for and missing must be missing again")
    func absence() {
        let answer = CheckAnswer.test([
            CheckReference(name: "request.headers", key: "user", condition: .absent),
            CheckReference(name: "source.principal", condition: .absent),
        ])
        #expect(self.code(for: MixedRequest("/b"), after: MixedRequest("/a"), answer) == 0)
        #expect(self.code(for: MixedRequest(headers: [("user", "")]), after: MixedRequest(), answer) == nil)
        let known = MixedRequest(peer: "spiffe://cluster.local/ns/shop/sa/web")
        #expect(self.code(for: known, after: MixedRequest(), answer) == nil)
    }

    @Test("An expression stands for every text that it matches whole")
    func expressions() {
        let answer = CheckAnswer.test([CheckReference(name: "request.path", condition: .matching("/a[0-9]+"))])
        #expect(self.code(for: MixedRequest("/a22"), after: MixedRequest("/a1"), answer) == 0)
        #expect(self.code(for: MixedRequest("/a22/b"), after: MixedRequest("/a1"), answer) == nil)
        // It does not even match what it was said of.
        #expect(self.code(for: MixedRequest("/a1"), after: MixedRequest("/b"), answer) == nil)
        let broken = CheckAnswer.test([CheckReference(name: "request.path", condition: .matching("("))])
        #expect(self.code(for: MixedRequest("/"), after: MixedRequest("/"), broken) == nil)
    }

    @Test("Fixed attributes count: two ports of one workload do not share what depends on them")
    func fixedAttributes() {
        let answer = CheckAnswer.test([
            CheckReference(name: "destination.namespace", condition: .exact),
            CheckReference(name: "destination.labels", key: "app", condition: .exact),
        ])
        var other = MixedRequest()
        other.policy = MixerPolicy(
            checkServer: nil,
            reportServer: nil,
            failsOpen: false,
            attributes: ["destination.namespace": .text("shop"), "destination.labels": .map(["app": "db"])]
        )
        #expect(self.code(for: MixedRequest(), after: MixedRequest(), answer) == 0)
        #expect(self.code(for: other, after: MixedRequest(), answer) == nil)
    }

    @Test("An answer holds for its time", arguments: [(59, true), (60, false), (61, false)])
    func validity(_ seconds: Int, _ holds: Bool) {
        let found = self.code(for: MixedRequest(), after: MixedRequest(), .test([]), at: .seconds(seconds))
        #expect((found != nil) == holds)
    }

    @Test(
        "Uses are counted; none keeps nothing, fewer are as many as wanted",
        arguments: [(0, 0), (1, 1), (3, 3), (-1, 9)]
    )
    func uses(_ allowed: Int32, _ expected: Int) {
        var cache = CheckCache()
        MixedRequest().withAttributes { cache.keep(.test(uses: allowed, []), for: $0, now: .zero) }
        let found = (0..<9).count { _ in MixedRequest().withAttributes { cache.verdict(for: $0, now: .zero) } != nil }
        #expect(found == expected)
    }

    @Test("Nothing is kept that holds for no time, depends on the time, or on what is not understood")
    func notKept() {
        var cache = CheckCache()
        let time = CheckReference(name: "request.time", condition: .exact)
        for answer in [CheckAnswer.test(validFor: .zero, []), .test(nil), .test([time])] {
            MixedRequest().withAttributes { cache.keep(answer, for: $0, now: .zero) }
        }
        #expect(cache.count == 0)
        let long = MixedRequest("/" + String(repeating: "a", count: 5000))
        long.withAttributes { cache.keep(.test([Self.path]), for: $0, now: .zero) }
        #expect(cache.count == 0)
    }

    @Test("When it is full, the answer goes that was not used for longest")
    func recency() {
        var cache = CheckCache(countMax: 2)
        func keep(_ path: String) {
            MixedRequest(path).withAttributes { cache.keep(.test([Self.path]), for: $0, now: .zero) }
        }
        func has(_ path: String) -> Bool {
            MixedRequest(path).withAttributes { cache.verdict(for: $0, now: .zero) } != nil
        }
        keep("/a")
        keep("/b")
        #expect(has("/a"))
        keep("/c")
        #expect(cache.count == 2)
        #expect(has("/a") && has("/c") && !has("/b"))
    }

    @Test("However many rules read differently, the answers that are used stay")
    func shapes() {
        var cache = CheckCache()
        func keep(_ number: Int, code: Int32) {
            let reference = CheckReference(name: "request.headers", key: "h\(number)", condition: .exact)
            let request = MixedRequest(headers: [("h\(number)", "1")])
            request.withAttributes { cache.keep(.test(code: code, uses: -1, [reference]), for: $0, now: .zero) }
        }
        func code(_ number: Int) -> Int32? {
            let request = MixedRequest(headers: [("h\(number)", "1")])
            return request.withAttributes { cache.verdict(for: $0, now: .zero) }?.verdict.status.code
        }
        keep(0, code: 5)
        for number in 1..<200 {
            keep(number, code: 7)
            #expect(code(0) == 5 && code(number) == 7)
        }
        #expect(code(1) == nil, "the oldest that nobody used has gone")
        keep(1, code: 9)
        #expect(code(1) == 9)
    }

    @Test("An answer about a connection holds for others that agree in what it depends on, and never for a request")
    func connections() {
        var cache = CheckCache()
        let request = MixedRequest()
        func connection<Result>(_ id: String, _ body: (RequestAttributes) -> Result) -> Result {
            body(RequestAttributes(connection: id, request.facts, request.policy))
        }
        let path = CheckReference(name: "request.path", condition: .absent)
        connection("a") { cache.keep(.test([path]), for: $0, now: .zero) }
        #expect(connection("b") { cache.verdict(for: $0, now: .zero) } != nil)
        #expect(request.withAttributes { cache.verdict(for: $0, now: .zero) } == nil)
        var others = CheckCache()
        let all = CheckReference(name: "request.headers", condition: .exact)
        request.withAttributes { others.keep(.test([all]), for: $0, now: .zero) }
        #expect(connection("a") { others.verdict(for: $0, now: .zero) } == nil)
        var own = CheckCache()
        let id = CheckReference(name: "connection.id", condition: .exact)
        connection("a") { own.keep(.test([id]), for: $0, now: .zero) }
        #expect(connection("b") { own.verdict(for: $0, now: .zero) } == nil)
    }

    @Test("An answer that is much used is asked for anew before it ends, once")
    func renewal() {
        func renewals(_ uses: Int, validUseCount: Int32, at now: Duration = .zero) -> [Int] {
            var answer = CheckAnswer.test([])
            answer.validDuration = .seconds(8)
            answer.validUseCount = validUseCount
            var cache = CheckCache()
            MixedRequest().withAttributes { cache.keep(answer, for: $0, now: .zero) }
            return (1...uses).filter { _ in
                MixedRequest().withAttributes { cache.verdict(for: $0, now: now) }?.endsSoon ?? false
            }
        }
        #expect(renewals(1000, validUseCount: 1000) == [750])
        #expect(renewals(300, validUseCount: -1, at: .seconds(6)) == [100])
        #expect(renewals(300, validUseCount: -1, at: .seconds(5)) == [])
        // Who asks for every few requests is not spared anything by asking earlier.
        #expect(renewals(99, validUseCount: 100, at: .seconds(7)) == [])
    }
}
