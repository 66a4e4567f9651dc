import Serverless
import Testing

@Suite struct ActivationTests {
    private let settings = ScalingSettings()

    private func active(_ settings: ScalingSettings? = nil) -> Activation {
        Activation(phase: .active(since: .zero), isInitialized: true)
    }

    @Test("One pod stays until the revision has been active for a stable window")
    func activeTooShort() {
        var activation = self.active()

        let early = activation.step(
            wanted: 0,
            excessBurstCapacity: 0,
            readyPods: 3,
            settings: self.settings,
            at: .seconds(59)
        )
        #expect(early.action == .scale(to: 1) && early.desired == 1)
        #expect(early.cause == .activeTooShort(left: .seconds(1)))
    }

    @Test("The last pod goes after the grace period in which the activator has been in the path")
    func grace() {
        var activation = self.active()
        func step(at seconds: Int64) -> Activation.Step {
            activation.step(
                wanted: 0,
                excessBurstCapacity: 0,
                readyPods: 1,
                settings: self.settings,
                at: .seconds(seconds)
            )
        }

        let idle = step(at: 60)
        #expect(idle.desired == 0 && idle.action == .keep && idle.isProxied)
        #expect(idle.cause == .grace(left: .seconds(30)))
        #expect(step(at: 88).action == .keep)
        #expect(step(at: 90).action == .scale(to: 0))
    }

    @Test("With the activator in the path for long there is no grace to wait for")
    func alreadyProxied() {
        var activation = self.active()
        for second in stride(from: Int64(0), to: 60, by: 2) {
            _ = activation.step(
                wanted: 1,
                excessBurstCapacity: -111,
                readyPods: 1,
                settings: self.settings,
                at: .seconds(second)
            )
        }

        let idle = activation.step(
            wanted: 0,
            excessBurstCapacity: -111,
            readyPods: 1,
            settings: self.settings,
            at: .seconds(60)
        )
        #expect(idle.action == .scale(to: 0))
    }

    @Test("Retention keeps the last pod longer than the grace period does")
    func retention() {
        var settings = self.settings
        settings.podRetention = .seconds(120)
        var activation = Activation(phase: .inactive(since: .zero), isInitialized: true, proxiedSince: .zero)

        let kept = activation.step(
            wanted: 0,
            excessBurstCapacity: 0,
            readyPods: 1,
            settings: settings,
            at: .seconds(119)
        )
        #expect(kept.action == .keep && kept.cause == .podRetention(left: .seconds(1)))
        let gone = activation.step(
            wanted: 0,
            excessBurstCapacity: 0,
            readyPods: 1,
            settings: settings,
            at: .seconds(120)
        )
        #expect(gone.action == .scale(to: 0))
    }

    @Test("The last pod stays while requests are not seen to go to the activator")
    func activatorMissing() {
        var activation = Activation(phase: .inactive(since: .zero), isInitialized: true, proxiedSince: .zero)

        let step = activation.step(
            wanted: 0,
            excessBurstCapacity: 0,
            readyPods: 1,
            isActivatorReachable: false,
            settings: self.settings,
            at: .seconds(500)
        )
        #expect(step.action == .keep && step.cause == .activatorNotInPath)
    }

    @Test("Minimum and maximum hold, the minimum only where a route leads")
    func bounds() {
        var settings = self.settings
        settings.minScale = 2
        settings.maxScale = 5
        func desired(_ wanted: Int, isReachable: Bool = true) -> Int? {
            settings.isReachable = isReachable
            var activation = self.active()
            return activation.step(
                wanted: wanted,
                excessBurstCapacity: 0,
                readyPods: 2,
                settings: settings,
                at: .seconds(99)
            ).desired
        }

        #expect(desired(0) == 2)
        #expect(desired(3) == 3)
        #expect(desired(9) == 5)
        #expect(desired(0, isReachable: false) == 0)
    }

