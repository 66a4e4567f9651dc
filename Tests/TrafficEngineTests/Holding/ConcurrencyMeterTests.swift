import Testing
import TrafficEngine

@Suite struct ConcurrencyMeterTests {
    @Test("Requests in flight are averaged over the time between two reports")
    func average() {
        var meter = ConcurrencyMeter(at: .zero)
        _ = meter.began(at: .zero)
        _ = meter.report(at: .seconds(1))
        _ = meter.began(at: .milliseconds(1500))
        meter.ended(at: .milliseconds(1750))

        let report = meter.report(at: .seconds(2))
        #expect(report?.concurrency == 1.25)
        #expect(report?.requests == 1)
        #expect(meter.report(at: .seconds(3))?.concurrency == 1)
    }

    @Test("The part that somebody else has reported is averaged by itself")
    func proxied() {
        var meter = ConcurrencyMeter(tellsFirst: false, at: .zero)
        #expect(meter.began(at: .zero) == false)
        _ = meter.began(isProxied: true, at: .zero)
        _ = meter.began(isProxied: true, at: .milliseconds(500))
        meter.ended(isProxied: true, at: .milliseconds(750))

        let first = ActivationReport(concurrency: 2.25, requests: 3, proxiedConcurrency: 1.25, proxiedRequests: 2)
        #expect(meter.report(at: .seconds(1)) == first)
        let second = ActivationReport(concurrency: 2, requests: 0, proxiedConcurrency: 1, proxiedRequests: 0)
        #expect(meter.report(at: .seconds(2)) == second)
    }

    @Test("What was told at once is not told again")
    func toldOnce() {
        var meter = ConcurrencyMeter(at: .zero)
        for _ in 1...3 { _ = meter.began(at: .zero) }

        let report = meter.report(at: .seconds(1))
        #expect(report?.concurrency == 2)
        #expect(report?.requests == 2)
        #expect(meter.report(at: .seconds(2))?.concurrency == 3)
    }

    @Test("Many that come with the first are told early, and not told again with the next report")
    func early() {
        var meter = ConcurrencyMeter(at: .zero)
        for _ in 1...100 { _ = meter.began(at: .zero) }
        let early = meter.reportEarly(at: .milliseconds(50))
        #expect(early?.concurrency == 99 && early?.requests == 99 && early?.isEarly == true)
        #expect(meter.reportEarly(at: .milliseconds(100)) == nil)
        for _ in 1...2 { _ = meter.began(at: .milliseconds(100)) }
        let more = meter.reportEarly(at: .milliseconds(200))
        #expect(more?.concurrency == 2 && more?.requests == 2)

        let report = meter.report(at: .seconds(1))
        #expect(report?.concurrency == 0 && report?.requests == 0 && report?.isEarly == false)
        #expect(meter.report(at: .seconds(2))?.concurrency == 102)
    }

    @Test("The first request after none is told at once, the next ones are not")
    func first() {
        var meter = ConcurrencyMeter(at: .zero)

        #expect(meter.began(at: .zero) == true)
        #expect(meter.began(at: .zero) == false)
        meter.ended(at: .zero)
        meter.ended(at: .zero)
        _ = meter.report(at: .seconds(1))
        #expect(meter.began(at: .milliseconds(1500)) == false)
    }

    @Test("The end of traffic is reported once, and then nothing")
    func end() {
        var meter = ConcurrencyMeter(at: .zero)
        _ = meter.began(at: .zero)
        meter.ended(at: .milliseconds(100))
        _ = meter.report(at: .seconds(1))

        #expect(meter.report(at: .seconds(2))?.concurrency == 0)
        #expect(meter.report(at: .seconds(3)) == nil)
        #expect(meter.began(at: .seconds(4)) == true)
    }

    @Test("What a regular report has told is no news for an early one that follows it")
    func earlyAfterReport() {
        var meter = ConcurrencyMeter(at: .zero)
        for _ in 0..<5 { _ = meter.began(at: .zero) }
        let early = meter.reportEarly(at: .milliseconds(50))
        let report = meter.report(at: .milliseconds(100))
        #expect(early?.concurrency == 4 && report?.concurrency == 0)
        #expect(meter.reportEarly(at: .milliseconds(350)) == nil)
        _ = meter.began(at: .milliseconds(360))
        #expect(meter.reportEarly(at: .milliseconds(750))?.concurrency == 1)
    }
}
