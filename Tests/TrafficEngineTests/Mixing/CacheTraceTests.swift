import MeshModel
import Testing
import TrafficEngine

@Suite struct CacheTraceTests {
    private static let user = CheckReference(name: "request.headers", key: "user", condition: .exact)
    private static let nobody = CheckReference(name: "request.headers", key: "user", condition: .absent)
    private static let path = CheckReference(name: "request.path", condition: .exact)

    private func findings(
        _ request: MixedRequest,
        _ cache: CheckCache,
        at now: Duration = .zero
    ) -> [CheckFinding] {
        request.withAttributes { cache.findings(for: $0, now: now) }
    }

    @Test("An empty cache has nothing to say")
    func empty() {
        #expect(self.findings(MixedRequest(), CheckCache()).isEmpty)
    }

    @Test("A hit says by which attributes, and what is left of the answer; looking uses nothing up")
    func hit() {
        var cache = CheckCache()
        let answer = CheckAnswer.test(code: 7, validFor: .seconds(60), uses: 2, [Self.path, Self.nobody])
        MixedRequest("/a").withAttributes { cache.keep(answer, for: $0, now: .zero) }

        for _ in 1...5 {
            let found = self.findings(MixedRequest("/a", headers: [("x", "1")]), cache, at: .seconds(20))
            #expect(found.count == 1)
            #expect(found[0].references == [Self.nobody, Self.path])
            #expect(found[0].outcome == .holds(answer.verdict, left: .seconds(40), usesLeft: 2))
        }
        _ = MixedRequest("/a").withAttributes { cache.verdict(for: $0, now: .zero) }
        let later = self.findings(MixedRequest("/a"), cache)
        #expect(later.first?.outcome == .holds(answer.verdict, left: .seconds(60), usesLeft: 1))
    }

    @Test("A miss says why: other values, something that is there or is not, or time that is over")
    func misses() {
        var cache = CheckCache()
        MixedRequest("/a").withAttributes { cache.keep(.test([Self.path, Self.nobody]), for: $0, now: .zero) }

        #expect(self.findings(MixedRequest("/b"), cache).map(\.outcome) == [.unknown])
        let known = MixedRequest("/a", headers: [("user", "ann")])
        #expect(self.findings(known, cache).map(\.outcome) == [.other(Self.nobody)])
        #expect(self.findings(MixedRequest("/a"), cache, at: .seconds(60)).map(\.outcome) == [.expired])
    }

    @Test("Sets of attributes are gone through in their order, up to the answer that holds")
    func order() {
        var cache = CheckCache()
        let ann = MixedRequest("/a", headers: [("user", "ann")])
        ann.withAttributes { cache.keep(.test([Self.user]), for: $0, now: .zero) }
        MixedRequest("/a").withAttributes { cache.keep(.test([Self.nobody]), for: $0, now: .zero) }

        #expect(self.findings(ann, cache).count == 1)
        let found = self.findings(MixedRequest("/b"), cache)
        #expect(found.count == 2)
        #expect(found[0].outcome == .other(Self.user))
        if case .holds = found[1].outcome {} else { Issue.record("\(found[1])") }
    }

    @Test("An account of a quota is shown and not charged")
    func quotas() {
        var cache = QuotaCache()
        let charge = QuotaCharge(quota: "requests", amount: 1, asked: 4)
        let answer = QuotaAnswer(amount: 4, validDuration: .seconds(10), references: [])
        let request = MixedRequest()
        #expect(request.withAttributes { cache.finding(for: charge, $0, now: .zero) } == nil)
        request.withAttributes { cache.granted(answer, for: charge, $0, now: .zero) }

        for _ in 1...3 {
            let found = request.withAttributes { cache.finding(for: charge, $0, now: .seconds(4)) }
            #expect(found == QuotaFinding(charge: charge, left: 3, validFor: .seconds(6), pausedFor: .zero))
        }
        let over = request.withAttributes { cache.finding(for: charge, $0, now: .seconds(11)) }
        #expect(over?.left == 0 && over?.validFor == .zero)
        #expect(request.withAttributes { cache.finding(for: charge, $0, now: .seconds(700)) } == nil)
    }
}
