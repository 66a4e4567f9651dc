/// How many pods the observed load asks for: the rule of Knative's pod autoscaler, without clock or input.
package struct Decider: Sendable {
    /// Set while many more pods are wanted than there are; no pod is taken away then.
    private struct Panic {
        var since: Duration
        var podsMax: Int
    }

    private var panic: Panic?
    private var delay: PeakWindow?
    private var delayDuration: Duration

    /// Starts beside `readyPods` pods. With more than one it starts in panic: nothing is known of the load yet, and
    /// pods must not go for that reason.
    package init(settings: ScalingSettings, readyPods: Int, at now: Duration) {
        self.panic = readyPods > 1 ? Panic(since: now, podsMax: readyPods) : nil
        self.delayDuration = settings.scaleDownDelay
        self.delay = settings.scaleDownDelay > .zero ? PeakWindow(duration: settings.scaleDownDelay) : nil
    }

    package var isPanicking: Bool { self.panic != nil }

    /// Decides on the averages of both windows.
    package mutating func decide(
        stable stableAverage: Double,
        panic panicAverage: Double,
        readyPods: Int,
        settings: ScalingSettings,
        at now: Duration
    ) -> Decision {
        let pods = Double(max(1, readyPods))
        let limits = Limits(pods: pods, settings: settings)
        let stableNeed = (stableAverage / settings.target).rounded(.up)
        let panicNeed = (panicAverage / settings.target).rounded(.up)
        let stableCount = limits.clamp(stableNeed, activationScale: settings.activationScale)
        let panicCount = limits.clamp(panicNeed, activationScale: settings.activationScale)

        let turn = self.turnPanic(isOver: panicNeed / pods >= settings.panicThreshold, settings: settings, at: now)
        var decision = Decision(
            readyPods: readyPods,
            stableAverage: stableAverage,
            panicAverage: panicAverage,
            stableNeed: Self.count(stableNeed),
            panicNeed: Self.count(panicNeed),
            mode: self.panic == nil ? .stable : .panic,
            panicTurn: turn,
            wanted: stableCount.count,
            limit: stableCount.limit,
            excessBurstCapacity: Self.excessBurstCapacity(readyPods, panicAverage, settings),
            activators: Self.activators(readyPods, settings)
        )
        if var panic = self.panic {
            // The stable average may be above the panic one, when a surge has just ended.
            let larger = panicCount.count > stableCount.count ? panicCount : stableCount
            decision.limit = larger.limit
            if larger.count < panic.podsMax { decision.limit = .panicKeeps(panic.podsMax, insteadOf: larger.count) }
            panic.podsMax = max(panic.podsMax, larger.count)
            decision.wanted = panic.podsMax
            self.panic = panic
        }
        self.applyDelay(to: &decision, settings: settings, at: now)
        return decision
    }

    private mutating func turnPanic(
        isOver: Bool,
        settings: ScalingSettings,
        at now: Duration
    ) -> Decision.PanicTurn {
        guard var panic = self.panic else {
            guard isOver else { return .none }
            self.panic = Panic(since: now, podsMax: 0)
            return .began
        }
        if isOver {
            panic.since = now
            self.panic = panic
            return .none
        }
        // Ends when the surge has made its way through the stable window.
        guard panic.since + settings.stableWindow < now else { return .none }
        self.panic = nil
        return .ended
    }

    private mutating func applyDelay(to decision: inout Decision, settings: ScalingSettings, at now: Duration) {
        if settings.scaleDownDelay != self.delayDuration {
            self.delayDuration = settings.scaleDownDelay
            self.delay = settings.scaleDownDelay > .zero ? PeakWindow(duration: settings.scaleDownDelay) : nil
        }
        guard var delay = self.delay else { return }
        self.delay = nil
        let peak = delay.record(decision.wanted, at: now)
        self.delay = delay
        // What no route leads to may go at once.
        guard settings.isReachable, peak != decision.wanted else { return }
        decision.limit = .delayKeeps(peak, insteadOf: decision.wanted)
        decision.wanted = peak
    }

    private static func excessBurstCapacity(
        _ readyPods: Int,
        _ panicAverage: Double,
        _ settings: ScalingSettings
    ) -> Int {
        switch settings.burstCapacity {
        case .unlimited: -1
        case .requests(0): 0
        case .requests(let burst):
            Self.count((Double(readyPods) * settings.capacity - burst - panicAverage).rounded(.down))
        }
    }

    private static func activators(_ readyPods: Int, _ settings: ScalingSettings) -> Int {
        let capacity = Double(readyPods) * settings.capacity
        let load =
            switch settings.burstCapacity {
            case .requests(0): 0.0
            case .requests(let burst): capacity + burst
            case .unlimited: capacity
            }
        return max(Decision.activatorsMin, Self.count((load / settings.activatorCapacity).rounded(.up)))
    }

    /// A whole number that fits; metrics come from outside.
    fileprivate static func count(_ number: Double) -> Int {
        Int(min(max(number, Double(Int32.min)), Double(Int32.max)))
    }

    /// How far one decision may go from the pods that are ready.
    private struct Limits {
        let up: Double
        let down: Double

        init(pods: Double, settings: ScalingSettings) {
            // Rounded so that one pod more, or less, is always possible.
            self.up = (settings.scaleUpRateMax * pods).rounded(.up)
            self.down = settings.isReachable ? (pods / settings.scaleDownRateMax).rounded(.down) : 0
        }

        func clamp(_ need: Double, activationScale: Int) -> (count: Int, limit: Decision.Limit) {
            let clamped = min(max(need, self.down), self.up)
            let count = Decider.count(clamped)
            if activationScale > 1, need > 0, activationScale > count {
                return (activationScale, .activationScale(activationScale))
            }
            if clamped < need { return (count, .scaleUpRate(count)) }
            if clamped > need { return (count, .scaleDownRate(count)) }
            return (count, .none)
        }
    }
}
