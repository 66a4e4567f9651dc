internal import KubernetesAPI
internal import MeshModel

/// Everything that an activator knows of revisions: who waits, which pods answer, what is reported. Without input or output.
struct ActivatorTable: Sendable {
    typealias RequestID = UInt64

    /// What becomes of a request that has come.
    struct OnArrival: Sendable {
        var action: RevisionQueue<RequestID>.OnArrival
        /// To be sent at once: the revision had no traffic, and may have no pods.
        var report: StatMessage?
    }

    /// A request that can go now.
    struct Release: Sendable, Hashable {
        var id: RequestID
        var address: String
    }

    private struct Entry {
        var queue: RevisionQueue<RequestID>
        var meter: ConcurrencyMeter
        var containerConcurrency: Int
        /// Whether the object is there; what only waits in a queue is kept without it.
        var isKnown: Bool
    }

    private let name: String
    private let lengthMax: Int
    private var entries: [ObjectID: Entry] = [:]
    private var lastID: RequestID = 0

    /// `name`: under which this activator reports.
    init(name: String, lengthMax: Int) {
        self.name = name
        self.lengthMax = lengthMax
    }

    func isKnown(_ revision: ObjectID) -> Bool { self.entries[revision]?.isKnown ?? false }

    var waitingCount: Int { self.entries.values.reduce(0) { $0 + $1.queue.waitingCount } }
    var inFlightCount: Int { self.entries.values.reduce(0) { $0 + $1.queue.inFlightCount } }

    mutating func newID() -> RequestID {
        self.lastID += 1
        return self.lastID
    }

    mutating func configured(_ revision: ObjectID, containerConcurrency: Int, at now: Duration) -> [Release] {
        if self.entries[revision] == nil {
            self.entries[revision] = Entry(
                queue: RevisionQueue(
                    containerConcurrency: containerConcurrency,
                    lengthMax: self.lengthMax,
                    seed: UInt64(bitPattern: Int64(revision.hashValue))
                ),
                meter: ConcurrencyMeter(at: now),
                containerConcurrency: containerConcurrency,
                isKnown: true
            )
            return []
        }
        self.entries[revision]?.isKnown = true
        guard self.entries[revision]?.containerConcurrency != containerConcurrency else { return [] }
        self.entries[revision]?.containerConcurrency = containerConcurrency
        return Self.releases(self.entries[revision]?.queue.configure(containerConcurrency: containerConcurrency))
    }

    /// The revision is gone; gives those who waited for it.
    mutating func removed(_ revision: ObjectID) -> [RequestID] {
        defer { self.entries[revision] = nil }
        return self.entries[revision]?.queue.expired(at: .seconds(Int64.max / 2)) ?? []
    }

    mutating func podsChanged(_ revision: ObjectID, _ addresses: [String]) -> [Release] {
        Self.releases(self.entries[revision]?.queue.podsChanged(addresses))
    }

    mutating func arrived(_ id: RequestID, for revision: ObjectID, deadline: Duration, at now: Duration) -> OnArrival? {
        guard self.entries[revision] != nil else { return nil }
        let isFirst = self.entries[revision]?.meter.began(at: now) ?? false
        let action = self.entries[revision]?.queue.arrived(id, deadline: deadline) ?? .refuse
        let stat = Stat(podName: self.name, averageConcurrentRequests: 1, requestCount: 1)
        return OnArrival(action: action, report: isFirst ? StatMessage(revision: revision, stat: stat) : nil)
    }

    /// A forwarded request has ended.
    mutating func finished(_ revision: ObjectID, at address: String, now: Duration) -> [Release] {
        self.entries[revision]?.meter.ended(at: now)
        return Self.releases(self.entries[revision]?.queue.finished(at: address))
    }

    /// A request could not be handed to the pod, and goes back to wait in front of others.
    mutating func notTaken(_ revision: ObjectID, at address: String) -> [Release] {
        Self.releases(self.entries[revision]?.queue.finished(at: address))
    }

    /// A request that waited, or was refused, has ended. Says whether it was still waiting.
    mutating func left(_ id: RequestID, _ revision: ObjectID, now: Duration) -> Bool {
        self.entries[revision]?.meter.ended(at: now)
        return self.entries[revision]?.queue.left(id) ?? false
    }

    mutating func expired(at now: Duration) -> [RequestID] {
        var ids: [RequestID] = []
        for revision in self.entries.keys { ids += self.entries[revision]?.queue.expired(at: now) ?? [] }
        return ids
    }

    /// What is reported each second.
    mutating func reports(at now: Duration) -> [StatMessage] {
        var messages: [StatMessage] = []
        for revision in self.entries.keys {
            guard let (concurrency, requests) = self.entries[revision]?.meter.report(at: now) ?? nil else { continue }
            let stat = Stat(podName: self.name, averageConcurrentRequests: concurrency, requestCount: requests)
            messages.append(StatMessage(revision: revision, stat: stat))
        }
        return messages
    }

    private static func releases(_ released: [(id: RequestID, address: String)]?) -> [Release] {
        (released ?? []).map { Release(id: $0.id, address: $0.address) }
    }
}
