import IdentityServer
import Testing

@Suite struct RequestLimiterTests {
    @Test("A sender gets its burst, then its rate")
    func burstThenRate() {
        var limiter = RequestLimiter(each: .init(burst: 3, perSecond: 2))

        let first = (0..<4).map { _ in limiter.admit("a", now: .zero) }
        let later = (0..<3).map { _ in limiter.admit("a", now: .seconds(1)) }

        #expect(first == [true, true, true, false])
        #expect(later == [true, true, false])
    }

    @Test("Senders do not take from each other, but all together have a limit")
    func together() {
        var limiter = RequestLimiter(each: .init(burst: 2, perSecond: 1), all: .init(burst: 3, perSecond: 1))

        let admitted = ["a", "a", "a", "b", "c", "d"].map { limiter.admit($0, now: .zero) }

        #expect(admitted == [true, true, false, true, false, false])
    }

    @Test("A bucket never holds more than its burst, and a clock that stands still gives nothing")
    func bounds() {
        var limiter = RequestLimiter(each: .init(burst: 1, perSecond: 100))

        let admitted = [1, 1, 0, 1000, 1000].map { limiter.admit("a", now: .seconds($0)) }

        #expect(admitted == [true, false, false, true, false])
    }

    @Test("The number of senders remembered is bounded, the longest silent go first")
    func senders() {
        var limiter = RequestLimiter(each: .init(burst: 1, perSecond: 0), sendersMax: 8)

        for number in 0..<100 { _ = limiter.admit("s\(number)", now: .seconds(number)) }

        #expect(limiter.senders <= 8)
        let again = ["s99", "s0"].map { limiter.admit($0, now: .seconds(100)) }
        #expect(again == [false, true])
    }
}
