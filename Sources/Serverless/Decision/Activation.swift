/// The way of a revision between zero pods and its first: when the last pod may go, and when a start is given up.
package struct Activation: Sendable, Hashable {
    package enum Phase: Sendable, Hashable {
        /// Pods are wanted and none, or too few, are ready.
        case activating(since: Duration)
        case active(since: Duration)
        /// No traffic; the last pod goes, or has gone.
        case inactive(since: Duration)
    }

    /// What is to be done with the pods.
    package enum OnScale: Sendable, Hashable {
        case scale(to: Int)
        /// Leave them as they are.
        case keep
    }

    /// Why it is not simply what the load asks for.
    package enum Cause: Sendable, Hashable {
        case load
        case noData
        case minScale(Int)
        case maxScale(Int)
        case initialScale(Int)
        case scaleToZeroDisabled
        case activationTimedOut
        /// Zero is wanted while pods are still coming up.
        case stillActivating
        case activeTooShort(left: Duration)
        case podRetention(left: Duration)
        /// The activator must have been in the path for the grace period, so that no request meets a pod that goes.
        case grace(left: Duration)
        case activatorNotInPath
        case noTraffic
    }

    /// One step's outcome.
    package struct Step: Sendable, Hashable {
        /// What the revision should have, as its status says it; `nil` if nothing is known yet.
        package var desired: Int?
        package var action: OnScale
        package var cause: Cause
        /// Whether requests go through the activator.
        package var isProxied: Bool
    }

    package private(set) var phase: Phase
    /// Whether the initial scale has been reached once; after that it has no say.
    package private(set) var isInitialized: Bool
    /// Since when requests have gone through the activator.
    package private(set) var proxiedSince: Duration?

    /// Whether it is inactive because no pod became ready in time.
    package private(set) var isGivenUp: Bool

    package init(
        phase: Phase,
        isInitialized: Bool = false,
        proxiedSince: Duration? = nil,
        isGivenUp: Bool = false
    ) {
        self.phase = phase
        self.isInitialized = isInitialized
        self.proxiedSince = proxiedSince
        self.isGivenUp = isGivenUp
    }

    /// Where a revision stands that is taken over now: a new one that is to begin without pods waits for no pod.
    package func begun(settings: ScalingSettings, readyPods: Int, at now: Duration) -> Activation {
        guard case .activating = self.phase, !self.isInitialized, readyPods == 0, settings.firstScale == 0 else {
            return self
        }
        return Activation(phase: .inactive(since: now), isInitialized: true, proxiedSince: now)
    }

    /// Takes what the load asks for, `nil` if nothing is known of it, and says what to do.
    ///
    /// `isActivatorReachable`: requests for the revision have been seen to go to the activator.
    package mutating func step(
        wanted: Int?,
        excessBurstCapacity: Int,
        readyPods: Int,
        isActivatorReachable: Bool = true,
        settings: ScalingSettings,
        at now: Duration
    ) -> Step {
        if readyPods >= settings.bounded(0, min: settings.initialScale) { self.isInitialized = true }
        self.judgeStart(wanted, readyPods: readyPods, settings: settings, at: now)
        var step = self.bounded(wanted, settings: settings)
        if self.isGivenUp, !self.isInitialized {
            // Neither minimum nor initial scale bring back pods that have never come up; a request may try.
            step = Step(desired: 0, action: .scale(to: 0), cause: .activationTimedOut, isProxied: false)
        } else if step.desired == 0 {
            step = self.towardsZero(step, isActivatorReachable, settings, now)
            if step.desired == 0, step.action == .keep, case .active = self.phase {
                self.phase = .inactive(since: now)
                self.mark(isProxied: true, at: now)
                step = self.towardsZero(step, isActivatorReachable, settings, now)
            }
        }
        if step.cause == .activationTimedOut { self.isGivenUp = true }
        self.turn(desired: step.desired, readyPods: readyPods, settings: settings, at: now)
        var isInactive = false
        if case .inactive = self.phase { isInactive = true }
        step.isProxied =
            step.desired == 0 || excessBurstCapacity < 0 || (step.desired == nil && isInactive) || readyPods == 0
        self.mark(isProxied: step.isProxied, at: now)
        return step
    }

    /// Gives up a first start that has taken too long, whatever is wanted; requests that come later have it tried again.
    private mutating func judgeStart(
        _ wanted: Int?,
        readyPods: Int,
        settings: ScalingSettings,
        at now: Duration
    ) {
        if case .activating(let since) = self.phase {
            let isLate = now - since > settings.activationTimeout
            if isLate, !self.isInitialized, readyPods == 0, settings.isScaleToZeroEnabled { self.isGivenUp = true }
        } else if (wanted ?? 0) > 0 {
            self.isGivenUp = false
        }
    }

    private func bounded(_ wanted: Int?, settings: ScalingSettings) -> Step {
        var min = settings.effectiveMinScale
        var cause = Cause.minScale(min)
        if !self.isInitialized, settings.initialScale > min {
            min = settings.initialScale
            cause = .initialScale(min)
        }
        guard let wanted else {
            // A revision that starts gets its first pods without waiting for a report of traffic.
            guard case .activating = self.phase, min > 0 else {
                return Step(desired: nil, action: .keep, cause: .noData, isProxied: false)
            }
            let count = settings.bounded(0, min: min)
            return Step(desired: count, action: .scale(to: count), cause: cause, isProxied: false)
        }
        let count = settings.bounded(wanted, min: min)
        if count == wanted { cause = .load } else if count < wanted { cause = .maxScale(settings.maxScale) }
        return Step(desired: count, action: .scale(to: count), cause: cause, isProxied: false)
    }

    private func towardsZero(
        _ step: Step,
        _ isActivatorReachable: Bool,
        _ settings: ScalingSettings,
        _ now: Duration
    ) -> Step {
        func outcome(_ desired: Int?, _ action: OnScale, _ cause: Cause) -> Step {
            Step(desired: desired, action: action, cause: cause, isProxied: step.isProxied)
        }
        guard settings.isScaleToZeroEnabled else { return outcome(1, .scale(to: 1), .scaleToZeroDisabled) }
        switch self.phase {
        case .activating(let since):
            guard now - since > settings.activationTimeout else { return outcome(nil, .keep, .stillActivating) }
            return outcome(0, .scale(to: 0), .activationTimedOut)
        case .active(let since):
            let left = settings.stableWindow - (now - since)
            guard left <= .zero else { return outcome(1, .scale(to: 1), .activeTooShort(left: left)) }
            return outcome(0, .keep, .noTraffic)
        case .inactive(let since):
            guard isActivatorReachable else { return outcome(0, .keep, .activatorNotInPath) }
            let inactive = now - since
            let cause: Cause = self.isGivenUp ? .activationTimedOut : .noTraffic
            if inactive >= max(settings.scaleToZeroGrace, settings.podRetention) {
                return outcome(0, .scale(to: 0), cause)
            }
            let retention = settings.podRetention - inactive
            guard retention <= .zero else { return outcome(0, .keep, .podRetention(left: retention)) }
            let grace = settings.scaleToZeroGrace - (self.proxiedSince.map { now - $0 } ?? .zero)
            guard grace <= .zero else { return outcome(0, .keep, .grace(left: grace)) }
            return outcome(0, .scale(to: 0), cause)
        }
    }

    private mutating func turn(desired: Int?, readyPods: Int, settings: ScalingSettings, at now: Duration) {
        var enough = max(1, settings.effectiveMinScale)
        if !self.isInitialized { enough = max(enough, settings.initialScale) }
        var isInactive = false
        if case .inactive = self.phase { isInactive = true }
        let isWanted = (desired ?? 0) > 0
        if desired == 0 {
            if !isInactive { self.phase = .inactive(since: now) }
        } else if isWanted || !isInactive {
            switch (self.phase, readyPods >= enough) {
            case (.active, true), (.activating, false): ()
            case (_, true): self.phase = .active(since: now)
            case (_, false): self.phase = .activating(since: now)
            }
            self.isGivenUp = false
        }
    }

    private mutating func mark(isProxied: Bool, at now: Duration) {
        if !isProxied {
            self.proxiedSince = nil
        } else if self.proxiedSince == nil {
            self.proxiedSince = now
        }
    }
}
