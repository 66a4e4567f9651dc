import Testing
import WorkloadIdentity

@Suite struct RenewalMachineTests {
    private func machine(now: Double = 0) -> RenewalMachine { RenewalMachine(now: now) }

    private func life(_ start: Double, _ end: Double) -> RenewalMachine.Life {
        RenewalMachine.Life(start: start, end: end)
    }

    @Test("Without a certificate one is asked for at once")
    func atOnce() {
        #expect(self.machine().step(at: 0) == .request)
        #expect(!self.machine().isValid(at: 0))
    }

    @Test("A certificate is renewed at half of its life")
    func halfLife() {
        var machine = self.machine()

        machine.received(self.life(0, 1000), at: 0, isNew: true, random: 0)

        #expect(machine.step(at: 0) == .wait(500))
        #expect(machine.step(at: 499) == .wait(1))
        #expect(machine.step(at: 500) == .request)
        #expect(machine.isValid(at: 999))
        #expect(!machine.isValid(at: 1000))
    }

    @Test("Proxies that started together do not renew together")
    func jitter() {
        var early = self.machine()
        var late = self.machine()

        early.received(self.life(0, 1000), at: 0, isNew: true, random: -1)
        late.received(self.life(0, 1000), at: 0, isNew: true, random: 1)

        #expect(early.step(at: 0) == .wait(490))
        #expect(late.step(at: 0) == .wait(510))
    }

    @Test("Waits after failures double from 50 ms to a minute and never end")
    func backOff() {
        var machine = self.machine()
        var waits: [Double] = []
        var now = 0.0
        for _ in 0..<40 {
            _ = machine.failed(at: now, random: 1)
            guard case .wait(let wait) = machine.step(at: now) else { break }
            waits.append(wait)
            now += wait
            #expect(machine.step(at: now + 0.001) == .request)
            now += 0.001
        }

        #expect(waits.count == 40)
        for (wait, expected) in zip(waits, [0.05, 0.1, 0.2, 0.4]) { #expect(abs(wait - expected) < 0.001) }
        #expect(waits.suffix(20).allSatisfy { abs($0 - 60) < 0.001 })
    }

    @Test("A wait is at least half of what it may be")
    func backOffJitter() {
        var machine = self.machine()

        _ = machine.failed(at: 0, random: 0)

        #expect(machine.step(at: 0) == .wait(0.025))
    }

    @Test("A certificate ends the waits")
    func success() {
        var machine = self.machine()
        for _ in 0..<30 { _ = machine.failed(at: 0, random: 1) }

        machine.received(self.life(0, 1000), at: 1, isNew: true, random: 0)

        #expect(machine.step(at: 1) == .wait(499))
        _ = machine.failed(at: 500, random: 1)
        #expect(machine.step(at: 500.051) == .request)
    }

    @Test("A renewal that fails keeps the certificate, and is an alarm in its last hour")
    func lastHour() {
        var machine = self.machine()
        machine.received(self.life(0, 86_400), at: 0, isNew: true, random: 0)

        #expect(machine.failed(at: 43_200, random: 0) == .warn)
        #expect(machine.isValid(at: 43_201))
        #expect(machine.failed(at: 86_400 - 3600, random: 0) == .warn)
        #expect(machine.failed(at: 86_400 - 3599, random: 0) == .keepQuiet)
        #expect(machine.failed(at: 86_400 - 3598, random: 0) == .alarm)
    }

    @Test("A new pod waits a minute before it calls for help")
    func patience() {
        var machine = self.machine(now: 100)

        #expect(machine.failed(at: 159, random: 0) == .warn)
        #expect(machine.failed(at: 160, random: 0) == .alarm)
    }

    @Test("Of many failures few are said until they are a minute apart")
    func quiet() {
        var machine = self.machine()

        let said = (0..<20).map { _ in machine.failed(at: 0, random: 0) != .keepQuiet }

        #expect(said.prefix(9) == [true, true, false, true, false, false, false, true, false])
        #expect(said.suffix(5).allSatisfy { $0 })
    }

    @Test("A clock that is ahead does not make the authority be asked without end")
    func clockAhead() {
        var machine = self.machine()

        machine.received(self.life(0, 100), at: 90, isNew: true, random: 0)

        #expect(machine.step(at: 90) == .wait(1))
        #expect(machine.step(at: 91) == .request)
    }

    @Test("A stored certificate past its renewal is renewed at once and used until then")
    func stored() {
        var machine = self.machine()

        machine.received(self.life(0, 100), at: 90, isNew: false, random: 0)

        #expect(machine.step(at: 90) == .request)
        #expect(machine.isValid(at: 90))
    }

    @Test("When the root has gone the certificate is renewed before its time")
    func renewSoon() {
        var machine = self.machine()
        machine.received(self.life(0, 1000), at: 0, isNew: true, random: 0)

        machine.renewSoon(at: 10)

        #expect(machine.step(at: 10) == .request)
        #expect(machine.isValid(at: 10))
    }
}
