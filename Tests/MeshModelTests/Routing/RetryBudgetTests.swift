import MeshModel
import Testing

@Suite struct RetryBudgetTests {
    @Test("Few retries are always allowed, more as a share of what is in flight")
    func allows() {
        let budget = RetryBudget(percent: 20, concurrencyMin: 3)

        #expect(budget.allowsAnother(besides: 2, requests: 1))
        #expect(!budget.allowsAnother(besides: 3, requests: 1))
        #expect(budget.allowsAnother(besides: 3, requests: 20))
        #expect(!budget.allowsAnother(besides: 4, requests: 20))
        #expect(budget.allowsAnother(besides: 199, requests: 1000))
    }

    @Test("A budget of nothing allows nothing")
    func nothing() {
        #expect(!RetryBudget(percent: 0, concurrencyMin: 0).allowsAnother(besides: 0, requests: 1000))
    }
}
