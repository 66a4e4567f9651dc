package import RequestReports

/// All that is known of one revision's load, and the decisions that follow from it.
///
/// Moments are durations since any fixed point; seconds of the metric windows are counted from the same point.
package struct RevisionScaler: Sendable {
    /// Whether a report changes something at once.
    package enum OnStat: Sendable, Hashable {
        /// Somebody waits in front of a revision without pods, or more do while it starts: decide now.
        case tick
        /// The same, and the last such decision was a moment ago: decide then.
        case tickAt(Duration)
        case wait
    }

    /// One tick's outcome.
    package struct Verdict: Sendable, Hashable {
        /// `nil` if nothing was ever reported.
        package var decision: Decision?
        package var step: Activation.Step
        package var phase: Activation.Phase
    }

    /// Reports have decisions made no more often than this.
    package static let hurryInterval: Duration = .milliseconds(50)

    package private(set) var settings: ScalingSettings
    package private(set) var activation: Activation
    package private(set) var decider: Decider
    private var stable: MetricWindow
    private var panic: MetricWindow
    /// What the load asked for last; `nil` before the first decision.
    package private(set) var wanted: Int?
    private var excessBurstCapacity: Int
    /// The average over the panic window that was last decided on.
    private var decidedAverage = 0.0
    private var hurryAllowedAt: Duration?
    private let startedAt: Duration

    /// `isProxied`: whether requests go through the activator, if that is known from before.
    package init(
        settings: ScalingSettings,
        activation: Activation,
        readyPods: Int,
        isProxied: Bool? = nil,
        at now: Duration
    ) {
        self.settings = settings
        self.startedAt = now
        self.activation = activation
        self.decider = Decider(settings: settings, readyPods: readyPods, at: now)
        self.stable = MetricWindow(seconds: Self.seconds(settings.stableWindow), averaging: settings.averaging)
        self.panic = MetricWindow(seconds: Self.seconds(settings.panicWindow), averaging: settings.averaging)
        // With a pod left, somebody may have called it since.
        if case .inactive = activation.phase, readyPods == 0 { self.wanted = 0 }
        self.excessBurstCapacity =
            switch (settings.burstCapacity, isProxied) {
            case (.unlimited, _): -1
            case (.requests(0), _): 0
            case (.requests, let isProxied?): isProxied ? -1 : 0
            // Whether the first pod alone has room for the burst.
            case (.requests(let burst), nil): settings.capacity < burst ? -1 : 0
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
        guard stat.averageConcurrentRequests != 0, self.wanted == 0 || self.isRaisedWhileStarting(at: second) else {
            return .wait
        }
        if let allowed = self.hurryAllowedAt, now < allowed { return .tickAt(allowed) }
        self.hurried(at: now)
        return .tick
    }

    /// A decision is made because of a report; the next one takes its time.
    package mutating func hurried(at now: Duration) { self.hurryAllowedAt = now + Self.hurryInterval }

    /// Whether more is known of the load than was decided on, while there are too few pods for any of it: who waits for
    /// the second pod should not wait for a tick before it starts.
    private func isRaisedWhileStarting(at second: Int64) -> Bool {
        guard case .activating = self.activation.phase else { return false }
        return self.panic.average(at: second) > self.decidedAverage
    }

    /// Nobody has reported anything for a whole window, although there are pods that could be called. Who reports is given
    /// that time: after a start all of them have to find their way here first.
    private func isSilentForGood(readyPods: Int, at now: Duration) -> Bool {
        readyPods > 0 && now - self.startedAt >= self.settings.stableWindow
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
        if self.wanted != nil || !self.stable.isSilent(at: second)
            || self.isSilentForGood(readyPods: readyPods, at: now)
        {
            let made = self.decider.decide(
                stable: self.stable.average(at: second),
                panic: self.panic.average(at: second),
                readyPods: readyPods,
                settings: self.settings,
                at: now
            )
            self.wanted = made.wanted
            self.excessBurstCapacity = made.excessBurstCapacity
            self.decidedAverage = made.panicAverage
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
