internal import MeshModel

/// When changes go out: those that come soon after each other together, and one that somebody may be waiting for at once.
package struct Gathering: Sendable {
    package struct Debounce: Sendable {
        /// Changes are due once there was none for so long,
        package var quiet: Duration = .milliseconds(10)
        /// or so long after the first of them.
        package var max: Duration = .milliseconds(50)

        package init() {}
    }

    private let debounce: Debounce
    private var firstAt: ContinuousClock.Instant?
    private var lastAt: ContinuousClock.Instant?
    private var isUrgent = false
    private var publishedAt: ContinuousClock.Instant?

    package init(_ debounce: Debounce) { self.debounce = debounce }

    /// When to publish; `nil`: nothing has changed.
    package var due: ContinuousClock.Instant? {
        guard let firstAt, let lastAt else { return nil }
        let gathered = min(lastAt + self.debounce.quiet, firstAt + self.debounce.max)
        guard self.isUrgent else { return gathered }
        // As often as without urgent changes: a mesh that starts has nothing else.
        return min(gathered, self.publishedAt.map { $0 + self.debounce.max } ?? firstAt)
    }

    /// Something has changed.
    ///
    /// - Parameters:
    ///   - isUrgent: somebody may be waiting for it.
    ///   - now: of the clock of `due`.
    /// - Returns: Whether it is due sooner than what had changed before, or is the first change.
    package mutating func changed(isUrgent: Bool, now: ContinuousClock.Instant) -> Bool {
        let before = self.due
        self.firstAt = self.firstAt ?? now
        self.lastAt = now
        self.isUrgent = self.isUrgent || isUrgent
        guard let before, let due = self.due else { return true }
        return due < before
    }

    /// All changes so far have been published, or are about to be.
    package mutating func published(now: ContinuousClock.Instant) {
        self.firstAt = nil
        self.lastAt = nil
        self.isUrgent = false
        self.publishedAt = now
    }
}

extension MeshSnapshot {
    /// Whether a service that had no endpoint has one: requests may be held for it. `services`: those that are looked at;
    /// `nil`: all.
    func hasFirstEndpoints(since old: MeshSnapshot, of services: Set<ServiceKey>?) -> Bool {
        func isFirst(_ service: ServiceKey) -> Bool {
            self.endpoints[service]?.isEmpty == false && old.endpoints[service]?.isEmpty ?? true
        }
        return services?.contains(where: isFirst) ?? self.endpoints.keys.contains(where: isFirst)
    }
}
