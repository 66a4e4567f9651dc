package import RequestReports

/// How one revision is scaled: annotations over the cluster's defaults, made numbers.
package struct ScalingSettings: Sendable, Hashable {
    /// The burst that must find room without waiting in front of pods.
    package enum BurstCapacity: Sendable, Hashable {
        case requests(Double)
        /// The activator stays in the path, whatever pods there are.
        case unlimited
    }

    package var metric: ScalingMetric = .concurrency
    /// What one pod should have of the metric, on average.
    package var target = 70.0
    /// What one pod can take of it.
    package var capacity = 100.0
    package var stableWindow: Duration = .seconds(60)
    package var panicWindow: Duration = .seconds(6)
    package var averaging: MetricWindow.Averaging = .linear
    /// How many times the pods that are ready must be wanted to start a panic.
    package var panicThreshold = 2.0
    package var scaleUpRateMax = 1000.0
    package var scaleDownRateMax = 2.0
    package var burstCapacity = BurstCapacity.requests(211)
    /// What one activator can take; decides how many a revision needs.
    package var activatorCapacity = 100.0
    package var minScale = 0
    /// Zero: no limit.
    package var maxScale = 0
    package var initialScale = 1
    /// At least so many pods when there is traffic at all.
    package var activationScale = 1
    package var scaleDownDelay: Duration = .zero
    package var isScaleToZeroEnabled = true
    package var scaleToZeroGrace: Duration = .seconds(30)
    package var podRetention: Duration = .zero
    /// How long pods may take to come up before the revision is given up.
    package var activationTimeout: Duration = .seconds(630)
    /// Whether a route leads here. A revision without one keeps no minimum and may shrink at once.
    package var isReachable = true

    package init() {}

    /// How often a decision is made.
    package static let tick: Duration = .seconds(2)

    /// The minimum that applies now.
    package var effectiveMinScale: Int { self.isReachable ? self.minScale : 0 }

    /// The pods of a new revision: with all of them it takes its traffic.
    package var firstScale: Int { self.bounded(0, min: Swift.max(self.initialScale, self.effectiveMinScale)) }

    /// `count` within minimum and maximum.
    package func bounded(_ count: Int, min: Int) -> Int {
        if count < min { return self.maxScale > 0 ? Swift.min(min, Swift.max(self.maxScale, count)) : min }
        if self.maxScale > 0, count > self.maxScale { return self.maxScale }
        return count
    }
}
