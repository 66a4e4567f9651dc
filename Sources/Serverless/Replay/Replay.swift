internal import RequestReports

/// Runs a series of observations through the scaler, tick by tick.
package struct Replay {
    /// A series may ask for no more decisions than this.
    package static let rowsMax = 1_000_000

    private let series: ReplaySeries
    private var scaler: RevisionScaler
    private var rows: [ReplayRow] = []
    /// The Deployment's replicas over time; without observed pods, pods follow them.
    private var replicas: [(time: Double, count: Int)] = []
    private var observedPods: Int?
    /// What the next seconds are like until another observation comes.
    private var held: [Stat] = []
    private var heldThrough: Int64

    /// All decisions about the series, in order.
    package static func run(_ series: ReplaySeries) -> [ReplayRow] {
        guard let first = series.observations.first else { return [] }
        var replay = Replay(series, first)
        replay.run()
        return replay.rows
    }

    private init(_ series: ReplaySeries, _ first: ReplaySeries.Observation) {
        self.series = series
        self.heldThrough = Int64(first.time) - 1
        let start = series.start ?? Self.start(first.readyPods)
        let began = Self.moment(first.time)
        let pods: Int
        let activation: Activation
        switch start {
        case .new:
            pods = first.readyPods ?? 0
            activation = Activation(phase: .activating(since: began))
            self.replicas = [(first.time, max(series.settings.initialScale, series.settings.minScale))]
        case .running:
            pods = first.readyPods ?? max(1, series.settings.minScale)
            activation = Activation(phase: .active(since: began), isInitialized: true)
            self.replicas = [(-.infinity, pods)]
        case .zero:
            pods = 0
            let past = began - .seconds(86_400)
            activation = Activation(phase: .inactive(since: past), isInitialized: true, proxiedSince: past)
            self.replicas = [(-.infinity, 0)]
        }
        self.scaler = RevisionScaler(settings: series.settings, activation: activation, readyPods: pods, at: began)
    }

    private static func start(_ readyPods: Int?) -> ReplaySeries.Start {
        switch readyPods {
        case nil: .new
        case 0: .zero
        default: .running
        }
    }

    private mutating func run() {
        guard let first = self.series.observations.first, let last = self.series.observations.last else { return }
        let end = self.series.until ?? last.time
        let step = self.series.tick.inSeconds
        var remaining = self.series.observations[...]
        var index = 0.0
        while self.rows.count < Self.rowsMax {
            let now = first.time + index * step
            while let next = remaining.first, next.time <= now {
                remaining = remaining.dropFirst()
                self.observe(next)
            }
            self.hold(through: Int64(now))
            self.tick(at: now, isPoked: false)
            if now >= end { return }
            index += 1
        }
    }

    private mutating func observe(_ observation: ReplaySeries.Observation) {
        let second = Int64(observation.time)
        self.hold(through: second - 1)
        self.heldThrough = max(self.heldThrough, second)
        self.held = self.series.gaps == .hold ? observation.stats : []
        if let pods = observation.readyPods { self.observedPods = pods }
        if let isReachable = observation.isReachable {
            var settings = self.scaler.settings
            settings.isReachable = isReachable
            self.scaler.configure(settings)
        }
        var isPoked = false
        // What the autoscaler would put off by some milliseconds is decided at once here.
        for stat in observation.stats where self.scaler.record(stat, at: Self.moment(observation.time)) != .wait {
            isPoked = true
        }
        if isPoked { self.tick(at: observation.time, isPoked: true) }
    }

    /// Repeats the last observation for the seconds that have passed since.
    private mutating func hold(through second: Int64) {
        defer { self.heldThrough = max(self.heldThrough, second) }
        guard !self.held.isEmpty, self.heldThrough < second else { return }
        for second in (self.heldThrough + 1)...second {
            for stat in self.held { _ = self.scaler.record(stat, at: .seconds(second)) }
        }
    }

    private mutating func tick(at time: Double, isPoked: Bool) {
        let ready = self.observedPods ?? self.followingPods(at: time)
        let verdict = self.scaler.tick(readyPods: ready, at: Self.moment(time))
        if case .scale(let count) = verdict.step.action, count != self.replicas.last?.count {
            self.replicas.append((time, count))
        }
        self.rows.append(
            ReplayRow(
                time: time,
                readyPods: ready,
                isPoked: isPoked,
                verdict: verdict,
                replicas: self.replicas.last?.count
            )
        )
    }

    /// Pods that are up if each takes its time to start and goes at once.
    private func followingPods(at time: Double) -> Int {
        let past = time - self.series.podStart.inSeconds
        let before = self.replicas.last { $0.time <= past }?.count ?? 0
        return self.replicas.lazy.filter { $0.time > past }.map(\.count).min().map { min($0, before) } ?? before
    }

    private static func moment(_ time: Double) -> Duration { .nanoseconds(Int64((time * 1e9).rounded())) }
}
