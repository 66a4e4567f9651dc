/// What became of requests for one revision that may have had no pods, or for one of its pods.
package struct ActivationStatistics: Sendable, Hashable {
    /// Waiting now, and on their way.
    package var waiting = 0
    package var inFlight = 0
    /// Requests that had to wait.
    package var held = 0
    /// As many waited as may.
    package var refused = 0
    /// Requests whose clients left while they waited.
    package var left = 0
    /// How long those waited that were let go: cold starts, and waits for room.
    package var durations = DurationHistogram()

    package init() {}

    /// The numbers, as `activation.<namespace>/<name>.…`; of a pod itself as `activation.<namespace>/<name>/pod.…`.
    package var all: [Statistic] {
        [
            Statistic("requests_waiting", .gauge, self.waiting),
            Statistic("requests_active", .gauge, self.inFlight),
            Statistic("requests_held", .counter, self.held),
            Statistic("requests_refused", .counter, self.refused),
            Statistic("requests_left", .counter, self.left),
            Statistic("requests_released", .counter, self.durations.count),
            Statistic("wait_ms_sum", .counter, self.durations.sumMicroseconds / 1000),
        ]
    }
}
