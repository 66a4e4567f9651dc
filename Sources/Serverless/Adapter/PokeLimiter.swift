package import MeshModel
package import RequestReports

/// Tells the autoscaler of a revision's requests at once if there were none, and then once in an interval.
package struct PokeLimiter: Sendable {
    private struct Entry {
        var sent: Duration
        /// Requests that have not been told.
        var count: Int
    }

    /// Revisions that are kept track of; there are never so many, unless somebody makes names up.
    private static let revisionsMax = 100_000

    private let name: String
    private let interval: Duration
    private var entries: [ObjectID: Entry] = [:]

    /// `name`: under which reports are sent.
    package init(name: String, interval: Duration = .seconds(1)) {
        self.name = name
        self.interval = interval
    }

    /// A request has come. Gives what is to be sent now.
    package mutating func requested(_ revision: ObjectID, at now: Duration) -> StatMessage? {
        if var entry = self.entries[revision], now - entry.sent < self.interval {
            entry.count += 1
            self.entries[revision] = entry
            return nil
        }
        if self.entries[revision] == nil, self.entries.count >= Self.revisionsMax { return nil }
        let count = (self.entries[revision]?.count ?? 0) + 1
        self.entries[revision] = Entry(sent: now, count: 0)
        return self.message(revision, count, concurrency: 1)
    }

    /// What has been held back for an interval. Revisions without requests are forgotten.
    ///
    /// `held`: how many answers of a revision wait for a pod. They are told of each interval: the first report may have
    /// been lost, and nobody else would tell the autoscaler how many pods are needed.
    package mutating func due(at now: Duration, held: [ObjectID: Int] = [:]) -> [StatMessage] {
        var messages: [StatMessage] = []
        for (revision, entry) in self.entries where now - entry.sent >= self.interval {
            let waiting = held[revision] ?? 0
            if entry.count > 0 || waiting > 0 {
                messages.append(self.message(revision, entry.count, concurrency: max(1, waiting)))
                self.entries[revision] = Entry(sent: now, count: 0)
            } else {
                self.entries[revision] = nil
            }
        }
        return messages
    }

    /// An adapter sees when requests begin, not when they end; that there are some is what it can say, unless it holds them.
    private func message(_ revision: ObjectID, _ count: Int, concurrency: Int) -> StatMessage {
        let stat = Stat(
            podName: self.name,
            averageConcurrentRequests: Double(concurrency),
            requestCount: Double(count)
        )
        return StatMessage(revision: revision, stat: stat)
    }
}
