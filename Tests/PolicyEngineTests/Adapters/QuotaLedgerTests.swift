import PolicyEngine
import Testing

@Suite struct QuotaLedgerTests {
    private let rate = QuotaLedger.Limit(amountMax: 10, window: .seconds(10))
    private let stock = QuotaLedger.Limit(amountMax: 10, window: .zero)

    @Test("A window never holds more than the limit, wherever it begins")
    func rolling() {
        var ledger = QuotaLedger(deduplicationWindow: .seconds(1))
        var grants: [(at: Int, amount: Int64)] = []
        var seed: UInt64 = 7

        for step in 0..<2000 {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1
            let amount = Int64(seed >> 33) % 4
            let result = ledger.request(
                QuotaRequest(amount: amount, bestEffort: true),
                of: "k",
                limit: self.rate,
                now: .milliseconds(step * 100)
            )
            if result.amount > 0 { grants.append((step, result.amount)) }
        }

        for grant in grants {
            let sum = grants.filter { (grant.at..<grant.at + 100).contains($0.at) }.reduce(0) { $0 + $1.amount }
            #expect(sum <= 10)
        }
        #expect(grants.reduce(0) { $0 + $1.amount } > 150)
    }

    @Test("What has no window is kept until it is given back")
    func stockpile() {
        var ledger = QuotaLedger(deduplicationWindow: .seconds(1))

        let results = [6, 6, -2, 6, -100, 1].map { (amount: Int64) in
            ledger.request(QuotaRequest(amount: amount), of: "k", limit: self.stock, now: .seconds(amount.magnitude))
                .amount
        }

        #expect(results == [6, 0, 2, 6, 10, 1])
    }

    @Test("Given back within the window, an amount can be taken again")
    func givesBack() {
        var ledger = QuotaLedger(deduplicationWindow: .seconds(1))
        func take(_ amount: Int64, _ second: Int) -> Int64 {
            ledger.request(QuotaRequest(amount: amount), of: "k", limit: self.rate, now: .seconds(second)).amount
        }

        #expect(take(10, 0) == 10)
        #expect(take(-4, 2) == 4)
        #expect(take(5, 3) == 0)
        #expect(take(4, 3) == 4)
        #expect(take(-100, 3) == 10)
    }

    @Test("An attempt is remembered for its window and not longer")
    func attempts() {
        var ledger = QuotaLedger(deduplicationWindow: .seconds(1))
        func take(_ id: String, _ time: Duration) -> Int64 {
            let request = QuotaRequest(amount: 6, deduplicationID: id)
            return ledger.request(request, of: "k", limit: self.stock, now: time).amount
        }

        #expect(take("a", .seconds(5)) == 6)
        #expect(take("a", .milliseconds(5900)) == 6)
        #expect(take("b", .milliseconds(5900)) == 0)
        #expect(take("a", .seconds(7)) == 0)
    }

    @Test("Names that fill memory are refused, those just below are not", arguments: [0, 1])
    func longNames(_ extra: Int) {
        var ledger = QuotaLedger(deduplicationWindow: .seconds(1))
        let key = String(repeating: "k", count: 2000)
        let attempt = String(repeating: "a", count: QuotaLedger.nameBytesMax - 1 - 2000 + extra)

        let request = QuotaRequest(amount: 1, deduplicationID: attempt)
        let result = ledger.request(request, of: key, limit: self.rate, now: .zero)

        #expect(result.amount == (extra == 0 ? 1 : 0))
        #expect(result.status.isOK == (extra == 0))
    }
}
