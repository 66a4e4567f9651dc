import Serverless
import Testing

@Suite struct DeciderTests {
    private func settings(_ change: (inout ScalingSettings) -> Void = { _ in }) -> ScalingSettings {
        var settings = ScalingSettings()
        settings.target = 10
        settings.capacity = 10
        settings.burstCapacity = .requests(0)
        change(&settings)
        return settings
    }

    /// One decision on the same average in both windows.
    private func decide(
        _ average: Double,
        panic: Double? = nil,
        ready: Int,
        _ settings: ScalingSettings
    ) -> Decision {
        var decider = Decider(settings: settings, readyPods: 1, at: .zero)
        return decider.decide(
            stable: average,
            panic: panic ?? average,
            readyPods: ready,
            settings: settings,
            at: .seconds(2)
        )
    }

    @Test(
        "Pods are the average over the target, rounded up",
        arguments: [(0.0, 0), (0.01, 1), (10, 1), (10.01, 2), (19.9, 2)]
    )
    func needs(_ average: Double, _ count: Int) {
        #expect(self.decide(average, ready: 1, self.settings()).wanted == count)
    }

    @Test("Scaling up stops at the rate, rounded up, so that one pod more is always possible")
    func scaleUpRate() {
        let settings = self.settings { $0.scaleUpRateMax = 1.1 }

        let three = self.decide(1000, ready: 3, settings)
        #expect(three.wanted == 4)
        #expect(three.limit == .scaleUpRate(4))
        #expect(self.decide(1000, ready: 0, settings).wanted == 2)
    }

    @Test("Scaling down halves at most, rounded down, unless no route leads to the revision")
    func scaleDownRate() {
        #expect(self.decide(0, ready: 9, self.settings()).wanted == 4)
        #expect(self.decide(0, ready: 1, self.settings()).wanted == 0)
        #expect(self.decide(0, ready: 9, self.settings { $0.isReachable = false }).wanted == 0)
    }

    @Test("Twice the pods that are ready begin a panic; just below they do not")
    func panicThreshold() {
        #expect(self.decide(30, ready: 2, self.settings()).mode == .stable)
        #expect(self.decide(31, ready: 2, self.settings()).mode == .panic)
        #expect(self.decide(11, ready: 0, self.settings()).mode == .panic)
    }

    @Test("A panic keeps the most pods it has wanted, until a stable window has passed since it was last over")
    func panicKeeps() {
        let settings = self.settings()
        var decider = Decider(settings: settings, readyPods: 1, at: .zero)
        func decide(_ stable: Double, _ panic: Double, at seconds: Int64) -> Decision {
            decider.decide(stable: stable, panic: panic, readyPods: 5, settings: settings, at: .seconds(seconds))
        }

        let begin = decide(20, 100, at: 0)
        #expect(begin.mode == .panic && begin.panicTurn == .began && begin.wanted == 10)
        let lull = decide(20, 20, at: 2)
        #expect(lull.mode == .panic && lull.wanted == 10)
        #expect(lull.limit == .panicKeeps(10, insteadOf: 2))
        #expect(decide(20, 20, at: 60).mode == .panic)
        let end = decide(20, 20, at: 61)
        #expect(end.mode == .stable && end.panicTurn == .ended && end.wanted == 2)
    }

    @Test("A panic that is over the threshold again lasts longer")
    func panicExtended() {
        let settings = self.settings()
        var decider = Decider(settings: settings, readyPods: 1, at: .zero)
        for seconds in [0, 40] as [Int64] {
            _ = decider.decide(stable: 5, panic: 100, readyPods: 5, settings: settings, at: .seconds(seconds))
        }

        let later = decider.decide(stable: 5, panic: 5, readyPods: 5, settings: settings, at: .seconds(90))
        #expect(later.mode == .panic)
    }

