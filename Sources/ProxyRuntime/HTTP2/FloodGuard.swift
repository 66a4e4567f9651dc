/// Bounds what a peer can make us do for nothing: each kind of useless frame has a budget that fills up again.
///
/// The budgets are generous to what real clients do and small to what attacks need. Names in comments are Envoy's
/// counters.
package struct FloodGuard {
    package enum Nuisance: Int, CaseIterable, Sendable {
        /// A stream that the client resets before it is answered (`premature resets`, CVE-2023-44487).
        case freshReset
        /// DATA without payload and without an end (`inbound_empty_frames_flood`, CVE-2019-9518).
        case emptyFrame
        /// (`inbound_priority_frames_flood`, CVE-2019-9513)
        case priority
        /// More than the data that we send can explain; Envoy too allows ten for each frame (`inbound_window_update_frames_flood`).
        case windowUpdate
        /// SETTINGS and PING, which must be answered (`outbound_control_flood`, CVE-2019-9512, CVE-2019-9515).
        case control
        /// Frames of types that nobody knows.
        case unknown
    }

    /// How many in one burst, and how many a second for ever.
    private static func limits(_ nuisance: Nuisance) -> (burst: Int, perSecond: Int) {
        switch nuisance {
        case .freshReset: (200, 100)
        case .emptyFrame: (100, 50)
        case .priority: (1000, 200)
        case .windowUpdate: (2000, 1000)
        // Clients that measure a path's bandwidth send a PING each round trip, which may be very short.
        case .control: (1000, 10_000)
        case .unknown: (1000, 100)
        }
    }

    private var spent = [Int](repeating: 0, count: Nuisance.allCases.count)
    private var lastTick = 0

    package init() {}

    /// One more came during `tick`; `false`: too many.
    package mutating func allows(_ nuisance: Nuisance, at tick: Int) -> Bool {
        self.refill(at: tick)
        let (burst, _) = Self.limits(nuisance)
        self.spent[nuisance.rawValue] += 1
        return self.spent[nuisance.rawValue] <= burst
    }

    /// A stream that was answered, or data that came, earns what it needs.
    package mutating func earned(_ nuisance: Nuisance, _ count: Int = 1) {
        self.spent[nuisance.rawValue] = max(0, self.spent[nuisance.rawValue] - count)
    }

    private mutating func refill(at tick: Int) {
        let milliseconds = (tick - self.lastTick) * Tick.milliseconds
        guard milliseconds > 0 else { return }
        self.lastTick = tick
        for nuisance in Nuisance.allCases where self.spent[nuisance.rawValue] > 0 {
            let (_, perSecond) = Self.limits(nuisance)
            let back = min(milliseconds, 60_000) * perSecond / 1000
            self.spent[nuisance.rawValue] = max(0, self.spent[nuisance.rawValue] - back)
        }
    }
}
