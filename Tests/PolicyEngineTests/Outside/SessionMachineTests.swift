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
        #expect(machine.opened("s") == nil)
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

    /// With the session `s`.
    private func openMachine() -> SessionMachine {
        var machine = self.machine()
        _ = machine.wanted(at: .zero)
        _ = machine.opened("s")
        return machine
    }

    @Test("A call that fails gets another session, while others go on with the one that there is, which is then closed")
    func renews() {
        var machine = self.openMachine()

        #expect(machine.wantedInstead(of: "s", Self.refusal, at: .zero) == .open)
        #expect(machine.wantedInstead(of: "s", Self.refusal, at: .zero) == .wait)
        #expect(machine.wanted(at: .zero) == .use("s"))
        #expect(machine.opened("t") == "s")
        #expect(machine.wanted(at: .zero) == .use("t"))
        // Who comes late finds the other one.
        #expect(machine.wantedInstead(of: "s", Self.refusal, at: .zero) == .use("t"))
    }

    @Test("A session in which calls are under way is closed when the last of them has ended")
    func calls() {
        var machine = self.openMachine()
        for _ in 1...2 { machine.began("s") }
        _ = machine.wantedInstead(of: "s", Self.refusal, at: .zero)

        #expect(machine.opened("t") == nil)
        machine.began("t")
        #expect(machine.ended("s") == nil)
        #expect(machine.ended("s") == "s")
        #expect(machine.ended("t") == nil)
    }

    @Test("A call that fails in another session, too, is to blame, and for a while no other is opened")
    func blames() {
        var machine = self.openMachine()
        _ = machine.wantedInstead(of: "s", Self.refusal, at: .zero)
        _ = machine.opened("t")

        machine.trusted("t", at: .zero)
        // Of two at once one counts.
        machine.trusted("t", at: .zero)

        #expect(machine.wanted(at: .zero) == .use("t"))
        #expect(machine.wantedInstead(of: "t", Self.refusal, at: .milliseconds(49)) == .fail(Self.refusal))
        #expect(machine.wantedInstead(of: "t", Self.refusal, at: .milliseconds(100)) == .open)
    }

    @Test("After a session that has helped the next one is opened at once")
    func helps() {
        var machine = self.openMachine()
        _ = machine.wantedInstead(of: "s", Self.refusal, at: .zero)
        _ = machine.opened("t")
        machine.trusted("t", at: .zero)

        machine.helped("t")

        #expect(machine.wantedInstead(of: "t", Self.refusal, at: .zero) == .open)
    }

    @Test("Where no other session can be opened, the one that there is stays")
    func cannotRenew() {
        var machine = self.openMachine()
        _ = machine.wantedInstead(of: "s", Self.refusal, at: .zero)

        machine.openingFailed(Self.refusal, at: .zero)

        #expect(machine.wanted(at: .zero) == .use("s"))
        #expect(machine.wantedInstead(of: "s", Self.refusal, at: .milliseconds(49)) == .fail(Self.refusal))
    }

    @Test("News of a session that is not the one in use changes nothing; one that nobody asked for is closed")
    func late() {
        var machine = self.openMachine()

        machine.helped("old")
        machine.trusted("old", at: .zero)

        #expect(machine.opened("other") == "other")
        #expect(machine.opened("s") == nil)
        #expect(machine.wanted(at: .zero) == .use("s"))
        #expect(machine.wantedInstead(of: "s", Self.refusal, at: .zero) == .open)
    }

    @Test("At the end the sessions are given back, and no other is opened")
    func closes() {
        var machine = self.openMachine()
        machine.began("s")
        _ = machine.wantedInstead(of: "s", Self.refusal, at: .zero)
        _ = machine.opened("t")

        #expect(machine.closed() == ["t", "s"])
        #expect(machine.closed().isEmpty)
        #expect(machine.ended("s") == nil)
        #expect(machine.opened("u") == "u")
        guard case .fail = machine.wanted(at: .seconds(60)) else {
            Issue.record("it opens another")
            return
        }
    }
}
