import ProxyRuntime
import Testing

@Suite struct TimerWheelTests {
    private final class Target: TimerTarget {
        var fired: [Int] = []
        var next: Int?

        func timerFired(tick: Int) -> Int? {
            self.fired.append(tick)
            return self.next
        }
    }

    private static func run(_ wheel: inout TimerWheel, ticks: Int) {
        for _ in 0..<ticks {
            wheel.advance()
            while let (id, target) = wheel.popDue() {
                if let next = target.timerFired(tick: wheel.now) { wheel.arm(id, by: next) }
            }
        }
    }

    @Test("A deadline fires at its tick, near or beyond the ring", arguments: [1, 2, 1022])
    func fires(_ tick: Int) {
        var wheel = TimerWheel()
        let target = Target()
        let id = wheel.add(target)

        wheel.arm(id, by: tick)
        Self.run(&wheel, ticks: 1500)

        #expect(target.fired == [tick])
    }

    @Test("A deadline beyond the ring is looked at when the ring ends, and asked for again")
    func filesFarDeadlines() {
        var wheel = TimerWheel()
        let target = Target()
        let id = wheel.add(target)
        target.next = 3000

        wheel.arm(id, by: 3000)
        Self.run(&wheel, ticks: 3000)

        #expect(target.fired == [1023, 2046, 3000])
    }

    @Test("An earlier deadline moves a target forward, a later one leaves it where it is")
    func movesForward() {
        var wheel = TimerWheel()
        let target = Target()
        let id = wheel.add(target)

        wheel.arm(id, by: 100)
        wheel.arm(id, by: 10)
        wheel.arm(id, by: 50)
        Self.run(&wheel, ticks: 200)

        #expect(target.fired == [10])
    }

    @Test("What is removed does not fire, and its neighbours in the same tick do")
    func removes() {
        var wheel = TimerWheel()
        let targets = (0..<3).map { _ in Target() }
        let ids = targets.map { wheel.add($0) }
        for id in ids { wheel.arm(id, by: 5) }

        wheel.remove(ids[1])
        Self.run(&wheel, ticks: 10)

        #expect(targets.map(\.fired) == [[5], [], [5]])
        #expect(wheel.add(Target()) == ids[1])
    }

    @Test("A duration is over when its tick comes, and not much later", arguments: [0, 1, 49, 50, 51, 1000])
    func convertsDurations(_ milliseconds: Int) {
        let ticks = Tick.after(.milliseconds(milliseconds), now: 7) - 7
        #expect((ticks - 1) * Tick.milliseconds >= milliseconds)
        #expect((ticks - 2) * Tick.milliseconds <= milliseconds)
    }
}
