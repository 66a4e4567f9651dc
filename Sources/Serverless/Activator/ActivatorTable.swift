package import MeshModel
package import RequestReports
internal import TrafficEngine

/// Everything that an activator knows of revisions: who waits, which pods answer, what is reported. Without input or output.
///
/// A request that waits stands in its revision's queue and among the waiters, or in neither: a place in a pod can so never
/// be given to one that has gone, and be lost with it.
package struct ActivatorTable<Waiter: Sendable>: Sendable {
    package typealias RequestID = UInt64

    /// What becomes of a request that has come.
    package struct OnArrival: Sendable {
        package var action: RevisionQueue<RequestID>.OnArrival
        /// To be sent at once: the revision had no traffic, and may have no pods.
        package var report: StatMessage?
    }

    /// A request that can go now.
    package struct Release: Sendable {
        package var waiter: Waiter
        package var address: String
    }

    private struct Entry {
        var queue: RevisionQueue<RequestID>
        var meter: ConcurrencyMeter
        var containerConcurrency: Int
        var timeLimit: Duration
    }

    private let name: String
    private let lengthMax: Int
    private var entries: [ObjectID: Entry] = [:]
    private var waiters: [RequestID: Waiter] = [:]
    private var lastID: RequestID = 0
    /// Requests that nobody wanted answered any more while they waited.
    package private(set) var leftCount = 0

    /// `name`: under which this activator reports. `lengthMax`: how many requests of one revision may wait.
    package init(name: String, lengthMax: Int) {
        self.name = name
        self.lengthMax = lengthMax
    }

    package var revisions: Set<ObjectID> { Set(self.entries.keys) }
    package var waitingCount: Int { self.waiters.count }
    package var inFlightCount: Int { self.entries.values.reduce(0) { $0 + $1.queue.inFlightCount } }

    package mutating func newID() -> RequestID {
        self.lastID += 1
        return self.lastID
    }

    package mutating func configured(
        _ revision: ObjectID,
        containerConcurrency: Int,
        timeLimit: Duration = ActivatorService.timeLimitDefault,
        at now: Duration
    ) -> [Release] {
        if self.entries[revision] == nil {
            self.entries[revision] = Entry(
                queue: RevisionQueue(
                    containerConcurrency: containerConcurrency,
                    lengthMax: self.lengthMax,
                    seed: UInt64(bitPattern: Int64(revision.hashValue))
                ),
                meter: ConcurrencyMeter(at: now),
                containerConcurrency: containerConcurrency,
                timeLimit: timeLimit
            )
            return []
        }
        self.entries[revision]?.timeLimit = timeLimit
        guard self.entries[revision]?.containerConcurrency != containerConcurrency else { return [] }
        self.entries[revision]?.containerConcurrency = containerConcurrency
        return self.releases(self.entries[revision]?.queue.configure(containerConcurrency: containerConcurrency))
    }

    /// How long a request for the revision may take; `nil` if nobody has told of it.
    package func timeLimit(of revision: ObjectID) -> Duration? { self.entries[revision]?.timeLimit }

    /// The revision is gone; gives those who waited for it.
    package mutating func removed(_ revision: ObjectID) -> [Waiter] {
        let ids = self.entries[revision]?.queue.expired(at: .seconds(Int64.max / 2)) ?? []
        self.entries[revision] = nil
        return ids.compactMap { self.waiters.removeValue(forKey: $0) }
    }

    package mutating func podsChanged(_ revision: ObjectID, _ addresses: [String]) -> [Release] {
        self.releases(self.entries[revision]?.queue.podsChanged(addresses))
    }

    /// A request has come; `waiter` is kept if it has to wait. `nil` if nobody has told of the revision.
    package mutating func arrived(
        _ id: RequestID,
        _ waiter: Waiter,
        for revision: ObjectID,
        deadline: Duration,
        at now: Duration
    ) -> OnArrival? {
        guard self.entries[revision] != nil else { return nil }
        let isFirst = self.entries[revision]?.meter.began(at: now) ?? false
        let action = self.entries[revision]?.queue.arrived(id, deadline: deadline) ?? .refuse
        switch action {
        case .forward: ()
        case .wait: self.waiters[id] = waiter
        case .refuse: self.entries[revision]?.meter.ended(at: now)
        }
        let stat = Stat(podName: self.name, averageConcurrentRequests: 1, requestCount: 1)
        return OnArrival(action: action, report: isFirst ? StatMessage(revision: revision, stat: stat) : nil)
    }

    /// A forwarded request has ended.
    package mutating func finished(_ revision: ObjectID, at address: String, now: Duration) -> [Release] {
        self.entries[revision]?.meter.ended(at: now)
        return self.releases(self.entries[revision]?.queue.finished(at: address))
    }

    /// Nobody wants the answer any more. Gives the waiter; `nil` if it does not wait.
    package mutating func left(_ id: RequestID, _ revision: ObjectID, now: Duration) -> Waiter? {
        guard let waiter = self.waiters.removeValue(forKey: id) else { return nil }
        self.leftCount += 1
        _ = self.entries[revision]?.queue.left(id)
        self.entries[revision]?.meter.ended(at: now)
        return waiter
    }

    /// Those whose time has run out.
    package mutating func expired(at now: Duration) -> [Waiter] {
        var late: [Waiter] = []
        for revision in self.entries.keys {
            for id in self.entries[revision]?.queue.expired(at: now) ?? [] {
                self.entries[revision]?.meter.ended(at: now)
                if let waiter = self.waiters.removeValue(forKey: id) { late.append(waiter) }
            }
        }
        return late
    }

    /// What is reported each second.
    package mutating func reports(at now: Duration) -> [StatMessage] {
        var messages: [StatMessage] = []
        for revision in self.entries.keys {
            guard let report = self.entries[revision]?.meter.report(at: now) ?? nil else { continue }
            let stat = Stat(
                podName: self.name,
                averageConcurrentRequests: report.concurrency,
                requestCount: report.requests
            )
            messages.append(StatMessage(revision: revision, stat: stat))
        }
        return messages
    }

    private mutating func releases(_ released: [(id: RequestID, address: String)]?) -> [Release] {
        (released ?? []).compactMap { id, address in
            self.waiters.removeValue(forKey: id).map { Release(waiter: $0, address: address) }
        }
    }
}
