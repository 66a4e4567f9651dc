package import RequestReports

/// What was observed of one revision over some time, and how it is to be scaled: the input of a replay.
package struct ReplaySeries: Sendable {
    /// One moment's observation.
    package struct Observation: Sendable {
        /// Seconds since the start.
        package var time: Double
        /// One per pod or activator; empty: nothing arrives from here on.
        package var stats: [Stat]
        package var readyPods: Int?
        package var isReachable: Bool?
        package var line: Int
    }

    /// What happened before the first observation.
    package enum Start: String, Sendable, CaseIterable {
        /// The revision is created at the first observation.
        case new
        /// It is active, and has reached its initial scale before.
        case running
        /// It has been scaled to zero.
        case zero
    }

    /// What the seconds between two observations were like.
    package enum Gaps: String, Sendable, CaseIterable {
        /// An observation stands until the next one, the last until the end.
        case hold
        /// It stands for its own second only; nothing is reported in the others.
        case zero
    }

    package var settings = ScalingSettings()
    package var tick: Duration = ScalingSettings.tick
    /// The end, in seconds; by default the last observation.
    package var until: Double?
    package var start: Start?
    package var gaps = Gaps.hold
    /// How long a pod takes to become ready; counts if no observation tells how many are.
    package var podStart: Duration = .zero
    package var observations: [Observation] = []

    package init() {}
}

/// One decision of a replay.
package struct ReplayRow: Sendable {
    /// Seconds since the start.
    package var time: Double
    package var readyPods: Int
    /// A report made it happen between two ticks.
    package var isPoked: Bool
    package var verdict: RevisionScaler.Verdict
    /// What the Deployment is set to after it; `nil` while that is unknown.
    package var replicas: Int?
}
