package import RequestReports

/// All that is known of one revision's load, and the decisions that follow from it.
///
/// Moments are durations since any fixed point; seconds of the metric windows are counted from the same point.
package struct RevisionScaler: Sendable {
    /// Whether a report changes something at once.
    package enum OnStat: Sendable, Hashable {
        /// Somebody waits in front of a revision without pods: decide now.
        case tick
        case wait
    }

    /// One tick's outcome.
    package struct Verdict: Sendable, Hashable {
        /// `nil` if nothing was ever reported.
        package var decision: Decision?
        package var step: Activation.Step
        package var phase: Activation.Phase
    }

    package private(set) var settings: ScalingSettings
    package private(set) var activation: Activation
    package private(set) var decider: Decider
    private var stable: MetricWindow
    private var panic: MetricWindow
    /// What the load asked for last; `nil` before the first decision.
    package private(set) var wanted: Int?
    private var excessBurstCapacity: Int

    package init(settings: ScalingSettings, activation: Activation, readyPods: Int, at now: Duration) {
        self.settings = settings
        self.activation = activation
        self.decider = Decider(settings: settings, readyPods: readyPods, at: now)
        self.stable = MetricWindow(seconds: Self.seconds(settings.stableWindow), averaging: settings.averaging)
        self.panic = MetricWindow(seconds: Self.seconds(settings.panicWindow), averaging: settings.averaging)
        if case .inactive = activation.phase { self.wanted = 0 }
        self.excessBurstCapacity =
            switch settings.burstCapacity {
            case .unlimited: -1
            case .requests(0): 0
            // Whether the first pod alone has room for the burst.
            case .requests(let burst): settings.capacity < burst ? -1 : 0
            }
    }

    /// Takes over changed settings. Reports are kept unless they were of another metric.
    package mutating func configure(_ settings: ScalingSettings) {
        guard settings != self.settings else { return }
        let stable = Self.seconds(settings.stableWindow)
        let panic = Self.seconds(settings.panicWindow)
        if settings.metric != self.settings.metric || settings.averaging != self.settings.averaging {
            self.stable = MetricWindow(seconds: stable, averaging: settings.averaging)
            self.panic = MetricWindow(seconds: panic, averaging: settings.averaging)
        } else {
            if stable != self.stable.seconds { self.stable = self.stable.resized(seconds: stable) }
            if panic != self.panic.seconds { self.panic = self.panic.resized(seconds: panic) }
        }
        self.settings = settings
    }

    /// Takes in a report.
    package mutating func record(_ stat: Stat, at now: Duration) -> OnStat {
        let second = now.components.seconds
        let value = stat.value(of: self.settings.metric)
        self.stable.record(value, at: second)
        self.panic.record(value, at: second)
        return self.wanted == 0 && stat.averageConcurrentRequests != 0 ? .tick : .wait
    }

    /// Decides. `isActivatorReachable`: requests for the revision have been seen to go to the activator.
    package mutating func tick(
        readyPods: Int,
        isActivatorReachable: Bool = true,
        at now: Duration
    ) -> Verdict {
        let second = now.components.seconds
        var decision: Decision?
        // A window without any report means no traffic: who has nothing to tell may be silent.
        if self.wanted != nil || !self.stable.isSilent(at: second) {
            let made = self.decider.decide(
                stable: self.stable.average(at: second),
                panic: self.panic.average(at: second),
                readyPods: readyPods,
                settings: self.settings,
                at: now
            )
            self.wanted = made.wanted
            self.excessBurstCapacity = made.excessBurstCapacity
            decision = made
        }
        let step = self.activation.step(
            wanted: self.wanted,
            excessBurstCapacity: self.excessBurstCapacity,
            readyPods: readyPods,
            isActivatorReachable: isActivatorReachable,
            settings: self.settings,
            at: now
        )
        return Verdict(decision: decision, step: step, phase: self.activation.phase)
    }

    private static func seconds(_ window: Duration) -> Int { max(1, Int(window.components.seconds)) }
}