    @Test("Without scaling to zero one pod stays for good")
    func disabled() {
        var settings = self.settings
        settings.isScaleToZeroEnabled = false
        var activation = self.active()

        let step = activation.step(
            wanted: 0,
            excessBurstCapacity: 0,
            readyPods: 1,
            settings: settings,
            at: .seconds(9999)
        )
        #expect(step.action == .scale(to: 1) && step.cause == .scaleToZeroDisabled)
    }

    @Test("A new revision gets its initial scale once, and then what the load asks for")
    func initialScale() {
        var settings = self.settings
        settings.initialScale = 3
        var activation = Activation(phase: .activating(since: .zero))
        func step(_ wanted: Int?, ready: Int, at seconds: Int64) -> Activation.Step {
            activation.step(
                wanted: wanted,
                excessBurstCapacity: 0,
                readyPods: ready,
                settings: settings,
                at: .seconds(seconds)
            )
        }

        #expect(step(nil, ready: 0, at: 0).action == .scale(to: 3))
        #expect(step(1, ready: 2, at: 2).action == .scale(to: 3))
        #expect(step(1, ready: 3, at: 4).action == .scale(to: 1))
        #expect(activation.phase == .active(since: .seconds(4)))
    }

    @Test("A revision whose pods never come up is given up, and not before its time")
    func activationTimeout() {
        var settings = self.settings
        settings.initialScale = 0
        settings.activationTimeout = .seconds(100)
        var activation = Activation(phase: .activating(since: .zero))
        func step(at seconds: Int64) -> Activation.Step {
            activation.step(
                wanted: 0,
                excessBurstCapacity: 0,
                readyPods: 0,
                settings: settings,
                at: .seconds(seconds)
            )
        }

        #expect(step(at: 100).action == .keep)
        let late = step(at: 101)
        #expect(late.action == .scale(to: 0) && late.cause == .activationTimedOut)
        #expect(activation.phase == .inactive(since: .seconds(101)))
    }

    @Test("A first start without a pod is given up whatever minimum there is, and tried again for a request")
    func firstStartFails() {
        var settings = self.settings
        settings.minScale = 2
        settings.activationTimeout = .seconds(100)
        var activation = Activation(phase: .activating(since: .zero))
        func step(_ wanted: Int?, at seconds: Int64) -> Activation.Step {
            activation.step(
                wanted: wanted,
                excessBurstCapacity: 0,
                readyPods: 0,
                settings: settings,
                at: .seconds(seconds)
            )
        }

        #expect(step(nil, at: 100).action == .scale(to: 2))
        let late = step(nil, at: 101)
        #expect(late.action == .scale(to: 0) && late.cause == .activationTimedOut)
        #expect(activation.phase == .inactive(since: .seconds(101)) && activation.isGivenUp)
        #expect(step(0, at: 500).cause == .activationTimedOut)
        #expect(step(1, at: 501).action == .scale(to: 2))
        #expect(activation.phase == .activating(since: .seconds(501)) && !activation.isGivenUp)
    }

    @Test("A revision that had its pods once is not given up while some are wanted")
    func laterStart() {
        var settings = self.settings
        settings.activationTimeout = .seconds(100)
        var activation = Activation(phase: .activating(since: .zero), isInitialized: true)

        let step = activation.step(
            wanted: 1,
            excessBurstCapacity: 0,
            readyPods: 0,
            settings: settings,
            at: .seconds(101)
        )
        #expect(step.action == .scale(to: 1))
    }

    @Test("From zero a wanted pod makes it activating, a ready one active")
    func wakes() {
        var activation = Activation(phase: .inactive(since: .zero), isInitialized: true, proxiedSince: .zero)

        let waiting = activation.step(
            wanted: 1,
            excessBurstCapacity: 0,
            readyPods: 0,
            settings: self.settings,
            at: .seconds(5)
        )
        #expect(waiting.action == .scale(to: 1) && waiting.isProxied)
        #expect(activation.phase == .activating(since: .seconds(5)))
        let up = activation.step(
            wanted: 1,
            excessBurstCapacity: 0,
            readyPods: 1,
            settings: self.settings,
            at: .seconds(7)
        )
        #expect(!up.isProxied)
        #expect(activation.phase == .active(since: .seconds(7)))
    }
}
