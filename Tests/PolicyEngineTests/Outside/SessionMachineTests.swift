import KubernetesAPI
import PolicyEngine
import Testing

@Suite struct SessionMachineTests {
    private static let refusal = PolicyStatus(.unavailable, "no")

    private func machine() -> SessionMachine {
        SessionMachine(backOff: BackOff(base: .milliseconds(100), max: .seconds(1), seed: 7))
    }

    @Test("The first call opens a session, others wait for it, and then all use it")
    func opens() {
        var machine = self.machine()

        #expect(machine.wanted(at: .zero) == .open)
        #expect(machine.wanted(at: .zero) == .wait)
        machine.opened("s")
        #expect(machine.wanted(at: .zero) == .use("s"))
    }

    @Test("A session that cannot be opened is tried again after a while that doubles, up to a limit")
    func backsOff() {
        var machine = self.machine()
        var now: Duration = .zero
        var waits: [Duration] = []

        #expect(machine.wanted(at: now) == .open)
        for _ in 0..<8 {
            machine.openingFailed(Self.refusal, at: now)
            let failed = now
            while machine.wanted(at: now) == .fail(Self.refusal) { now += .milliseconds(1) }
            // It is being opened again.
            waits.append(now - failed)
        }

        for (index, wait) in waits.enumerated() {
            let full = min(Duration.milliseconds(100) * (1 << index), .seconds(1))
            #expect(wait >= full / 2 && wait <= full + .milliseconds(1), "\(index): \(wait)")
        }
        #expect(Set(waits).count > 3)
    }

    @Test("A session that is lost after it was of use is opened anew at once")
    func lost() {
        var machine = self.machine()
        _ = machine.wanted(at: .zero)
        machine.opened("s")
        machine.proven("s")

        machine.lost("s", Self.refusal, at: .zero)

        #expect(machine.wanted(at: .zero) == .open)
    }

    @Test("A session that was never of use and is lost counts as a failure")
    func useless() {
        var machine = self.machine()
        _ = machine.wanted(at: .zero)
        machine.opened("s")

        machine.lost("s", Self.refusal, at: .zero)

        #expect(machine.wanted(at: .zero) == .fail(Self.refusal))
        #expect(machine.wanted(at: .milliseconds(100)) == .open)
    }

    @Test("News of a session that is not the one in use changes nothing")
    func late() {
        var machine = self.machine()
        _ = machine.wanted(at: .zero)
        machine.opened("new")

        machine.lost("old", Self.refusal, at: .zero)
        machine.proven("old")
        machine.opened("other")

        #expect(machine.wanted(at: .zero) == .use("new"))
    }

    @Test("At the end the session is given back, and no other is opened")
    func closes() {
        var machine = self.machine()
        _ = machine.wanted(at: .zero)
        machine.opened("s")

        #expect(machine.closed() == "s")
        #expect(machine.closed() == nil)
        guard case .fail = machine.wanted(at: .seconds(60)) else {
            Issue.record("it opens another")
            return
        }
    }
}