    @Test("In a panic the stable average counts when it is the larger")
    func panicTakesLarger() {
        let settings = self.settings()
        var decider = Decider(settings: settings, readyPods: 2, at: .zero)

        let decision = decider.decide(stable: 70, panic: 5, readyPods: 2, settings: settings, at: .seconds(2))
        #expect(decision.mode == .panic && decision.wanted == 7)
    }

    @Test("A scaler that starts beside several pods keeps them; beside one it does not panic")
    func startsInPanic() {
        let settings = self.settings()
        var several = Decider(settings: settings, readyPods: 6, at: .zero)
        var one = Decider(settings: settings, readyPods: 1, at: .zero)

        let kept = several.decide(stable: 1, panic: 1, readyPods: 6, settings: settings, at: .seconds(2))
        #expect(kept.mode == .panic && kept.wanted == 6)
        #expect(one.decide(stable: 1, panic: 1, readyPods: 1, settings: settings, at: .seconds(2)).mode == .stable)
    }

    @Test("The activation scale is for any traffic, and for none of it when there is none")
    func activationScale() {
        let settings = self.settings { $0.activationScale = 5 }

        #expect(self.decide(1, ready: 1, settings).wanted == 5)
        #expect(self.decide(0, ready: 1, settings).wanted == 0)
        #expect(self.decide(90, ready: 5, settings).wanted == 9)
    }

    @Test("A delay keeps the largest count of its time, and lets go after it")
    func scaleDownDelay() {
        let settings = self.settings { $0.scaleDownDelay = .seconds(10) }
        var decider = Decider(settings: settings, readyPods: 1, at: .zero)
        func decide(_ average: Double, at seconds: Int64) -> Int {
            decider.decide(stable: average, panic: 0, readyPods: 4, settings: settings, at: .seconds(seconds)).wanted
        }

        #expect(decide(40, at: 0) == 4)
        #expect(decide(20, at: 2) == 4)
        #expect(decide(20, at: 8) == 4)
        #expect(decide(20, at: 10) == 2)
    }

    @Test("A delay holds nothing that no route leads to")
    func delayUnreachable() {
        let settings = self.settings {
            $0.scaleDownDelay = .seconds(10)
            $0.isReachable = false
        }
        var decider = Decider(settings: settings, readyPods: 1, at: .zero)
        _ = decider.decide(stable: 40, panic: 0, readyPods: 4, settings: settings, at: .zero)

        let decision = decider.decide(stable: 0, panic: 0, readyPods: 4, settings: settings, at: .seconds(2))
        #expect(decision.wanted == 0)
    }

    @Test("Room for a burst: what the pods can take, less the burst and what is in flight")
    func excessBurstCapacity() {
        func capacity(_ burst: ScalingSettings.BurstCapacity, ready: Int, _ panic: Double) -> Int {
            let settings = self.settings {
                $0.capacity = 100
                $0.burstCapacity = burst
            }
            return self.decide(0, panic: panic, ready: ready, settings).excessBurstCapacity
        }

        #expect(capacity(.requests(211), ready: 1, 0) == -111)
        #expect(capacity(.requests(211), ready: 4, 89.5) == 99)
        #expect(capacity(.requests(0), ready: 0, 50) == 0)
        #expect(capacity(.unlimited, ready: 50, 0) == -1)
    }

    @Test("Activators are as many as the capacity and the burst need, two at least")
    func activators() {
        func activators(_ burst: ScalingSettings.BurstCapacity, ready: Int) -> Int {
            let settings = self.settings {
                $0.capacity = 100
                $0.burstCapacity = burst
            }
            return self.decide(0, ready: ready, settings).activators
        }

        #expect(activators(.requests(0), ready: 50) == 2)
        #expect(activators(.requests(211), ready: 1) == 4)
        #expect(activators(.unlimited, ready: 7) == 7)
    }

    @Test("Absurd averages end at the largest count there is")
    func absurd() {
        let settings = self.settings { $0.scaleUpRateMax = 1e300 }
        #expect(self.decide(1e300, ready: 3, settings).wanted == Int(Int32.max))
    }
}
