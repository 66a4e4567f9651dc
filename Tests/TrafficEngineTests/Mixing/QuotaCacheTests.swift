import MeshModel
import Testing
import TrafficEngine

@Suite struct QuotaCacheTests {
    private static let charge = QuotaCharge(quota: "requests", amount: 1)

    /// A cache, and a request that is charged.
    private struct Till {
        var cache = QuotaCache()
        var request = MixedRequest()

        mutating func charge(at now: Duration = .zero, _ amount: Int64 = 1) -> QuotaCache.OnCharge {
            self.request.withAttributes {
                self.cache.charge(QuotaCharge(quota: "requests", amount: amount), for: $0, now: now)
            }
        }

        mutating func grant(
            _ amount: Int64,
            asked: Int64,
            validFor duration: Duration = .seconds(10),
            at now: Duration = .zero
        ) {
            let user = CheckReference(name: "request.headers", key: "user", condition: .absent)
            let answer = QuotaAnswer(amount: amount, validDuration: duration, references: [user])
            self.request.withAttributes {
                self.cache.granted(
                    answer,
                    for: QuotaCharge(quota: "requests", amount: 1, asked: asked),
                    $0,
                    now: now
                )
            }
        }
    }

    @Test("Demand that goes on is asked for ahead, twice as much each time")
    func prefetch() {
        var till = Till()
        #expect(till.charge() == .ask(1))
        till.grant(1, asked: 1)
        #expect(till.charge() == .ask(2))
        till.grant(2, asked: 2)
        #expect(till.charge() == .paid)
        #expect(till.charge() == .ask(4))
        till.grant(4, asked: 4)
        for _ in 0..<3 { #expect(till.charge() == .paid) }
        #expect(till.charge() == .ask(8))
    }

    @Test("While an answer is under way that brings more, others ask for no more than they need")
    func together() {
        var till = Till()
        _ = till.charge()
        till.grant(1, asked: 1)
        #expect((0..<10).map { _ in till.charge() } == [.ask(2)] + Array(repeating: .ask(1), count: 9))
        till.grant(2, asked: 2)
        #expect(till.charge() == .paid)
        #expect(till.charge() == .ask(4))
        // An answer that never comes is waited for no longer than a second.
        #expect(till.charge(at: .milliseconds(999)) == .ask(1))
        #expect(till.charge(at: .seconds(1)) == .ask(1))
        #expect(till.charge(at: .milliseconds(1001)) == .ask(2))
    }

    @Test("Demand that has gone is asked for as it comes")
    func rest() {
        var till = Till()
        _ = till.charge()
        till.grant(1, asked: 1)
        #expect(till.charge() == .ask(2))
        till.grant(2, asked: 2, validFor: .zero)
        #expect(till.charge(at: .seconds(5)) == .ask(1))
    }

    @Test("No more than so many charges are asked for at once")
    func bound() {
        var till = Till()
        _ = till.charge()
        till.grant(1, asked: 1)
        var asked: Int64 = 0
        for _ in 0..<20 {
            if case .ask(let amount) = till.charge() {
                asked = amount
                till.grant(amount, asked: amount, validFor: .zero)
            }
        }
        #expect(asked == 64)
    }

    @Test("What is left when its time is over is lost")
    func validity() {
        var till = Till()
        _ = till.charge()
        till.grant(5, asked: 5, validFor: .seconds(2))
        #expect(till.charge(at: .seconds(1)) == .paid)
        #expect(till.charge(at: .seconds(2)) != .paid)
    }

    @Test("A quota that is used up is not asked for again for a second")
    func usedUp() {
        var till = Till()
        _ = till.charge()
        till.grant(0, asked: 1, validFor: .seconds(60))
        #expect(till.charge(at: .milliseconds(999)) == .usedUp)
        #expect(till.charge(at: .seconds(1)) == .ask(1))
    }

    @Test("A part of what was asked for is taken, and the next demand begins from there")
    func partial() {
        var till = Till()
        _ = till.charge()
        till.grant(1, asked: 1)
        #expect(till.charge() == .ask(2))
        till.grant(2, asked: 4)
        #expect(till.charge() == .paid)
        #expect(till.charge() == .ask(4))
    }

    @Test("Amounts belong to what the engine told apart")
    func references() {
        var till = Till()
        _ = till.charge()
        till.grant(5, asked: 5)
        till.request = MixedRequest(headers: [("user", "ann")])
        #expect(till.charge() == .ask(1))
        till.request = MixedRequest("/other")
        #expect(till.charge() == .paid)
    }

    @Test("An account that nobody used for ten minutes begins anew")
    func lifetime() {
        var till = Till()
        _ = till.charge()
        till.grant(5, asked: 5, validFor: .seconds(3600))
        #expect(till.charge(at: .seconds(599)) == .paid)
        #expect(till.charge(at: .seconds(599 + 600)) == .ask(1))
    }

    @Test("Rules charge those requests that they match, and amounts of one quota add up")
    func rules() {
        var request = MixedRequest("/a")
        let path = QuotaRule.Match(clauses: [.init(attribute: "request.path", text: .prefix(Array("/a".utf8)))])
        let namespace = QuotaRule.Match(
            clauses: [.init(attribute: "destination.namespace", text: .exact(Array("shop".utf8)))]
        )
        request.policy = MixerPolicy(
            checkServer: nil,
            reportServer: nil,
            failsOpen: false,
            attributes: ["destination.namespace": .text("shop")]
        )
        let destination = MixerDestination(
            quotas: [
                QuotaRule(matches: [], charges: [QuotaCharge(quota: "all", amount: 1)]),
                QuotaRule(matches: [path], charges: [QuotaCharge(quota: "all", amount: 2)]),
                QuotaRule(matches: [namespace], charges: [QuotaCharge(quota: "shop", amount: 1)]),
            ]
        )
        #expect(
            request.withAttributes { destination.charges($0) } == [
                QuotaCharge(quota: "all", amount: 3), QuotaCharge(quota: "shop", amount: 1),
            ]
        )
        request.text.target = "/b"
        #expect(request.withAttributes { destination.charges($0) }.first == QuotaCharge(quota: "all", amount: 1))
    }

    @Test("A quota that grants less than is needed refuses a request that may pass; one that says nothing does not")
    func refusals() {
        var answer = CheckAnswer.test([])
        #expect(answer.verdict(after: [Self.charge]).status.isOK)
        answer.quotas["requests"] = QuotaAnswer(amount: 0)
        #expect(answer.verdict(after: [Self.charge]).status.httpStatus == 429)
        answer.quotas["requests"] = QuotaAnswer(amount: 1)
        #expect(answer.verdict(after: [Self.charge]).status.isOK)
    }
}
