import Serverless
import Testing

@Suite struct MetricWindowTests {
    /// A window with one value in each second from zero on.
    private func window(_ values: [Double], seconds: Int, _ averaging: MetricWindow.Averaging = .linear) -> MetricWindow
    {
        var window = MetricWindow(seconds: seconds, averaging: averaging)
        for (second, value) in values.enumerated() { window.record(value, at: Int64(second)) }
        return window
    }

    @Test("A window that is not full is averaged over the seconds it has")
    func partial() {
        let window = self.window([4, 8], seconds: 60)

        #expect(window.average(at: 1) == 6)
    }

    @Test("A single report stands at its full value until the window has passed, and then for nothing")
    func single() {
        let window = self.window([1], seconds: 60)

        #expect(window.average(at: 0) == 1)
        #expect(window.average(at: 59) == 1)
        #expect(window.average(at: 60) == 0)
        #expect(!window.isSilent(at: 60))
        #expect(window.isSilent(at: 61))
    }

    @Test("Seconds leave a full window one by one")
    func slides() {
        let window = self.window([10, 20, 30, 40], seconds: 3)

        #expect(window.average(at: 3) == 30)
        #expect(window.average(at: 4) == 35)
        #expect(window.average(at: 5) == 40)
        #expect(window.average(at: 6) == 0)
    }

    @Test("A second between two reports that brought nothing counts as zero")
    func hole() {
        var window = self.window([6], seconds: 10)
        window.record(6, at: 3)

        #expect(window.average(at: 3) == 3)
    }

    @Test("Reports of one second are added up")
    func sameSecond() {
        var window = self.window([2], seconds: 10)
        window.record(3, at: 0)

        #expect(window.average(at: 0) == 5)
    }

    @Test("After a whole window without a report the next one starts anew")
    func restart() {
        var window = self.window([9, 9, 9], seconds: 5)
        window.record(4, at: 7)

        #expect(window.average(at: 7) == 4)
    }

    @Test("A late report counts in its own second, and not at all once that has left the window")
    func late() {
        var window = MetricWindow(seconds: 4)
        window.record(8, at: 10)
        window.record(4, at: 8)
        window.record(100, at: 6)

        #expect(window.average(at: 10) == 4)
    }

    @Test("A sum that is a hair above a whole number does not ask for more")
    func rounding() {
        let window = self.window([0.1, 0.2, 0.3], seconds: 10)

        #expect(window.average(at: 2) == 0.2)
    }

    @Test("What is no number is left out", arguments: [Double.nan, .infinity])
    func notANumber(_ value: Double) {
        var window = self.window([3], seconds: 10)
        window.record(value, at: 1)

        #expect(window.average(at: 1) == 3)
    }

    @Test("Recent seconds weigh more in an exponential window: each weighs the same part of what is left")
    func weighted() {
        // Ten seconds: the newest weighs 1 - 0.0001^(1/10) = 0.60189…
        let window = self.window([1, 3, 5, 4, 6, 7, 2, 8, 10, 20], seconds: 10, .weightedExponential)

        #expect(abs(window.average(at: 9) - 15.4307) < 0.0001)
        #expect(window.average(at: 10) < window.average(at: 9) / 2)
    }

    @Test("A shorter window keeps the newest seconds, a longer one all of them")
    func resized() {
        let window = self.window([10, 20, 30, 40], seconds: 4)

        #expect(window.resized(seconds: 2).average(at: 3) == 35)
        #expect(window.resized(seconds: 8).average(at: 3) == 25)
        #expect(MetricWindow(seconds: 4).resized(seconds: 8).isSilent(at: 0))
    }

    @Test("Numbers that nobody can have sent in earnest leave a number")
    func absurdReports() {
        var window = MetricWindow(seconds: 6)
        for second in Int64(0)...1 {
            for _ in 1...3 { window.record(second == 0 ? 1e308 : -1e308, at: second) }
        }
        window.record(.nan, at: 1)
        window.record(.infinity, at: 1)

        #expect(window.average(at: 1) == 1.5e9)
    }
}
