internal import RequestReports

extension RevisionScaler.Verdict {
    /// Why it is so, in words: what was measured, what limited it, what became of it on the way to zero.
    package func reason(_ settings: ScalingSettings) -> String {
        var parts: [String] = []
        if let decision = self.decision {
            parts.append(decision.measure(settings))
            if let limit = decision.limit.reason(settings) { parts.append(limit) }
        }
        if let cause = self.step.cause.reason(settings, desired: self.step.desired) { parts.append(cause) }
        return parts.joined(separator: "; ")
    }
}

extension Decision {
    fileprivate func measure(_ settings: ScalingSettings) -> String {
        let target = DecimalText.short(settings.target)
        let unit = settings.metric == .concurrency ? "in flight" : "req/s"
        let isPanicLarger = self.panicNeed > self.stableNeed
        func need(_ average: Double, _ count: Int) -> String {
            "\(DecimalText.short(average)) \(unit) / target \(target) asks for \(DecimalText.pods(count))"
        }
        switch (self.mode, self.panicTurn) {
        case (.panic, .began):
            let percent = DecimalText.short(settings.panicThreshold * 100)
            return
                "panic begins: \(need(self.panicAverage, self.panicNeed)), at least \(percent)% of \(max(1, self.readyPods)) ready"
        case (.panic, _):
            return isPanicLarger
                ? "panic: " + need(self.panicAverage, self.panicNeed)
                : "panic: " + need(self.stableAverage, self.stableNeed)
        case (.stable, .ended): return "panic ends: " + need(self.stableAverage, self.stableNeed)
        case (.stable, _): return need(self.stableAverage, self.stableNeed)
        }
    }
}

extension Decision.Limit {
    fileprivate func reason(_ settings: ScalingSettings) -> String? {
        switch self {
        case .none: nil
        case .scaleUpRate(let count):
            "max-scale-up-rate \(DecimalText.short(settings.scaleUpRateMax)) allows \(DecimalText.pods(count)) at once"
        case .scaleDownRate(let count):
            "max-scale-down-rate \(DecimalText.short(settings.scaleDownRateMax)) leaves \(DecimalText.pods(count))"
        case .activationScale(let count): "activation-scale starts \(DecimalText.pods(count))"
        case .panicKeeps(let count, let fewer): "panic keeps \(count) instead of \(fewer)"
        case .delayKeeps(let count, let fewer):
            "scale-down-delay \(GoDuration.text(settings.scaleDownDelay)) keeps \(count) instead of \(fewer)"
        }
    }
}

extension Activation.Cause {
    fileprivate func reason(_ settings: ScalingSettings, desired: Int?) -> String? {
        switch self {
        case .load: nil
        case .noData: "nothing has been reported yet"
        case .minScale(let count): "min-scale \(count)"
        case .maxScale(let count): "max-scale \(count)"
        case .initialScale(let count): "initial-scale \(count) comes first"
        case .scaleToZeroDisabled: "enable-scale-to-zero is false, so one pod stays"
        case .activationTimedOut: "no pod became ready within \(GoDuration.text(settings.activationTimeout)); given up"
        case .stillActivating: "pods are coming up; nothing is taken away"
        case .activeTooShort(let left):
            "one pod stays: active for less than the stable window, \(GoDuration.text(left)) left"
        case .podRetention(let left): "no traffic; pod retention keeps the last pod, \(GoDuration.text(left)) left"
        case .grace(let left): "no traffic; grace period keeps the last pod, \(GoDuration.text(left)) left"
        case .activatorNotInPath: "no traffic; the last pod stays until requests are seen to go to the activator"
        case .noTraffic: "no traffic: scaled to zero"
        }
    }
}

/// Numbers for people.
enum DecimalText {
    /// At most three decimals, none if they are zeros.
    static func short(_ number: Double) -> String {
        guard number.isFinite, abs(number) < 1e15 else { return "\(number)" }
        let thousandths = Int64((number * 1000).rounded())
        var text = String(abs(thousandths) / 1000)
        let rest = abs(thousandths) % 1000
        if rest > 0 {
            var decimals = String(rest + 1000).dropFirst()
            while decimals.hasSuffix("0") { decimals = decimals.dropLast() }
            text += "." + decimals
        }
        return thousandths < 0 ? "-" + text : text
    }

    static func pods(_ count: Int) -> String { count == 1 ? "1 pod" : "\(count) pods" }
}
